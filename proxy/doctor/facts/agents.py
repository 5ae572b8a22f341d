"""Where agents of this shell and of this folder send their requests: variables, and files that agents read.

Rules of this room: of a URL neither credentials nor query are kept. A port that a URL names is asked at
most a second, and only where it is on this machine.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from proxy.commands.clients import reachable
from proxy.config import ConfigErrors, Settings
from proxy.doctor.agents import VARIABLES, AgentFacts, BaseUrl, Kind, State, is_loopback
from proxy.doctor.configuration import KEY
from proxy.doctor.facts.agent_files import files_of_agents, written
from proxy.doctor.facts.ports import is_holdfast, is_open, leads_to_interception
from proxy.server import Address


def look_at_agents(settings: Settings, environ: Mapping[str, str], folder: Path) -> AgentFacts:
    """`folder`: the one that agents are started in."""
    base_urls = [
        _base_url(name, environ[name], kind, f"export {name}={{url}}")
        for name, kind in VARIABLES.items()
        if environ.get(name)
    ]
    unread = []
    for path, reader in files_of_agents(environ, folder):
        try:
            found = list(written(path, reader))
        except (OSError, ValueError, ConfigErrors) as error:
            unread.append((str(path), _why(error)))
            continue
        base_urls += [_base_url(f"{path.name} {each.key}", each.url, each.kind, each.form, str(path)) for each in found]
    address = reachable(Address(settings.host, settings.port))
    ports = {(url.host, url.port) for url in base_urls if is_loopback(url.host) or url.host == address.host}
    return AgentFacts(
        traffic=(address.host, address.port),
        upstreams={upstream.name: upstream.base_path.decode() for upstream in settings.upstreams},
        base_urls=tuple(base_urls),
        states={port: _state(*port) for port in ports},
        differing=_differ(environ),
        unread=tuple(unread),
        proxies=tuple(_proxies(environ)),
        no_proxy=tuple(filter(None, re.split(r"[,\s]+", environ.get("NO_PROXY") or environ.get("no_proxy", "")))),
    )


def _why(error: OSError | ValueError | ConfigErrors) -> str:
    """Without what the file says: parsers quote it."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, OSError):
        return f"it cannot be read: {(error.strerror or 'unknown reason').lower()}"
    return "it is not valid, so its agent may ignore it"


def _base_url(where: str, text: str, kind: Kind, form: str, place: str = "") -> BaseUrl:
    if not text:
        return BaseUrl(where, kind, form, place, missing=True)
    try:
        parts = urlsplit(text.strip())
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return BaseUrl(where, kind, form, place)
    if parts.scheme not in ("http", "https") or KEY.search(parts.netloc.rpartition("@")[2]):
        return BaseUrl(where, kind, form, place)
    return BaseUrl(where, kind, form, place, parts.scheme, parts.hostname or "", port, parts.path)


def _state(host: str, port: int) -> State:
    if not is_open(host, port):
        return ""
    return "holdfast" if is_holdfast(host, port) else "other"


def _differ(environ: Mapping[str, str]) -> bool:
    one, other = environ.get("OPENAI_BASE_URL"), environ.get("OPENAI_API_BASE")
    return bool(one and other and one.rstrip("/") != other.rstrip("/"))


def _proxies(environ: Mapping[str, str]) -> Iterator[str]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        for each in (name, name.lower()):
            if environ.get(each) and not leads_to_interception(environ[each]):
                yield each
