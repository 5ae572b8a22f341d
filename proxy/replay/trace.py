"""Reading what was recorded: traces (one session a line) and recordings (one exchange a line).

Rules of this room: JSON Lines, plain or gzip; a bad line is an error that names file and line.
A recording holds, for each exchange: `t` (seconds since the epoch), `upstream`, `dialect`, `path`,
`request` (the body as received: as a string, or as JSON itself), `usage` (as normalised; null where
nothing was reported) and, optionally, `session` and `status`; an exchange that failed is no model
call. It must not know what becomes of a session.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal, cast

import msgspec
from msgspec import Raw, Struct

from policies.core.conversation import Role
from policies.core.usage import Usage
from proxy.dialects import Dialect
from proxy.dialects.registry import DIALECTS, by_name
from proxy.dialects.slices import split
from proxy.errors import ConfigError, DialectError

GZIP = b"\x1f\x8b"

Object = dict[str, Any]
"""A decoded message; its shape is the format's."""


class Trace(Struct, frozen=True):
    """One session: every assistant message but one at the very front is a model call."""

    id: str
    messages: list[Object]
    model: str = ""
    format: Literal["openai-chat", "anthropic", "text"] = "openai-chat"
    """"text" is chat without native tool calls."""
    tools: list[Object] | None = None
    meta: Object = {}

    @property
    def times(self) -> list[float | None]:
        """When each assistant message was made, as far as `meta.call_usage` says."""
        calls = self.meta.get("call_usage")
        stamps = {call.get("msg"): call.get("ts") for call in calls or () if isinstance(call, dict)}
        return [
            _seconds(stamps.get(index))
            for index, message in enumerate(self.messages)
            if message.get("role") == "assistant"
        ]


class Exchange(Struct, frozen=True):
    """One line of a recording."""

    t: float
    dialect: str
    path: str
    request: Raw
    upstream: str = ""
    usage: Usage | None = None
    session: str = ""
    status: int = 200

    @property
    def body(self) -> bytes:
        raw = bytes(self.request)
        return msgspec.json.decode(raw, type=str).encode() if raw.startswith(b'"') else raw


class Recording(Struct, frozen=True):
    """The exchanges of one session, in order."""

    id: str
    model: str
    exchanges: tuple[Exchange, ...]


_fields = msgspec.json.Decoder(dict[str, Raw])
_trace = msgspec.json.Decoder(Trace)
_exchange = msgspec.json.Decoder(Exchange)


def read(path: Path) -> Iterator[Trace | Recording]:
    """The sessions of a file. ConfigError names the line that cannot be read."""
    exchanges: list[Exchange] = []
    with _opened(path) as file:
        for number, line in _lines(file, path):
            one = _decoded(line, path, number)
            if isinstance(one, Trace):
                yield one
            elif one.status < 400:
                exchanges.append(one)
    yield from _sessions(exchanges)


def _opened(path: Path) -> IO[bytes]:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        opened: IO[bytes] = cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")
        return opened
    except OSError as error:
        raise ConfigError(f"cannot be read: {(error.strerror or 'unknown reason').lower()}", file=str(path)) from None


def _lines(file: IO[bytes], path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line
    except (EOFError, OSError, zlib.error):
        raise ConfigError("the compressed data is damaged or cut off", file=str(path), line=number + 1) from None


def _decoded(line: bytes, path: Path, number: int) -> Trace | Exchange:
    try:
        if "request" not in _fields.decode(line):
            return _trace.decode(line)
        one = _exchange.decode(line)
        if one.dialect not in {dialect.name for dialect in DIALECTS}:
            raise ConfigError(f"unknown dialect `{one.dialect}`", file=str(path), line=number)
        split(one.body, by_name(one.dialect).list_key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = str(error) or "too deep"
        where = f"{text[:1].lower()}{text[1:]}"
        raise ConfigError(f"not a trace or recording: {where}", file=str(path), line=number) from None
    except DialectError as error:
        raise ConfigError(f"the request cannot be viewed: {error}", file=str(path), line=number) from None
    return one


def _seconds(stamp: Any) -> float | None:
    """Since the epoch: a number of seconds, or a time as ISO 8601 writes it (UTC where it names no zone)."""
    if isinstance(stamp, int | float):
        return float(stamp)
    try:
        moment = datetime.fromisoformat(stamp)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _sessions(exchanges: Sequence[Exchange]) -> Iterator[Recording]:
    """Exchanges that name one session, or begin with the same message, are one."""
    groups: dict[tuple[str, str, str, str], list[Exchange]] = {}
    for one in exchanges:
        model, opening = _identity(by_name(one.dialect), one)
        key = (one.upstream, one.dialect, model, one.session or opening)
        groups.setdefault(key, []).append(one)
    for number, (key, group) in enumerate(groups.items(), start=1):
        yield Recording(key[3][:40] or str(number), key[2], tuple(sorted(group, key=lambda one: one.t)))


def _identity(dialect: Dialect, exchange: Exchange) -> tuple[str, str]:
    """The model asked for, and a short name for the first message that is no system message."""
    cut = split(exchange.body, dialect.list_key)
    messages = (dialect.message(bytes(element), len) for element in cut.elements)
    first = next((message for message in messages if message.role is not Role.SYSTEM), None)
    opening = hashlib.sha256(b"".join(block.hash for block in first.blocks)).hexdigest()[:12] if first else ""
    return dialect.head(cut.rest, exchange.path, len).model, opening
