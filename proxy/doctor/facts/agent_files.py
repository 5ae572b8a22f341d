"""The files in which agents keep their base URL, and how to read it out of each.

Rules of this room: of a file only base URLs are taken. Which file each client reads, and under which key, is from
the clients themselves (November 2026).
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from proxy.config.nodes import plain
from proxy.config.yaml_tree import read_table
from proxy.doctor.agents import AI_SDK_ANTHROPIC, AI_SDK_GEMINI, ANTHROPIC, OPENAI, VARIABLES, Kind

LARGEST = 1_000_000
"""Bytes of a file that is looked into."""

AI_SDKS = {"anthropic": AI_SDK_ANTHROPIC, "google": AI_SDK_GEMINI}
"""By the end of the package's name, which is also the id of opencode's own provider."""


@dataclass(frozen=True, slots=True)
class Written:
    """A base URL as a file has it; empty where it lacks one that nothing else stands in for. It may hold secrets, and
    goes no further than to who takes it apart."""

    key: str
    url: str
    kind: Kind
    form: str


Reader = Callable[[str], Iterator[tuple[str, Any, Kind, str]]]


def files_of_agents(environ: Mapping[str, str], folder: Path) -> Iterator[tuple[Path, Reader]]:
    """Each file that exists, with what reads it: those of the home, then those of the working folder."""
    home = Path(environ["HOME"]) if environ.get("HOME") else None
    settings = Path(environ["XDG_CONFIG_HOME"]) if environ.get("XDG_CONFIG_HOME") else home and home / ".config"
    candidates: list[tuple[Path | None, str, Reader]] = [
        (Path(environ["CODEX_HOME"]) if environ.get("CODEX_HOME") else home and home / ".codex", "config.toml", codex),
        (settings and settings / "opencode", "opencode.json", opencode),
        (settings and settings / "opencode", "opencode.jsonc", opencode),
        (folder, "opencode.json", opencode),
        (folder, "opencode.jsonc", opencode),
        (home, ".qwen/settings.json", qwen),
        (folder, ".claude/settings.local.json", claude),
        *((place, ".claude/settings.json", claude) for place in (home, folder)),
        *((place, ".gemini/.env", dotenv) for place in (home, folder)),
        *((place, ".aider.conf.yml", aider) for place in (home, folder)),
        (folder, ".env", dotenv),
    ]
    seen: set[Path] = set()
    for place, name, reader in candidates:
        path = place / name if place else None
        if path and path not in seen and path.is_file():
            seen.add(path)
            yield path, reader


def written(path: Path, reader: Reader) -> Iterator[Written]:
    """The base URLs of a file. Raises OSError, ValueError or ConfigErrors where it cannot be read."""
    with path.open(encoding="utf-8") as file:
        text = file.read(LARGEST)
    for key, url, kind, form in reader(text):
        # opencode's `{env:NAME}` is filled in when it starts
        if isinstance(url, str) and "{" not in url:
            yield Written(key, url, kind, form)


def codex(text: str) -> Iterator[tuple[str, Any, Kind, str]]:
    """The chosen provider's own URL, else that of the built-in one: codex 0.169 ignores OPENAI_BASE_URL."""
    data = tomllib.loads(text)
    provider = data.get("model_provider")
    if isinstance(provider, str) and provider != "openai":
        key = f"model_providers.{provider}.base_url"
        yield key, _at(data, "model_providers", provider, "base_url"), OPENAI, 'base_url = "{url}"'
    else:
        yield "openai_base_url", data.get("openai_base_url", ""), OPENAI, 'openai_base_url = "{url}"'


def opencode(text: str) -> Iterator[tuple[str, Any, Kind, str]]:
    providers = _at(_json(text), "provider")
    for name, provider in providers.items() if isinstance(providers, dict) else ():
        package = str(_at(provider, "npm") or name).rpartition("/")[2]
        kind = AI_SDKS.get(package, OPENAI)
        yield f"provider.{name}.options.baseURL", _at(provider, "options", "baseURL"), kind, '"baseURL": "{url}"'


def claude(text: str) -> Iterator[tuple[str, Any, Kind, str]]:
    name = "ANTHROPIC_BASE_URL"
    yield f"env.{name}", _at(_json(text), "env", name), ANTHROPIC, f'"{name}": "{{url}}"'


def qwen(text: str) -> Iterator[tuple[str, Any, Kind, str]]:
    yield "security.auth.baseUrl", _at(_json(text), "security", "auth", "baseUrl"), OPENAI, '"baseUrl": "{url}"'


def aider(text: str) -> Iterator[tuple[str, Any, Kind, str]]:
    key = "openai-api-base"
    yield key, plain(read_table(text, "")).get(key), OPENAI, f"{key}: {{url}}"


def dotenv(text: str) -> Iterator[tuple[str, Any, Kind, str]]:
    for name, value in re.findall(r"(?m)^\s*(?:export\s+)?([A-Z_]+)\s*=\s*[\"']?([^\"'\s#]+)", text):
        if name in VARIABLES:
            yield name, value, VARIABLES[name], f"{name}={{url}}"


_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


def _json(text: str) -> Any:
    """JSON with comments and commas at the end, as editors write it."""
    for noise in (_COMMENT, _LAST_COMMA):
        text = noise.sub(lambda found: found[1] or "", text)
    return msgspec.json.decode(text) if text.strip() else {}


def _at(data: Any, *path: str) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data
