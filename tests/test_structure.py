"""The shape of the source: who imports whom, how long things are, what they are called.

The table below is the rule; CONTRIBUTING.md explains it. An exception is listed here, and a listed
exception that is no longer needed fails.
"""

import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("policies", "metrics", "proxy")


@dataclass(frozen=True)
class Room:
    """What the modules at or below `name` may import. Their own room is always allowed."""

    name: str
    ours: tuple[str, ...]
    third: tuple[str, ...] = ()
    pure: bool = False


# The longest matching name decides. A module of proxy/ without a row of its own falls to the last one.
ROOMS = (
    Room("policies", (), ("msgspec",), pure=True),
    Room("metrics", (), ("prometheus_client",)),
    Room("proxy.errors", (), pure=True),
    Room("proxy.dialects", ("policies.core", "proxy.errors"), ("msgspec",), pure=True),
    Room("proxy.store", ("policies.core", "proxy.errors"), ("msgspec", "redis", "backports")),
    Room("proxy.archive", ("policies.core", "proxy.store", "proxy.errors"), ("msgspec", "cryptography")),
    Room("proxy.plots", (), ("msgspec",), pure=True),
    Room("proxy.cli", PACKAGES, ("*",)),
    Room("proxy", PACKAGES, ("*",)),
)

# Nobody imports a front end but the wiring that starts it: every exception, as (who, whom).
FRONT_ENDS = ("proxy.cli", "proxy.reverse", "proxy.intercept")
WIRING = (
    ("proxy.cli", "proxy.reverse"),
    ("proxy.cli", "proxy.intercept"),
    ("proxy.commands", "proxy.reverse"),
    ("proxy.commands", "proxy.intercept"),
)

# A pure room has no clock, environment, randomness, files, network, threads or log.
IMPURE = frozenset(
    "asyncio concurrent datetime glob http io logging multiprocessing os pathlib random secrets shutil signal "
    "socket sqlite3 ssl subprocess tempfile threading time urllib.request uuid".split()
)

BANNED_NAMES = frozenset("utils util common helpers helper base manager managers handler handlers impl misc".split())

PURE_FOLDERS = ("policies", "proxy/dialects")
FILE_LIMIT = 400
FUNCTION_LIMIT = 60
MEDIAN_LIMIT = 12

# Source files of the pure rooms without a test file of their own, each with the reason.
WITHOUT_OWN_TEST: tuple[tuple[str, str], ...] = ()

# In the standard library only from a later Python than the oldest one supported.
LATER_STDLIB = {"compression"}

# Distributions whose import name differs, and those that are loaded by name at run time, with the reason.
IMPORT_NAMES = {"pyyaml": "yaml", "backports-zstd": "backports", "prometheus-client": "prometheus_client"}
SECOND_MODULES = {"tiktoken_ext"}  # of distributions that are listed anyway
LOADED_BY_NAME = {
    "bpe-openai": "its vocabulary files are read as resources",
    "h2": "httpx picks it for an upstream with http2",
}

# Written in two parts, so that this file does not match itself. Machine paths, and hosts of package registries.
NOT_IN_FILES = re.compile(
    r"(?<![\w.~-])/(?:wo" r"rk|ro" r"ot|opt/py" r"pi|opt/whe" r"els)/"
    r"|\bpy" r"pi\.org|python" r"hosted\.org|registry\.npm" r"js\.org|deb\.deb" r"ian\.org"
)  # fmt: skip


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders or PACKAGES for path in (ROOT / folder).rglob("*.py"))


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _modules() -> frozenset[str]:
    return frozenset(_name(path) for path in _sources())


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{_label(path)}:{node.lineno}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in _modules() else node.module


def _within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


def _room(module: str) -> Room:
    return max((room for room in ROOMS if _within(module, (room.name,))), key=lambda room: len(room.name))


def _violation(module: str, imported: str) -> str:
    """Why this import is not allowed, or nothing."""
    room, top = _room(module), imported.split(".")[0]
    if top in PACKAGES:
        if _within(imported, FRONT_ENDS) and not _wired(module, imported):
            return "a front end"
        return "" if _within(imported, (room.name, *room.ours)) else "not this room's business"
    if top in sys.stdlib_module_names or top in LATER_STDLIB:
        return "not pure" if room.pure and {top, imported} & IMPURE else ""
    return "" if top in room.third or "*" in room.third else "third party"


