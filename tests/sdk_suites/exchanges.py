"""What two taps saw, before and behind Holdfast, and whether Holdfast altered any of it.

Rules of this room: requests and answers are compared byte for byte: order, case and repetition of the headers
too. Left out is only what belongs to one connection (RFC 9110, section 7.6.1), `Host`, the name of the
upstream in the path, and what Holdfast adds to an answer. Chunks are joined: their sizes are not content.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

Pair = tuple[bytes, bytes]

OF_ONE_CONNECTION = {b"host", b"connection", b"keep-alive", b"transfer-encoding"}
OURS = b"x-holdfast-"


@dataclass(frozen=True)
class Message:
    """A request or an answer."""

    line: bytes
    headers: tuple[Pair, ...]
    body: bytes = b""
    whole: bool = True
    """False where its connection ended before it."""

    def value(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key.lower() == name), b"")


@dataclass(frozen=True)
class Exchange:
    request: Message
    answer: Message


@dataclass(frozen=True)
class Comparison:
    requests: int
    altered: tuple[str, ...]
    """One line each."""


def exchanges(sent: bytes, received: bytes) -> Iterator[Exchange]:
    """Of one connection; a request without an answer is left out."""
    requests = list(_messages(sent))
    answers = (answer for answer in _messages(received, requests))
    return (Exchange(request, answer) for request, answer in zip(requests, answers, strict=False))


def compare(before: Sequence[Exchange], behind: Sequence[Exchange], prefix: bytes) -> Comparison:
    """`prefix`: of the path, for Holdfast alone. An answer that the client did not wait for is not compared."""
    asked = Counter(_request(exchange.request, prefix) for exchange in before)
    arrived = Counter(_request(exchange.request, b"") for exchange in behind)
    got = Counter(_answer(exchange, prefix) for exchange in before if exchange.answer.whole)
    given = Counter(_answer(exchange, b"") for exchange in behind)
    requests = zip_longest(_left(asked, arrived), _left(arrived, asked), fillvalue="nothing")
    altered = [f"request sent: {sent}; arrived: {reached}" for sent, reached in requests]
    altered += [f"answer received: {answer}" for answer in _left(got, given)]
    return Comparison(len(before), tuple(altered))


def _left(some: Counter[Message], others: Counter[Message]) -> list[str]:
    """Sorted, so that what was altered stands beside what it was."""
    return sorted(
        f"{message.line!r} {message.headers!r} {message.body[:200]!r}" for message in (some - others).elements()
    )


def _answer(exchange: Exchange, prefix: bytes) -> Message:
    """With the line of its request, to tell it from others."""
    answer, line = exchange.answer, _request(exchange.request, prefix).line
    headers = tuple(pair for pair in _end_to_end(answer.headers) if not pair[0].lower().startswith(OURS))
    return Message(line + b" " + answer.line, headers, answer.body)


def _request(request: Message, prefix: bytes) -> Message:
    line = request.line.replace(b" " + prefix + b"/", b" /", 1)
    return replace(request, line=line, headers=_end_to_end(request.headers))


def _end_to_end(headers: Iterable[Pair]) -> tuple[Pair, ...]:
    return tuple(pair for pair in headers if pair[0].lower() not in OF_ONE_CONNECTION)


def _messages(data: bytes, requests: Sequence[Message] = ()) -> Iterator[Message]:
    """One after another on a connection; `requests` where these are the answers to them."""
    awaited = iter(requests)
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        named = (field.partition(b":") for field in fields)
        message = Message(line, tuple((name, value.strip(b" \t")) for name, _, value in named), whole=bool(end))
        if requests and line[9:10] == b"1":
            data = rest
            continue
        bodiless = bool(requests) and _has_no_body(message, next(awaited, None))
        body, data, whole = (b"", rest, True) if bodiless else _body(message, rest, to_the_end=bool(requests))
        yield replace(message, body=body, whole=message.whole and whole)


def _has_no_body(answer: Message, request: Message | None) -> bool:
    return answer.line[9:12] in (b"204", b"304") or (request is not None and request.line.startswith(b"HEAD "))


def _body(message: Message, rest: bytes, *, to_the_end: bool) -> tuple[bytes, bytes, bool]:
    """The body, what follows it, and whether it is whole (RFC 9112, section 6.3)."""
    if b"chunked" in message.value(b"transfer-encoding").lower():
        return _joined(rest)
    stated = message.value(b"content-length")
    if not stated and to_the_end:
        return rest, b"", True
    length = int(stated or b"0")
    return rest[:length], rest[length:], len(rest) >= length


def _joined(rest: bytes) -> tuple[bytes, bytes, bool]:
    parts: list[bytes] = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.partition(b";")[0] or b"0", 16)
        if length == 0:
            return b"".join(parts), rest[2:], rest.startswith(b"\r\n")
        parts.append(rest[:length])
        rest = rest[length + 2 :]
    return b"".join(parts), b"", False
