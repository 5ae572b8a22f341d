"""Agents that read their base URL from no variable: Codex, opencode. How each is asked and told.

Rules of this room: a client is asked in its own words (its configuration file, a command of its own), and
only for URLs; what else it says, keys above all, is let go unread. Where it cannot be asked, nothing is
changed for it, and a note says so.
"""

import json
import re
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.commands.clients import Opening
from proxy.commands.run_doors import Door

PATIENCE = 20.0  # seconds to answer

CODEX = "openai_base_url"
CHATGPT = "https://chatgpt.com/backend-api/codex"
"""Where Codex sends its requests when it is signed in with a ChatGPT account (codex 0.169)."""

OPENCODE = (
    Opening("provider.anthropic", "anthropic", "/v1"),
    Opening("provider.openai", "openai", "/v1"),
    Opening("provider.google", "gemini", "/v1beta"),
    Opening("provider.openrouter", "openrouter", "/v1"),
    Opening("provider.deepseek", "deepseek"),
    Opening("provider.xai", "xai", "/v1"),
    Opening("provider.groq", "groq", "/v1"),
    Opening("provider.mistral", "mistral", "/v1"),
)
"""opencode's providers, with the base URLs that its packages and its list of models give them (1.18)."""
CONTENT = "OPENCODE_CONFIG_CONTENT"
"""Configuration as a variable: it is merged over every file."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an agent said: its openings, and the URLs that the user has set there."""

    openings: tuple[Opening, ...] = ()
    own: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """The command to start, and its variables."""

    argv: Sequence[str]
    environ: Mapping[str, str]


def ask(program: str, argv: Sequence[str], environ: Mapping[str, str]) -> Asked:
    """Of the agent that this command starts; nothing where its variables say it all."""
    match name_of(argv):
        case "codex":
            return _ask_codex(program, argv, environ)
        case "opencode":
            return _ask_opencode(program, environ)
        case _:
            return Asked()


def tell(argv: Sequence[str], environ: Mapping[str, str], found: Sequence[Door], base: str) -> Told:
    """The command and its variables, with the base URLs in place that no variable of its own sets."""
    told = {door.name: door.address(base) for door in found}
    match name_of(argv):
        case "codex":
            named = {name: url for name, url in told.items() if name == CODEX or name.startswith("model_providers.")}
            return Told(_with_overrides(argv, named), environ)
        case "opencode":
            named = {name: url for name, url in told.items() if name.startswith("provider.")}
            return Told(argv, {**environ, CONTENT: _content(environ, named)} if named else environ)
        case _:
            return Told(argv, environ)


def name_of(argv: Sequence[str]) -> str:
    """The agent's name, as far as its file tells."""
    return Path(argv[0]).stem if argv[0].endswith((".exe", ".js", ".cmd")) else Path(argv[0]).name


def _ask_codex(program: str, argv: Sequence[str], environ: Mapping[str, str]) -> Asked:
    given = _overrides(argv)
    config = _codex_config(environ)
    provider = given.get("model_provider") or str(config.get("model_provider", ""))
    if provider not in ("", "openai"):
        key = f"model_providers.{provider}.base_url"
        url = given.get(key) or str(_at(config, "model_providers", provider, "base_url"))
        return Asked((Opening(key, provider.lower()),), {key: url}) if url else Asked()
    url = given.get(CODEX) or str(config.get(CODEX, "")) or _codex_account(program, environ)
    return Asked((Opening(CODEX, "openai", "/v1"),), {CODEX: url})


def _codex_config(environ: Mapping[str, str]) -> dict[str, Any]:
    folder = environ.get("CODEX_HOME") or f"{environ.get('HOME', '')}/.codex"
    try:
        return tomllib.loads((Path(folder) / "config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # Codex itself says what is wrong with it


def _codex_account(program: str, environ: Mapping[str, str]) -> str:
    """Its own URL for requests where it is signed in with a ChatGPT account, whose tokens OpenAI's API refuses."""
    if environ.get("CODEX_API_KEY"):
        return ""
    return CHATGPT if "using ChatGPT" in _said(program, ("login", "status"), environ) else ""


def _overrides(argv: Sequence[str]) -> dict[str, str]:
    """What `-c key=value` on the command line says; the last one counts."""
    return {key: value for _, key, value in _placed(argv)}


def _placed(argv: Sequence[str]) -> list[tuple[int, str, str]]:
    """Each override with the place of its word; quotes of TOML are taken off."""
    found = []
    for index, (flag, word) in enumerate(zip(argv, [*argv[1:], ""], strict=True)):
        if flag in ("-c", "--config"):
            key, _, value = word.partition("=")
            found.append((index + 1, key.strip(), value.strip().strip("\"'")))
    return found


def _with_overrides(argv: Sequence[str], named: Mapping[str, str]) -> list[str]:
    """The command with these overrides: in place of the user's own, else before everything else."""
    words, missing = list(argv), dict(named)
    for index, key, _ in _placed(argv):
        if key in named:
            words[index] = f"{key}={json.dumps(named[key])}"
            missing.pop(key, None)
    added = [part for key, url in missing.items() for part in ("-c", f"{key}={json.dumps(url)}")]
    return [words[0], *added, *words[1:]]


def _ask_opencode(program: str, environ: Mapping[str, str]) -> Asked:
    try:
        config = json.loads(_said(program, ("debug", "config"), environ, errors=False))
        providers = dict(config.get("provider") or {})
        _written(environ)
    except (ValueError, AttributeError, TypeError):
        return Asked(notes=("opencode's configuration cannot be read, so its base URLs are as they were",))
    urls = {f"provider.{name}": str(_at(entry, "options", "baseURL")) for name, entry in providers.items()}
    own = {name: url for name, url in urls.items() if re.match(r"https?://", url)}
    known = {opening.name for opening in OPENCODE}
    others = tuple(Opening(name, name.partition(".")[2].lower()) for name in own if name not in known)
    return Asked((*others, *OPENCODE), own)


def _content(environ: Mapping[str, str], named: Mapping[str, str]) -> str:
    """The user's configuration in the variable, with these base URLs in it."""
    config = _written(environ)
    for name, url in named.items():
        provider = config.setdefault("provider", {}).setdefault(name.partition(".")[2], {})
        provider.setdefault("options", {})["baseURL"] = url
    return json.dumps(config)


def _written(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the variable holds. Raises ValueError where that is not plain JSON."""
    return dict(json.loads(environ.get(CONTENT) or "{}"))


def _at(tree: Any, *path: str) -> Any:
    """The value at a path of keys; empty where there is none."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return "" if tree is None else tree


def _said(program: str, words: Sequence[str], environ: Mapping[str, str], *, errors: bool = True) -> str:
    """What a command of the agent prints; empty where it fails."""
    try:
        answer = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else subprocess.DEVNULL,
            env=environ,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.decode(errors="replace")