def _wired(module: str, front_end: str) -> bool:
    own = any(_within(module, (room,)) and _within(front_end, (room,)) for room in FRONT_ENDS)
    return own or any(_within(module, (who,)) and _within(front_end, (whom,)) for who, whom in WIRING)


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield f"{_label(path)}:{node.lineno} {node.name}", (node.end_lineno or first) - first + 1


def test_the_import_directions_of_the_table_hold() -> None:
    wrong = [
        f"{_label(path)} imports {imported}: {why}"
        for path in _sources()
        for imported in _imports(path)
        if (why := _violation(_name(path), imported))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "imported", "allowed"),
    [
        ("policies.mask", "proxy.errors", False),
        ("policies.core.plan", "policies.core.edits", True),
        ("policies.mask", "time", False),
        ("policies.mask", "httpx", False),
        ("metrics.events", "policies.core.usage", False),
        ("proxy.dialects.sse", "policies.core.usage", True),
        ("proxy.dialects.sse", "policies.mask", False),
        ("proxy.store.memory", "proxy.dialects", False),
        ("proxy.exchange", "proxy.reverse", False),
        ("proxy.cli", "proxy.reverse", True),
        ("proxy.reverse", "proxy.cli", False),
        ("proxy.server", "proxy.cli", False),
    ],
)
def test_the_table_says_what_the_design_says(module: str, imported: str, allowed: bool) -> None:
    assert (_violation(module, imported) == "") is allowed


def test_every_module_says_what_it_is_for() -> None:
    silent = [_label(path) for path in _sources(*PACKAGES, "bench", "tests") if not ast.get_docstring(_tree(path))]
    assert [name for name in silent if not name.endswith("__init__.py") or not name.startswith("tests/")] == []


def test_no_file_is_too_long() -> None:
    lengths = {_label(path): len(path.read_text(encoding="utf-8").splitlines()) for path in _sources()}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LIMIT} == {}


def test_functions_of_the_pure_rooms_are_short() -> None:
    functions = [item for path in _sources(*PURE_FOLDERS) for item in _functions(path)]
    assert [item for item in functions if item[1] > FUNCTION_LIMIT] == []
    assert statistics.median(lines for _, lines in functions) <= MEDIAN_LIMIT


def test_no_module_is_named_after_nothing() -> None:
    paths = _sources(*PACKAGES, "tests", "bench")
    assert [_label(path) for path in paths if BANNED_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)] == []


def test_every_file_of_the_pure_rooms_has_its_own_test_file() -> None:
    sources = [path.relative_to(ROOT) for path in _sources(*PURE_FOLDERS) if path.name != "__init__.py"]
    without = {
        source.as_posix() for source in sources if not (ROOT / "tests" / source.parent / f"test_{source.name}").exists()
    }
    assert without == set(dict(WITHOUT_OWN_TEST)), "without a test file of its own, or listed without need"


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in _sources("tests")}
    assert [_label(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {_distribution(line) for line in project["dependencies"]}
    optional = {_distribution(line) for lines in project["optional-dependencies"].values() for line in lines}
    imported = {name.split(".")[0] for path in _sources() for name in _imports(path)}
    third = imported - set(PACKAGES) - set(sys.stdlib_module_names) - LATER_STDLIB - SECOND_MODULES
    assert third - {_import_name(name) for name in required | optional} == set()
    unused = {name for name in required if _import_name(name) not in imported}
    assert unused == set(LOADED_BY_NAME), "declared but not imported, or listed as loaded by name without need"


def _distribution(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return match.group().lower()


def _import_name(distribution: str) -> str:
    return IMPORT_NAMES.get(distribution, distribution.replace("-", "_"))


def test_no_machine_path_or_registry_host_stands_in_a_file() -> None:
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout, or no git: there is no list of tracked files")
    found = []
    for name in filter(None, listing.stdout.decode().split("\0")):
        path = ROOT / name
        text = path.read_bytes() if path.is_file() else b""
        if b"\0" not in text and (match := NOT_IN_FILES.search(text.decode("utf-8", "replace"))):
            found.append(f"{name}: {match.group()}")
    assert found == []
