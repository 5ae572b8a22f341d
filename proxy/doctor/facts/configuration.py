"""Reads the configuration as `serve` would, and looks where each value was written.

Rules of this room: what cannot be read is reported, and the built-in settings stand in for it. The
environment is an argument.
"""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from policies.routes import Route, in_use
from proxy.archive.open import archive_path
from proxy.config import ConfigErrors, Request, Settings, load_settings
from proxy.config.nodes import Items, Place, Scalar, Table
from proxy.config.paths import Paths
from proxy.config.policies import read_text
from proxy.config.upstreams import BUILT_IN
from proxy.config.yaml_tree import read_table
from proxy.doctor.configuration import KEY, ConfigurationFacts, FileFact, UpstreamFact
from proxy.errors import ConfigError
from proxy.store.open import store_path

SECRET_FILES = ("admin_token_file", "tenant_key_file", "store_file", "archive.key_file")


@dataclass(frozen=True, slots=True)
class Read:
    """What the other checks go by."""

    settings: Settings
    readable: bool
    facts: ConfigurationFacts


def look_at_configuration(request: Request) -> Read:
    file = str(request.file) if request.file else ""
    written = _written(request.file)
    keys = tuple(_keys(request.file))
    try:
        settings = load_settings(request)
    except ConfigErrors as error:
        return Read(_built_in(request), False, ConfigurationFacts(file, errors=error.errors, keys=keys))
    facts = ConfigurationFacts(
        file=file,
        notes=settings.notes,
        policies=in_use(settings.routes),
        upstreams=tuple(_upstream(upstream.name, upstream.url, written, request) for upstream in settings.upstreams),
        routes=tuple(_placed(settings.routes.entries, written, request.environ)),
        files=tuple(_files(settings, written, request)),
        keys=tuple(key for path in settings.sources for key in _keys(Path(path))),
    )
    return Read(settings, True, facts)


def _built_in(request: Request) -> Settings:
    """Without a home there is no place for the default store."""
    home = request.environ.get("HOME", "")
    return load_settings(Request(environ={"HOME": home} if home else {"HOLDFAST_STORE": "memory:"}))


def _written(file: Path | None) -> Table:
    """The file as a tree; an empty one where there is none or it cannot be read."""
    try:
        return read_table(read_text(file), str(file)) if file else Table({}, Place(""))
    except ConfigErrors:
        return Table({}, Place(str(file)))


def _upstream(name: str, url: str, written: Table, request: Request) -> UpstreamFact:
    known = BUILT_IN.get(name, {}).get("url", "")
    variable = f"HOLDFAST_UPSTREAMS__{name.upper()}__URL"
    if variable in request.environ:
        return UpstreamFact(name, url, variable, known=known)
    entry = written.at(("upstreams", name, "url"))
    if entry is None:
        return UpstreamFact(name, url, known=known)
    return UpstreamFact(name, url, entry.place.origin, entry.place.line, known)


def _placed(entries: tuple[Route, ...], written: Table, environ: Mapping[str, str]) -> Iterator[tuple[Route, str]]:
    """Each route with the place it was written at: a variable replaces the file's as a whole."""
    variable = next((name for name in ("HOLDFAST_POLICY", "HOLDFAST_ROUTES") if environ.get(name)), "")
    entry = written.at(("routes",))
    items = entry.node.items if entry and isinstance(entry.node, Items) and not variable else ()
    for number, route in enumerate(entries):
        place = items[number].place if number < len(items) else None
        yield route, f"{place.origin}:{place.line}" if place else variable


def _files(settings: Settings, written: Table, request: Request) -> Iterator[FileFact]:
    for source in settings.sources:
        yield from _file("configuration", Path(source), secret=False)
    paths = Paths(written, request.file.parent if request.file else Path(), request.environ)
    for key in SECRET_FILES:
        path = key.split(".")
        entry = written.at(path)
        text = request.environ.get(f"HOLDFAST_{'__'.join(path).upper()}") or (
            entry.node.text if entry and isinstance(entry.node, Scalar) else ""
        )
        if text:
            yield from _file(key, Path(paths.of(text, *path) or text), secret=True)
    try:
        state = {"store": store_path(settings.store), "archive": archive_path(settings.store)}
    except ConfigError:
        state = {}
    folders = {"record": settings.record, "archive.mirror": settings.archive.mirror}
    for key, place in {**state, **{key: Path(name) for key, name in folders.items() if name}}.items():
        if place:
            yield from _file(key, place, secret=True)


def _file(key: str, path: Path, *, secret: bool) -> Iterator[FileFact]:
    try:
        yield FileFact(key, str(path), stat.S_IMODE(path.stat().st_mode), secret)
    except OSError:
        return  # what is missing is another check's business


def _keys(path: Path | None) -> Iterator[str]:
    """The places of lines that hold what looks like a key: never the key itself."""
    if path is None:
        return
    try:
        lines = read_text(path).splitlines()
    except ConfigErrors:
        return
    yield from (f"{path}:{number}" for number, line in enumerate(lines, start=1) if KEY.search(line))
