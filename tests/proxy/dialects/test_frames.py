"""AWS event streams: what botocore reads of a stream is what this reads, for any chunking; no bytes make it fail."""

import base64
import json
import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.frames import Frames

HEADERS = {":message-type": "event", ":event-type": "chunk", ":content-type": "application/json"}


def frame(payload: bytes, headers: dict[str, str] | None = None) -> bytes:
    """One frame, written after the encoding's description."""
    named = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in (HEADERS if headers is None else headers).items()
    )
    prelude = struct.pack("!II", 12 + len(named) + len(payload) + 4, len(named))
    checked = prelude + struct.pack("!I", crc32(prelude)) + named + payload
    return checked + struct.pack("!I", crc32(checked))


def chunk(event: object) -> bytes:
    return frame(json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abc"}).encode())


def read(*chunks: bytes, limit: int = 10_000) -> list[bytes]:
    frames = Frames(limit)
    return [event.data for piece in chunks for event in frames.feed(piece)]


def oracle(stream: bytes) -> list[bytes]:
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return [message.payload for message in buffer]


def damaged(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


PAYLOADS = [b'{"a":1}', b"", b"not json \xff", b'{"usage":{"inputTokens":3}}', b"[1]" * 300]
STREAM = b"".join(map(frame, PAYLOADS)) + frame(b"x", {})


@given(st.data())
def test_any_chunking_gives_the_payloads_that_botocore_reads(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(STREAM)))))
    chunks = [STREAM[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
    assert read(*chunks) == oracle(STREAM) == [*PAYLOADS, b"x"]


def test_an_event_of_invoke_is_taken_out_of_its_base64() -> None:
    stream = chunk({"type": "message_stop"}) + frame(b'{"bytes":"%%"}') + frame(b'{"bytes":7}')
    assert read(stream) == [b'{"type": "message_stop"}', b'{"bytes":"%%"}', b'{"bytes":7}']


def test_a_frame_beyond_the_limit_is_skipped_and_the_next_is_read() -> None:
    stream = frame(b"x" * 500) + frame(b"small")
    assert read(stream, limit=300) == [b"small"]
    assert read(*(stream[at : at + 1] for at in range(len(stream))), limit=300) == [b"small"]


def test_what_is_kept_is_bounded() -> None:
    frames = Frames(limit=1000)
    whole = frame(b"x" * 100_000)
    for at in range(0, len(whole), 64):
        assert list(frames.feed(whole[at : at + 64])) == []
        assert len(frames._buffer) < 1100


@pytest.mark.parametrize("place", [-1, 20])
def test_a_damaged_frame_says_nothing_and_the_next_is_read(place: int) -> None:
    first = frame(b"first payload")
    assert read(damaged(first, place % len(first)) + frame(b"next")) == [b"next"]


@pytest.mark.parametrize("place", range(12))
def test_behind_a_length_that_cannot_be_trusted_nothing_is_read(place: int) -> None:
    stream = frame(b"first") + damaged(frame(b"second"), place) + frame(b"third")
    assert read(stream, frame(b"fourth")) == [b"first"]


def test_a_length_too_short_for_any_frame_is_not_trusted() -> None:
    prelude = struct.pack("!II", 3, 0)
    assert read(prelude + struct.pack("!I", crc32(prelude)), frame(b"next")) == []


@given(st.lists(st.binary()))
def test_feeding_never_raises(chunks: list[bytes]) -> None:
    read(*chunks, limit=30)
