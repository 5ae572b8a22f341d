"""What the documents state: links lead somewhere, commands, settings, variables and metrics exist."""

import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
EXPECTED = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)

# Of the HOLDFAST_ variables, those that are no key of the configuration file.
OTHER_VARIABLES = {
    "HOLDFAST_CONFIG",
    "HOLDFAST_POLICY",
    "HOLDFAST_ADMIN_TOKEN",
    "HOLDFAST_TENANT_KEY",
    "HOLDFAST_ARCHIVE_KEY",
}


def _pages() -> dict[str, str]:
    return {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}


def _prose(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def _commands() -> list[tuple[str, list[str]]]:
    """Every line of a shell example that starts `make` or `holdfast`, variables before it left out."""
    found = []
    for name, text in _pages().items():
        for line in "".join(SHELL_BLOCK.findall(text)).replace("\\\n", " ").splitlines():
            words = [word for word in shlex.split(line, comments=True) if not re.match(r"[A-Z_]+=", word)]
            if words and words[0].removeprefix(".venv/bin/") in ("make", "holdfast"):
                found.append((name, [words[0].removeprefix(".venv/bin/"), *words[1:]]))
    return found


@cache
def _help(*command: str) -> str:
    """The help of a command; empty where there is no such command."""
    code = "import sys; from proxy.cli import main; sys.exit(main())"
    answer = subprocess.run(
        [sys.executable, "-c", code, *command, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    return answer.stdout if answer.returncode == 0 else ""


needs_cli = pytest.mark.skipif(
    not (ROOT / "proxy" / "cli.py").exists() and not (ROOT / "proxy" / "cli").is_dir(),
    reason="there is no proxy/cli.py yet, so commands cannot be looked up",
)
needs_catalogue = pytest.mark.skipif(
    not (ROOT / "metrics" / "catalogue.py").exists(), reason="there is no metrics/catalogue.py yet"
)
needs_config = pytest.mark.skipif(
    not (ROOT / "proxy" / "config" / "settings.py").exists(), reason="there is no proxy/config yet"
)


def test_the_documents_are_there() -> None:
    assert set(EXPECTED) <= set(_pages())


def test_every_link_to_a_file_leads_to_one() -> None:
    wrong = []
    for name, text in _pages().items():
        for target in (first or second for first, second in LINK.findall(_prose(text))):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (ROOT / name).parent / path if path else ROOT / name
            if not file.exists():
                wrong.append(f"{name}: {target}")
            elif anchor and anchor not in _anchors(file.read_text(encoding="utf-8")):
                wrong.append(f"{name}: {target}: no such heading")
    assert wrong == []


def test_every_make_target_of_an_example_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    used = {(name, words[1]) for name, words in _commands() if words[0] == "make" and len(words) > 1}
    assert used
    assert {(name, target) for name, target in used if target not in targets} == set()


@needs_cli
def test_every_command_and_flag_of_an_example_exists() -> None:
    wrong = []
    for name, words in _commands():
        if words[0] != "holdfast":
            continue
        own = words[1 : words.index("--")] if "--" in words else words[1:]
        path: list[str] = []
        for word in own:
            if word.startswith("-") or not _help(*path, word):
                break
            path.append(word)
        text = _help(*path)
        flags = [word.partition("=")[0] for word in own if word.startswith("--")]
        unknown = [flag for flag in flags if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text)]
        if unknown or (own and not own[0].startswith("-") and not path):
            wrong.append(f"{name}: holdfast {' '.join(own)}: {unknown or 'no such command'}")
    assert wrong == []


@needs_cli
def test_every_command_named_in_a_sentence_exists() -> None:
    named = {(name, word) for name, text in _pages().items() for word in re.findall(r"`holdfast ([a-z]+)\b", text)}
    assert {(name, word) for name, word in named if not _help(word)} == set()


@needs_catalogue
def test_every_metric_that_is_named_exists() -> None:
    catalogue = (ROOT / "metrics" / "catalogue.py").read_text(encoding="utf-8")
    known = set(re.findall(r"holdfast_[a-z_]+", catalogue))
    for name, text in _pages().items():
        named = {re.sub(r"_(bucket|sum|count)$", "", found) for found in re.findall(r"\bholdfast_[a-z_]+\b", text)}
        assert named - known == set(), name


@needs_config
def test_every_variable_that_is_named_is_a_setting() -> None:
    settings = importlib.import_module("proxy.config.settings")
    known = {f"HOLDFAST_{key.upper()}" for key in settings.File.__struct_fields__} | OTHER_VARIABLES
    for name, text in _pages().items():
        named = {found.split("__")[0] for found in re.findall(r"\bHOLDFAST_[A-Z_]*[A-Z]\b", text)}
        assert named - known == set(), name


@needs_config
def test_the_settings_page_is_what_the_types_say() -> None:
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "docs" / "settings_page.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == module.page(), "run `python docs/settings_page.py > docs/settings.md`"


def test_every_passthrough_reason_of_the_source_is_explained() -> None:
    raised = {
        reason
        for path in (ROOT / "proxy").rglob("*.py")
        for reason in re.findall(r'DialectError\(\s*"([a-z_]+)"', path.read_text(encoding="utf-8"))
    }
    explained = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")))
    assert raised
    assert raised - explained == set()


def test_every_cause_of_a_loss_is_explained() -> None:
    plan = importlib.import_module("policies.core.plan")
    explained = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")))
    assert set(get_args(plan.Cause)) - explained == set()


def test_what_is_not_in_effect_is_listed_as_such() -> None:
    policy = importlib.import_module("policies.policy")
    text = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    section = text[text.index("## Accepted, not in effect") :]
    assert set(re.findall(r"`([a-z_.*]+)`", section)) == set(policy.NOT_IN_EFFECT)
