"""The configuration as it was read: errors with their lines, and what is allowed but seldom meant.

Rules of this room: pure. That a file cannot be used is a finding like any other; the checks that need
settings go on with the built-in ones.
"""

import ipaddress
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from policies.routes import Match, Route
from proxy import mistakes
from proxy.doctor.finding import Finding, Severity
from proxy.errors import ConfigError

WHERE = "configuration"
OPEN_TO_OTHERS, WRITABLE_BY_OTHERS = 0o077, 0o022

KEY = re.compile(r"\b(?:sk-[A-Za-z0-9_-]{20,}|AIza[A-Za-z0-9_-]{30,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,})")
"""What looks like a provider's key: long enough that no name or path is taken for one."""

SHADOWING = frozenset({"chat", "messages", "responses", "completions", "embeddings", "models", "upload", "files"})
"""First parts of paths that clients ask for, with or without /v1; those that Holdfast reserves are refused anyway."""


@dataclass(frozen=True, slots=True)
class UpstreamFact:
    """An upstream, and where its URL was written: file and line, a variable, or nowhere (built in)."""

    name: str
    url: str
    origin: str = ""
    line: int = 0
    known: str = ""
    """The built-in URL of this name; empty where there is none."""

    @property
    def place(self) -> str:
        """Where a file is to be changed; empty for a variable."""
        return f"{self.origin}:{self.line}" if self.line else ""


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file that the configuration names, as its owner left it."""

    key: str
    path: str
    mode: int
    secret: bool


@dataclass(frozen=True, slots=True)
class ConfigurationFacts:
    file: str
    """Empty where there is none."""
    errors: Sequence[ConfigError] = ()
    notes: Sequence[str] = ()
    policies: Sequence[str] = ()
    """In the order of the routes."""
    upstreams: Sequence[UpstreamFact] = ()
    routes: Sequence[tuple[Route, str]] = ()
    """Each with the place that it was written at."""
    files: Sequence[FileFact] = ()
    keys: Sequence[str] = ()
    """Places, as `file:line`, in configuration files of what looks like a provider's key."""


def check_configuration(facts: ConfigurationFacts) -> Iterator[Finding]:
    yield from map(_error, facts.errors)
    if not facts.errors:
        source = facts.file or "no file: what is built in, and variables"
        yield Finding("ok", WHERE, source)
        yield Finding("ok", "policies", ", then ".join(facts.policies))
    if facts.notes:
        place, _, text = facts.notes[0].rpartition(": ")
        more = f", and {len(facts.notes) - 1} more" if len(facts.notes) > 1 else ""
        yield Finding("hint", place, text + more, change(place))
    for upstream in facts.upstreams:
        yield from _upstream(upstream)
    yield from _routes(facts)
    yield from (_open(file) for file in facts.files if _is_open(file))
    for place in facts.keys:
        what = "what looks like a provider's key: agents send their own, and a file is shown, copied and committed"
        yield Finding("failed", place, what, change(place))


def change(place: str) -> str:
    """The command for changing what stands at a place: `file:line`, or a variable."""
    path, _, line = place.rpartition(":")
    if place.startswith("HOLDFAST_"):
        return f"unset {path or place}"
    return f"${{EDITOR:-vi}} +{line} {shlex.quote(path)}"


def _error(error: ConfigError) -> Finding:
    # a message repeats the value that is wrong, and somebody may have put a key where none belongs
    what = KEY.sub("***", f"{error.message}; {error.help}" if error.help else error.message)
    variable = re.search(r"`(HOLDFAST_\w+)`", error.message)
    if short := re.match(r"`(admin_token|tenant_key|archive_key)` is shorter", error.message):
        name = f"HOLDFAST_{short[1].upper()}"
        return Finding("failed", name, what, f'export {name}="$(openssl rand -hex 32)"')
    if error.file.startswith("HOLDFAST_"):
        return Finding("failed", error.file, what, change(error.file))
    if error.line:
        place = f"{error.file}:{error.line}"
        return Finding("failed", place, what, change(place))
    if variable:
        return Finding("failed", variable[1], what, f"unset {variable[1]}")
    if error.file and error.file not in ("environment", "built in"):
        return Finding("failed", error.file, what, f"ls -l {shlex.quote(error.file)}")
    return Finding("failed", WHERE, what, "env | grep ^HOLDFAST_ | cut -d= -f1")


