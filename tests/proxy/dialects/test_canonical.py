"""Canonical form: equal to a provider means equal here, and nothing else does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.canonical import as_blocks, canonical, decode, identity, lasting, marked, raw_identity, unmarked

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1,"b":2}', b'{ "b" : 2 , "a" : 1 }'),
        (b"[1,1,100]", b"[1.0,1e0,1E+2]"),
        (b"0.5", b"5e-1"),
        (b'"\\u00e9\\/"', b'"\xc3\xa9/"'),
        (b'"\\ud83d\\ude00"', '"\U0001f600"'.encode()),
    ],
)
def test_spelling_does_not_count(one: bytes, other: bytes) -> None:
    assert identity(decode(one)) == identity(decode(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"12345678901234567890", b"12345678901234567891"),
        (b"1.5", b"1.25"),
        (b"1", b'"1"'),
        (b"1", b"true"),
        (b"[1,2]", b"[2,1]"),
        (b'{"a":null}', b"{}"),
        (b"9007199254740993", b"9007199254740992"),
    ],
)
def test_meaning_does_count(one: bytes, other: bytes) -> None:
    assert identity(decode(one)) != identity(decode(other))


@given(values)
def test_a_value_survives_its_canonical_form(value: object) -> None:
    again = decode(canonical(value))
    assert again == value
    assert canonical(again) == canonical(decode(json.dumps(value, indent=2).encode()))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'[{"x":{"a":1,"a":2}}]',
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b"NaN",
        b"[-Infinity]",
        b"1e400",
        b'"\xff"',
        b"",
        b"{",
        b"9" * 5000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_what_has_more_than_one_meaning_has_no_canonical_form(raw: bytes) -> None:
    with pytest.raises(ValueError):
        decode(raw)


def test_the_identity_of_raw_bytes_is_no_values_identity() -> None:
    assert raw_identity(b"1") != identity(1)
    assert raw_identity(b'{"a":1,"a":1}') != raw_identity(b'{"a":1, "a":1}')


MARK = {"type": "ephemeral"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "x", "cache_control": MARK},
        {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "tool_result", "content": [{"type": "text", "text": "x", "cache_control": MARK}]},
        {"type": "function_call_output", "output": [{"type": "input_text", "prompt_cache_breakpoint": MARK}]},
    ],
)
def test_a_marker_is_seen_and_does_not_count(block: dict[str, object]) -> None:
    assert marked(block)
    assert marked([block])
    assert not marked(unmarked(block))


def test_a_marker_that_is_null_is_none() -> None:
    assert not marked({"type": "text", "cache_control": None})
    assert unmarked({"type": "text", "cache_control": None}) == {"type": "text"}


def test_an_argument_of_the_same_name_is_no_marker() -> None:
    call = {"type": "tool_use", "input": {"cache_control": "no-store"}}
    assert not marked(call)
    assert unmarked(call) == call


def test_a_string_is_a_list_of_one_text() -> None:
    assert as_blocks("x") == [{"type": "text", "text": "x"}]
    assert unmarked({"content": "x"}) == unmarked({"content": [{"type": "text", "text": "x", "cache_control": MARK}]})
    assert as_blocks("x", "input_text") == [{"type": "input_text", "text": "x"}]
    assert as_blocks(None) is None and as_blocks(["x"]) == ["x"]


@pytest.mark.parametrize(
    ("block", "long"),
    [
        ({"type": "text", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, True),
        ({"type": "text", "cache_control": {"type": "ephemeral", "ttl": "5m"}}, False),
        ({"type": "text", "cache_control": {"type": "ephemeral"}}, False),
        ({"type": "text", "cache_control": "1h"}, False),
        ({"type": "input_text", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}, True),
        ({"cachePoint": {"type": "default", "ttl": "1h"}}, True),
        ({"type": "tool_result", "content": [{"type": "text", "cache_control": {"ttl": "1h"}}]}, True),
        ({"type": "tool_use", "input": {"cache_control": {"ttl": "1h"}}}, False),
        ("1h", False),
    ],
)
def test_a_marker_for_the_long_time_to_live_is_known(block: object, long: bool) -> None:
    assert lasting(block) is long
    assert lasting([block]) is long
