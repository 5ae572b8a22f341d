"""Server-sent events: the same events whatever the chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.sse import Event, Parser


def events(*chunks: bytes, limit: int = 1000) -> list[Event]:
    parser = Parser(limit)
    return [event for chunk in chunks for event in parser.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [Event("", b"a")]),
        (b"data:a\n\n", [Event("", b"a")]),
        (b"data:  a\n\n", [Event("", b" a")]),
        (b"event: x\ndata: a\n\n", [Event("x", b"a")]),
        (b"data: a\ndata: b\n\n", [Event("", b"a\nb")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [Event("", b"a"), Event("", b"b"), Event("", b"c")]),
        (b": comment\ndata: a\nid: 1\nretry: 5\n\n", [Event("", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event("", b"a")]),
        (b"event: x\n\ndata: a\n\n", [Event("", b"a")]),
        (b"data\n\n", [Event("", b"")]),
        (b"data: a\xe2\x80\xa8b\x0bc\x85\n\n", [Event("", b"a\xe2\x80\xa8b\x0bc\x85")]),
        (b"event: \xff\ndata: a\n\n", [Event("\ufffd", b"a")]),
        (b"data: unfinished", []),
        (b"\n\n\n", []),
    ],
)
def test_the_stream_is_read_as_the_standard_says(stream: bytes, expected: list[Event]) -> None:
    assert events(stream) == expected
    assert events(*(stream[at : at + 1] for at in range(len(stream)))) == expected


def test_an_empty_chunk_between_cr_and_lf_changes_nothing() -> None:
    assert events(b"data: a\r", b"", b"\n", b"", b"\r", b"", b"\n") == events(b"data: a\r\n\r\n")


lines = st.sampled_from([b"data: a", b"data: {}", b"event: x", b": c", b"", b"data:", b"\xef\xbb\xbf", b"junk"])
ends = st.sampled_from([b"\n", b"\r", b"\r\n"])


@given(st.lists(st.tuples(lines, ends)), st.data())
def test_any_chunking_gives_the_same_events(drawn: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    stream = b"".join(line + end for line, end in drawn)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    chunks = [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert events(*chunks) == events(stream)


@given(st.lists(st.binary()))
def test_feeding_never_raises(chunks: list[bytes]) -> None:
    events(*chunks, limit=20)


@pytest.mark.parametrize("size", [1, 7, 500])
def test_an_event_that_is_too_large_is_skipped_and_the_next_one_read(size: int) -> None:
    stream = b"event: big\ndata: " + b"x" * 300 + b"\ndata: y\n\nevent: small\ndata: z\n\n"
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert events(*chunks, limit=100) == [Event("small", b"z")]


def test_memory_is_bounded() -> None:
    parser = Parser(limit=100)
    for _ in range(1000):
        assert list(parser.feed(b"x" * 50)) == []
    assert sum(map(len, parser._tail)) <= 150