def _upstream(upstream: UpstreamFact) -> Iterator[Finding]:
    parts = urlsplit(upstream.url)
    path = parts.path.rstrip("/")
    if mistakes.in_path("/v1/models", path):
        what = f"its URL ends in {path[path.rindex('/') :]}, and clients add /v1 themselves"
        # a server of one's own may be asked below such a URL on purpose, with a base URL that ends in /NAME
        severity: Severity = "failed" if upstream.known else "warning"
        yield _url(severity, upstream, what, re.sub(r"/v[0-9]+[a-z0-9]*/?$", "", upstream.url))
    if parts.scheme == "http" and not is_private(parts.hostname or ""):
        what = f"keys and prompts go to {parts.hostname} unencrypted"
        yield _url("warning", upstream, what, f"https{upstream.url.removeprefix('http')}")
    if upstream.name in SHADOWING:
        what = f"its name takes all paths that begin with /{upstream.name}/ away from other providers"
        fix = f"my-{upstream.name}:" if upstream.line else f"unset {upstream.origin}"
        yield Finding("warning", f"upstream {upstream.name}", what, fix, upstream.place)


def _url(severity: Severity, upstream: UpstreamFact, what: str, url: str) -> Finding:
    """With the URL that is to be written where the old one was."""
    variable = upstream.origin or f"HOLDFAST_UPSTREAMS__{upstream.name.upper()}__URL"
    fix = f"url: {url}" if upstream.line else f"export {variable}={shlex.quote(url)}"
    return Finding(severity, f"upstream {upstream.name}", what, fix, upstream.place)


def is_private(host: str) -> bool:
    """Whether a host is this machine or seems to be in one's own network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost", ".lan", ".svc", ".home.arpa"))
    return address.is_private or address.is_loopback or address.is_link_local


def _routes(facts: ConfigurationFacts) -> Iterator[Finding]:
    names = [upstream.name for upstream in facts.upstreams]
    for number, (route, place) in enumerate(facts.routes):
        what = _never(route.match, names) or _shadowed(number, [each for each, _ in facts.routes])
        if what:
            yield Finding("warning", place, f"the route to `{route.policy}` is never used: {what}", change(place))


def _never(match: Match, upstreams: Sequence[str]) -> str:
    """Why no request can match; empty where one may."""
    if not any(fnmatchcase(name, match.upstream.lower()) for name in upstreams):
        return f"no upstream is called `{match.upstream}`"
    if match.path[:1] not in ("/", "*", "?", "["):
        return f"paths begin with a slash, `{match.path}` does not"
    return ""


def _shadowed(number: int, routes: Sequence[Route]) -> str:
    """Which earlier route takes all that this one would."""
    match = routes[number].match
    for earlier in range(number):
        before = routes[earlier].match
        pairs = ((getattr(before, name), getattr(match, name)) for name in Match.__struct_fields__)
        if all(_covers(one, other) for one, other in pairs):
            return f"route {earlier + 1} of the list matches the same and more"
    return ""


def _covers(pattern: str, other: str) -> bool:
    """Whether a pattern certainly matches whatever another one does. Only `*` is understood as a wildcard."""
    pattern, other = pattern.lower(), other.lower()
    if pattern in ("*", other):
        return True
    if re.search(r"[?\[\]]", pattern) or "[" in other:
        return False
    form = ".*".join(map(re.escape, pattern.split("*")))
    return re.fullmatch(form, other, re.DOTALL) is not None


def _is_open(file: FileFact) -> bool:
    return bool(file.mode & (OPEN_TO_OTHERS if file.secret else WRITABLE_BY_OTHERS))


def _open(file: FileFact) -> Finding:
    path = shlex.quote(file.path)
    if not file.secret:
        what = f"mode {file.mode:04o}: others can write it, and so send keys elsewhere"
        return Finding("warning", file.path, what, f"chmod go-w {path}")
    what = f"`{file.key}` has mode {file.mode:04o}: other users of this machine can read it"
    return Finding("warning", file.path, what, f"chmod go-rwx {path}")
