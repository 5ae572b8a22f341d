"""Usage: as reported, None where it is not, the same for any chunking."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.core.usage import Usage
from proxy.dialects.usages import Reader, Source, first, merged, reported, total


def _normalise(usage: object) -> Usage:
    return Usage(input=first(usage, "in", "details.in"), output=first(usage, "out"))


SOURCE = Source(places=("usage", "message.usage"), hints=(b'"usage"',), normalise=_normalise)
STREAM = (
    b'event: start\ndata: {"message":{"usage":{"in":5,"out":0}}}\n\ndata: {"delta":"usage"}\n\n'
    b'data: {"usage":{"out":7}}\n\ndata: {"usage":null}\n\ndata: {"usage"\n\ndata: [DONE]\n\n'
)


def read(*chunks: bytes, limit: int = 10_000) -> Usage | None:
    reader = Reader(SOURCE, limit)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.usage()


@given(st.data())
def test_any_chunking_of_a_stream_gives_the_same_usage(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(STREAM)))))
    chunks = [STREAM[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
    assert read(*chunks) == Usage(input=5, output=7)


@pytest.mark.parametrize("body", [b'{"usage":{"in":5}}', b' [{"x":1},\n{"usage":{"in":3}},{"usage":{"in":5}}]'])
@pytest.mark.parametrize("prefix", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_answer_that_is_no_stream_is_read_too(body: bytes, prefix: bytes) -> None:
    whole = prefix + body
    assert read(whole) == read(*(whole[at : at + 1] for at in range(len(whole)))) == Usage(input=5)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"null", b'{"usage":[]}', b'{"usage":null}', b'{"usage":7}', b"\xff", b"[" * 100_000]
)
def test_what_is_odd_is_not_usage(body: bytes) -> None:
    assert reported(SOURCE, body) is None
    assert read(body) is None


def test_an_answer_larger_than_the_limit_reports_nothing() -> None:
    body = json.dumps({"usage": {"in": 5}, "x": "y" * 100}).encode()
    assert read(body[:50], body[50:], b" ", limit=60) is None


def test_before_the_end_what_was_seen_counts() -> None:
    assert read(STREAM[:60]) == Usage(input=5, output=0)
    assert read() is None


@given(st.lists(st.binary()))
def test_feeding_never_raises(chunks: list[bytes]) -> None:
    read(*chunks, limit=10)


@pytest.mark.parametrize("value", [True, -1, 1.5, "7", None, [], {}])
def test_a_count_is_a_whole_number_that_is_not_negative(value: object) -> None:
    assert first({"in": value}, "in") is None
    assert first({"in": value, "also": 3}, "in", "also") == 3


def test_zero_is_reported_and_not_nothing() -> None:
    assert first({"in": 0, "also": 3}, "in", "also") == 0


def test_a_total_needs_its_first_part() -> None:
    assert total(1, None, 2) == 3
    assert total(None, 2) is None


def test_of_two_reports_the_later_holds_where_it_says_anything() -> None:
    assert merged(None, None) is None
    assert merged(Usage(input=1), None) == merged(None, Usage(input=1)) == Usage(input=1)
    old, new = Usage(input=90, cache_read=80, output=1), Usage(input=20, cache_read=0, output=4)
    assert merged(old, new) == new
    assert merged(old, Usage(output=4)) == Usage(input=90, cache_read=80, output=4)


def test_an_input_repeated_as_zero_is_no_report() -> None:
    old, new = Usage(input=90, cache_read=80, output=1), Usage(input=0, cache_read=0, output=4)
    assert merged(old, new) == Usage(input=90, cache_read=80, output=4)
