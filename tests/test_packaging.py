"""What is shipped: the wheel, the locks, the image's recipe and the compose file."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml

PACKAGES = ("policies", "metrics", "proxy")
LOCKS = ("build", "dev", "intercept", "runtime")
SIZE_LIMIT = 150 * 2**20

# Modules that need an extra, and the distribution's module that they miss without it.
NEEDS_EXTRA = {f"proxy.intercept.{name}": "mitmproxy" for name in ("addon", "port", "script", "sockets")}

IMPORT_ALL = """
import importlib, json, sys
sys.path[:0] = json.loads(sys.argv[1])
missing, failed = {}, {}
for name in json.loads(sys.argv[2]):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing[name] = error.name
    except Exception as error:
        failed[name] = repr(error)
print(json.dumps([missing, failed]))
"""


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def _pins(root: Path, lock: str) -> dict[str, str]:
    """Name and version of every requirement; environment markers left out."""
    text = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def _sources(root: Path) -> set[str]:
    files = (path for package in PACKAGES for path in (root / package).rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix() for path in files if "__pycache__" not in path.parts}


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_three_packages(root: Path, wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert _sources(root) - names == set()
    assert any(re.fullmatch(r"policies/presets/\w+\.yaml", name) for name in names)
    assert any(re.fullmatch(r"policies/models/\w+\.toml", name) for name in names)


@pytest.mark.slow
def test_the_wheel_holds_nothing_else_and_runs_nothing_at_start(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    # A .pth file runs code at every start of Python: the form of the LiteLLM 1.82.7 compromise
    assert [name for name in names if name.endswith(".pth") or "sitecustomize" in name] == []
    assert {name.split("/")[0].split("-")[0] for name in names} == {*PACKAGES, "holdfast"}


@pytest.mark.slow
def test_every_module_imports_with_the_runtime_lock_and_nothing_else(root: Path, wheel: Path, tmp_path: Path) -> None:
    installed = _only_runtime(root, tmp_path / "lib")
    names = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")]
    modules = sorted(name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names)
    unpacked = tmp_path / "wheel"
    zipfile.ZipFile(wheel).extractall(unpacked)
    # -I -S: neither the environment nor this virtual environment's packages
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_ALL, _json([str(unpacked), str(installed)]), _json(modules)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stderr
    missing, failed = yaml.safe_load(answer.stdout)
    assert failed == {}
    assert missing == NEEDS_EXTRA


def _json(value: list[str]) -> str:
    return "[" + ", ".join(f'"{item}"' for item in value) + "]"


def _only_runtime(root: Path, folder: Path) -> Path:
    """A folder of links to what the runtime lock installs, taken from this environment."""
    folder.mkdir()
    for name, version in _pins(root, "runtime").items():
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform or version of Python; what is needed here would fail to import
        assert found.version == version, f"{name} is installed as {found.version}, the lock says {version}"
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            target, link = Path(str(found.locate_file(top))), folder / top
            # A namespace package (backports) is shared by several distributions
            if not link.exists():
                link.symlink_to(target, target_is_directory=target.is_dir())
    return folder


def test_an_installation_without_extras_stays_small(root: Path) -> None:
    total = 0
    for name in _pins(root, "runtime"):
        try:
            files = distribution(name).files or ()
        except PackageNotFoundError:
            continue
        total += sum(os.path.getsize(path) for file in files if os.path.isfile(path := file.locate()))
    assert 0 < total <= SIZE_LIMIT, f"{total / 2**20:.0f} MiB"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_has_hashes_and_no_lock_names_a_host(root: Path, lock: str) -> None:
    text = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", text.strip())
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text and "--index" not in text and "--find-links" not in text


def test_the_locks_agree_on_versions(root: Path) -> None:
    runtime, build = _pins(root, "runtime"), _pins(root, "build")
    assert runtime.items() <= _pins(root, "dev").items()
    assert build.items() <= _pins(root, "dev").items()


def test_the_locks_hold_every_declared_dependency(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    declared = project["project"]["dependencies"]
    names = {match.group().lower() for line in declared if (match := re.match(r"[\w.-]+", line))}
    assert names <= set(_pins(root, "runtime"))
    developing = project["dependency-groups"]["dev"]
    assert {re.split(r"[=<>~!;\[ ]", line)[0].lower() for line in developing} <= set(_pins(root, "dev"))


def test_the_image_runs_as_a_numeric_user_from_a_chosen_base(root: Path) -> None:
    text = (root / "Dockerfile").read_text(encoding="utf-8")
    assert text.count("FROM ${BASE}") == 2
    assert re.search(r"^USER \d+:\d+$", text, re.MULTILINE)
    assert "--require-hashes -r requirements/runtime.txt" in text
    assert "HEALTHCHECK" in text
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE)
    allowed = (root / ".dockerignore").read_text(encoding="utf-8")
    for source in " ".join(copied).split():
        assert (root / source).exists(), source
        assert f"!{source.split('/')[0]}\n" in allowed, f"{source} is left out by .dockerignore"


def test_the_compose_file_publishes_on_loopback_only_and_its_files_exist(root: Path) -> None:
    services = yaml.safe_load((root / "deploy/compose.yaml").read_text(encoding="utf-8"))["services"]
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    mounts = [mount for service in services.values() for mount in service["volumes"] if mount.startswith(".")]
    assert [mount for mount in mounts if not (root / "deploy" / mount.split(":")[0]).exists()] == []
