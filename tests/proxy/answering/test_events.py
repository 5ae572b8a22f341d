"""The pieces of a stream together are the stream, and each event comes with the bytes that complete it."""

import pytest

from proxy.answering.events import Pieces, event

STREAM = (
    b'\xef\xbb\xbfevent: a\ndata: {"x":1}\n\n: ping\r\n\r\n'
    b"data: one\r\ndata: two\r\n\r\ndata: mac\r\rdata: last\n\ndata: cu"
)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 1000])
def test_in_any_chunking_the_pieces_are_the_stream(size: int) -> None:
    pieces = Pieces()
    found = [one for at in range(0, len(STREAM), size) for one in pieces.feed(STREAM[at : at + size])]
    assert b"".join(raw for raw, _ in found) + pieces.rest() == STREAM
    events = [one for _, one in found if one]
    assert [(one.name, one.data) for one in events] == [
        ("a", b'{"x":1}'),
        ("", b"one\ntwo"),
        ("", b"mac"),
        ("", b"last"),
    ]


def test_an_event_is_given_with_its_last_byte() -> None:
    pieces = Pieces()
    assert pieces.feed(b"data: a\n") == []
    assert [raw for raw, _ in pieces.feed(b"\ndata: b")] == [b"data: a\n\n"]


def test_an_event_that_is_too_long_passes_unread() -> None:
    pieces = Pieces(limit=10)
    found = pieces.feed(b"data: 0123456789")
    assert [raw for raw, _ in found] == [b"data: 0123456789"] and found[0][1] is None
    assert [raw for raw, _ in pieces.feed(b"789\n\ndata: b\n\n")] == [b"789\n\n", b"data: b\n\n"]


def test_an_event_of_our_own_can_be_read_back() -> None:
    [(_, named)] = Pieces().feed(event(b"{}", "message_stop"))
    [(_, bare)] = Pieces().feed(event(b"{}"))
    assert named and (named.name, named.data) == ("message_stop", b"{}")
    assert bare and (bare.name, bare.data) == ("", b"{}")
