"""Decoding gives the same bytes for any chunking, and never more than its bound."""

import gzip
import tracemalloc
import zlib

import brotlicffi  # type: ignore[import-untyped]
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.encodings import PIECE, Bounded, decode, decoder
from proxy.errors import DialectError

MIB = 1024 * 1024
CODINGS = {b"gzip": gzip.compress, b"deflate": zlib.compress, b"br": brotlicffi.compress, b"zstd": zstd.compress}


@pytest.mark.parametrize("coding", CODINGS)
@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=2000), st.integers(1, 500), st.integers(1, 400))
def test_any_chunking_gives_the_same_bytes(coding: bytes, text: bytes, repeat: int, step: int) -> None:
    body = text * repeat
    wire = CODINGS[coding](body)
    bounded = Bounded(coding, len(body))
    pieces = [piece for at in range(0, len(wire), step) for piece in bounded.feed(wire[at : at + step])]
    assert b"".join(pieces) == body and bounded.complete
    assert decode(wire, coding, len(body)) == body


@pytest.mark.parametrize("coding", CODINGS)
def test_output_that_is_held_back_by_the_piece_size_is_not_lost(coding: bytes) -> None:
    wire = CODINGS[coding](b"\0" * 4 * MIB)
    for step in range(50, 90):
        inner = decoder(coding)
        pieces = [piece for at in range(0, len(wire), step) for piece in inner.feed(wire[at : at + step])]
        assert sum(map(len, pieces)) == 4 * MIB


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_stopped_at_the_bound_and_not_after_it(coding: bytes) -> None:
    bomb = CODINGS[coding](b"\0" * (512 * MIB if coding == b"zstd" else 64 * MIB))
    tracemalloc.start()
    with pytest.raises(DialectError) as caught:
        decode(bomb, coding, MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason == "decoded_too_large"
    assert peak < 4 * MIB


@pytest.mark.parametrize("coding", CODINGS)
def test_no_piece_is_much_larger_than_the_piece_size(coding: bytes) -> None:
    wire = CODINGS[coding](b"abcdefgh" * MIB)
    assert max(len(piece) for piece in decoder(coding).feed(wire)) <= 2 * PIECE


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("damage", ["cut", "prefix", "nothing like it"])
def test_damage_is_a_reason_and_not_a_crash(coding: bytes, damage: str) -> None:
    wire = CODINGS[coding](bytes(range(256)) * 100)
    broken = {"cut": wire[:-5], "prefix": b"\xff" * 8 + wire, "nothing like it": b"{}\0\1\2\3\4\5\6\7"}[damage]
    with pytest.raises(DialectError) as caught:
        decode(broken, coding, MIB)
    assert caught.value.reason == "undecodable_body"


@pytest.mark.parametrize("coding", [b"gzip", b"zstd"])
def test_several_members_in_a_row_are_one_body(coding: bytes) -> None:
    assert decode(CODINGS[coding](b"one ") + CODINGS[coding](b"two"), coding, MIB) == b"one two"


@pytest.mark.parametrize("coding", [b"compress", b"gzip, br", b"gzip, gzip", b"\xff"])
def test_other_codings_and_layers_are_not_known(coding: bytes) -> None:
    with pytest.raises(DialectError) as caught:
        decode(b"", coding, MIB)
    assert caught.value.reason == "unknown_encoding"


def test_identity_is_itself_within_the_bound() -> None:
    assert decode(b"abc", b" Identity ", 3) == b"abc"
    with pytest.raises(DialectError):
        decode(b"abcd", b"", 3)
