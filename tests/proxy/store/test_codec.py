"""Records to bytes and back."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.core.conversation import BlockHash
from policies.core.edits import Anchor, Edit
from policies.core.lineage import Record
from policies.core.outcome import Outcome
from proxy.errors import StoreError
from proxy.store.codec import compress, decode, decompress, encode, pack
from tests.proxy.store.records import record

CANARY = "sk-canary-77b1"


@given(text=st.text(), turn=st.integers(0, 2**40), at=st.floats(allow_nan=False))
def test_a_record_comes_back_equal(text: str, turn: int, at: float) -> None:
    kept = record(turn, text=text, at=at)
    assert decode(encode(kept), Record) == kept


def test_what_was_not_reported_stays_so() -> None:
    assert decode(encode(Outcome(200, cache_read=0)), Outcome) == Outcome(200, input=None, cache_read=0)


def test_a_field_from_a_later_version_is_ignored() -> None:
    packed = {**msgspec.msgpack.decode(pack(Outcome(200))), "later": 1}
    assert decode(compress(msgspec.msgpack.encode(packed)), Outcome) == Outcome(200)


def test_a_record_of_an_earlier_version_is_read_as_it_was_meant() -> None:
    now = replace(record(), edits=(Edit("mask", Anchor(BlockHash(b"block"), 2), "placeholder", 90, "hf-id"),))
    old = msgspec.msgpack.decode(pack(now))
    for name in ("way", "needs"):
        del old["edits"][0][name]
    assert decode(compress(msgspec.msgpack.encode(old)), Record) == now


@pytest.mark.parametrize("packed", [{"status": CANARY}, [CANARY], {}, CANARY])
def test_what_does_not_fit_is_refused_without_being_quoted(packed: object) -> None:
    with pytest.raises(StoreError, match="a stored outcome does not fit") as caught:
        decode(compress(msgspec.msgpack.encode(packed)), Outcome)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__


def test_what_cannot_be_packed_is_refused_without_being_quoted() -> None:
    with pytest.raises(StoreError, match="a record cannot be encoded") as caught:
        encode(record(text="x", at=1.0, turn=2**70))
    assert caught.value.__suppress_context__


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_flipped_bit_is_never_read_as_something_else(content: bytes, data: st.DataObject) -> None:
    body = bytearray(compress(content))
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert decompress(bytes(body)) == content
    except StoreError as error:
        assert str(error) == "a stored entry is damaged and cannot be read"


def test_a_cut_off_entry_is_damaged() -> None:
    with pytest.raises(StoreError):
        decompress(compress(b"content")[:-1])
