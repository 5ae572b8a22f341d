"""Usage is read from a copy, within a bound, and never at the stream's expense."""

import gzip
import logging

import pytest

from policies.core.usage import Usage
from proxy.headers import Pair
from proxy.tap import Tap, open_tap
from tests.proxy.running import BrokenReader, Reader, dialects

JSON: tuple[Pair, ...] = ((b"Content-Type", b"application/json; charset=utf-8"),)
SSE: tuple[Pair, ...] = ((b"content-type", b"text/event-stream"),)
FRAMES: tuple[Pair, ...] = ((b"content-type", b"application/vnd.amazon.eventstream"),)
LINES: tuple[Pair, ...] = ((b"content-type", b"application/x-ndjson"),)
ANSWER = b'{"usage":{"input_tokens":5}}'


def tap(headers: tuple[Pair, ...], status: int = 200, limit: int = 1000, reader: type[Reader] = Reader) -> Tap:
    return open_tap(dialects(reader)[0], status, headers, limit)


@pytest.mark.parametrize("headers", [JSON, SSE, FRAMES, LINES])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_usage_is_read_for_any_chunking(headers: tuple[Pair, ...], step: int) -> None:
    reading = tap(headers)
    for at in range(0, len(ANSWER), step):
        reading.feed(ANSWER[at : at + step])
    assert reading.usage() == Usage(input=5)


def test_an_encoded_answer_is_decoded_on_the_side() -> None:
    reading = tap((*JSON, (b"content-encoding", b"gzip")))
    reading.feed(gzip.compress(ANSWER))
    assert reading.usage() == Usage(input=5)


@pytest.mark.parametrize("status", [302, 400, 529])
def test_a_failed_answer_reports_nothing(status: int) -> None:
    reading = tap(JSON, status)
    reading.feed(ANSWER)
    assert reading.usage() is None


def test_other_kinds_of_answers_report_nothing() -> None:
    assert tap(((b"content-type", b"text/html"),)).usage() is None
    assert tap(()).usage() is None


@pytest.mark.parametrize(
    ("headers", "chunk", "reason"),
    [
        ((*JSON, (b"content-encoding", b"gzip")), b"not gzip", "undecodable_body"),
        ((*JSON, (b"content-encoding", b"gzip")), gzip.compress(b"0" * 100_000), "decoded_too_large"),
        ((*JSON, (b"content-encoding", b"lzma")), ANSWER, "unknown_encoding"),
        (JSON, b"x" * 1001, "answer_too_large"),
    ],
)
def test_what_cannot_be_read_is_said_and_is_unknown(
    headers: tuple[Pair, ...], chunk: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "holdfast.usage"):
        reading = tap(headers)
        reading.feed(chunk)
        reading.feed(chunk)
    assert reading.usage() is None
    assert [record.getMessage() for record in caplog.records] == [f"usage cannot be read: {reason}"]


def test_a_faulty_reader_is_said_once_and_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    reading = tap(SSE, reader=BrokenReader)
    reading.feed(b"data: 1\n\n")
    reading.feed(b"data: 2\n\n")
    assert len(caplog.records) == 1 and "a fault in a reader" not in caplog.text


class LateFault(Reader):
    def usage(self) -> Usage | None:
        raise RecursionError


def test_a_fault_at_the_end_loses_only_the_numbers(caplog: pytest.LogCaptureFixture) -> None:
    reading = tap(SSE, reader=LateFault)
    reading.feed(b"data: 1\n\n")
    assert reading.usage() is None and "RecursionError" in caplog.text
