"""Everything that can be configured, read, checked and resolved: `load_settings`.

Rules of this room: the environment is an argument. All that is wrong is reported at once. Secrets come
from variables or files of their own, and a URL with a password may not stand in holdfast.yaml.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from proxy.config.authorities import check_authorities
from proxy.config.layers import Override, base, lay, merge, variables, with_presets
from proxy.config.named import named_policies
from proxy.config.nodes import ConfigErrors, Entry, Scalar, Table
from proxy.config.paths import Paths
from proxy.config.policies import read_text
from proxy.config.resolve import check, resolve_routes
from proxy.config.secrets import check_admin, secret, secret_text
from proxy.config.settings import Archive, File, Settings, UpstreamEntry, Url
from proxy.config.typed import convert
from proxy.config.yaml_tree import read_table

if TYPE_CHECKING:
    from proxy.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Request:
    """What to load: kept, so that a reload reads the same again."""

    file: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    flags: tuple[Override, ...] = ()
    policy: str = ""
    """--policy: one policy (name or file) for everything, in place of the routes."""


def default_file(environ: Mapping[str, str]) -> Path | None:
    """The file that is read without --config, where it exists.

    Never one of the working folder: a checked-out repository could send the agent's key elsewhere."""
    if environ.get("HOLDFAST_CONFIG"):
        return Path(environ["HOLDFAST_CONFIG"])
    folder = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    path = Path(folder) / "holdfast" / "holdfast.yaml"
    return path if path.is_absolute() and path.is_file() else None


def load_settings(request: Request) -> Settings:
    """The settings. Raises ConfigErrors with everything that is wrong."""
    table = _table(request)
    parsed = convert(_with_names(table), File)
    check(parsed, table)
    folder = request.file.parent if request.file else Path()
    paths = Paths(table, folder, request.environ)
    named = named_policies(parsed, table, folder)
    check_authorities(parsed, paths)
    settings = Settings(
        host=parsed.host,
        port=parsed.port,
        admin_host=parsed.admin_host,
        admin_port=parsed.admin_port,
        admin_token=secret("admin_token", paths.of(parsed.admin_token_file, "admin_token_file"), request.environ),
        tenant_key=secret("tenant_key", paths.of(parsed.tenant_key_file, "tenant_key_file"), request.environ),
        archive_key=secret("archive_key", paths.of(parsed.archive.key_file, "archive", "key_file"), request.environ),
        allowed_hosts=parsed.allowed_hosts,
        workers=parsed.workers,
        upstreams=tuple(_upstream(name, entry, parsed, paths) for name, entry in parsed.upstreams.items()),
        store=_store(parsed, paths),
        archive=_archive(parsed.archive, paths),
        record=paths.of(parsed.record, "record"),
        routes=resolve_routes(parsed, table, named.policies),
        limits=parsed.limits,
        drain=parsed.drain,
        log_level=parsed.log_level,
        sources=(*([str(request.file)] if request.file else []), *named.paths),
        notes=named.notes,
    )
    check_admin(settings, paths.place("admin_host"))
    return settings


def _table(request: Request) -> Table:
    """All layers as one tree."""
    table = base()
    if request.file:
        written = read_table(read_text(request.file), str(request.file))
        _refuse_password(written)
        table = merge(table, written)
    table = with_presets(lay(table, (*variables(request.environ), *request.flags)))
    origin = "--policy" if request.policy else "HOLDFAST_POLICY"
    policy = request.policy or request.environ.get(origin, "")
    return lay(table, [Override(("routes",), json.dumps([{"policy": policy}]), origin)] if policy else [])


def _with_names(table: Table) -> Table:
    """Policies written in place get their key as their name."""
    entry = table.entries.get("policies")
    if not entry or not isinstance(entry.node, Table):
        return table
    named = {}
    for key, policy in entry.node.entries.items():
        if isinstance(policy.node, Table):
            name = Entry(policy.place, Scalar(key, key, policy.place))
            node = Table({"name": name, **policy.node.entries}, policy.node.place)
            policy = Entry(policy.place, node)
        named[key] = policy
    policies = Entry(entry.place, Table(named, entry.node.place))
    return Table({**table.entries, "policies": policies}, table.place)


def _upstream(name: str, entry: UpstreamEntry, parsed: File, paths: Paths) -> "Upstream":
    from proxy import upstream  # here, for the reason that settings.py gives

    return upstream.Upstream(
        name,
        entry.url.rstrip("/"),
        dialect=entry.dialect,
        profile=entry.profile,
        tenant=entry.tenant,
        http2=entry.http2,
        timeouts=upstream.Timeouts(**msgspec.structs.asdict(entry.timeouts or parsed.timeouts)),
        ca_file=paths.of(entry.ca_file, "upstreams", name, "ca_file") or paths.of(parsed.ca_file, "ca_file"),
    )


def _store(parsed: File, paths: Paths) -> Url:
    file = paths.of(parsed.store_file, "store_file")
    return Url(secret_text(Path(file)) if file else paths.store(parsed.store))


def _archive(archive: Archive, paths: Paths) -> Archive:
    return msgspec.structs.replace(archive, mirror=paths.of(archive.mirror, "archive", "mirror"))


def _refuse_password(table: Table) -> None:
    """A configuration file is shown, copied and committed. (No upstream's URL may hold one at all.)"""
    entry = table.entries.get("store")
    if entry and isinstance(entry.node, Scalar) and "@" in entry.node.text.partition("?")[0]:
        help = "set HOLDFAST_STORE or `store_file` in its place"
        raise ConfigErrors([entry.node.place.error("`store` holds a password", help)])
