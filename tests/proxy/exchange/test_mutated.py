"""TRANSPARENT around an edit: JSON at its edges, and JSON that is none, leaves as it came or leaves all as it came."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.driving import EAGER, WIRES, Replica, Wire, masked, run, work

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)

VALID = (
    *(b"-0", b"0e0", b"-0.0E-0", b"1E+2", b"1e400", b"-1e-400", b"9007199254740993", b"9" * 400, b"0." + b"3" * 400),
    *(
        b'""',
        b'"\\u0000"',
        b'"\\u00e9\\/\\b\\f"',
        b'"\\ud83d\\ude00"',
        b'"\xf0\x9f\x98\x80"',
        b'"\xe2\x80\xa8"',
        b'"\x7f"',
    ),
    *(b"[]", b"{}", b"[ ]", b"{\n}", b"[[[[[[]]]]]]", b'{"":{"":""}}', b"[1 ,\t2\r\n, null,true,false]"),
    *(b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'{"role":"user","content":"x"}', b'"messages"', b'{"messages":[1]}'),
)
"""As RFC 8259 allows it."""
LENIENT = (
    *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\uD83Dx"', b'"\xed\xa0\x80"', b'"\xff"', b'"\xc0\xaf"', b'"\xe2\x82"'),
    *(b"NaN", b"-Infinity", b"01", b"+1", b".5", b"5.", b"1e", b"0x10", b"1_000", b"-", b"--1", b"True", b"nul"),
    *(b"[1,]", b"[,1]", b"[1 2]", b'{"a":1,}', b'{"a"}', b"{a:1}", b'{"a":1 "b":2}', b"{1:2}", b"[1}", b'{"a":[1}'),
    *(b"'x'", b'"\t"', b'"\n"', b'"\x00"', b'"\\x41"', b'"\\u12"', b'"\\"', b'"open', b"1 // c", b"/* c */ 1", b""),
    *(b"\xef\xbb\xbf1", b"\xa01", b"\x0b1", b"1\x00", b"]", b"}", b'1, "extra"', b'1} , {"a":1'),
)
"""As some parser takes it, and another refuses it."""
TOKENS = (*VALID, *LENIENT, b'"', b"\\", b",", b":", b"[", b"{", b"\xff", b"\x00", b'","', b'"}]', b'"messages":[')


def body_with(wire: Wire, value: bytes) -> bytes:
    """A conversation with much to mask, and beside it a field that no API has."""
    return wire.body(work(4), zzz="here").replace(b'"here"', value)


@every_wire
@pytest.mark.parametrize("value", VALID, ids=ascii)
def test_what_stands_beside_an_edit_leaves_as_it_came(wire: Wire, value: bytes) -> None:
    replica, body = Replica(EAGER), body_with(wire, value)
    prepared = run(replica.send(wire, body))
    assert masked(wire, prepared.body) > 0
    assert prepared.body.endswith(body[body.index(b'"zzz"') :])
    assert replica.witness.degradations == []


@every_wire
@pytest.mark.parametrize("value", LENIENT, ids=ascii)
def test_what_is_no_json_leaves_as_it_came_whether_something_is_edited_or_not(wire: Wire, value: bytes) -> None:
    replica, body = Replica(EAGER), body_with(wire, value)
    prepared = run(replica.send(wire, body))
    assert prepared.body.endswith(body[body.index(b'"zzz"') :])
    assert prepared.body is body or not prepared.passthrough
    assert replica.witness.degradations == []


@every_wire
@given(data=st.data())
def test_no_damage_to_a_body_is_made_worse(wire: Wire, data: st.DataObject) -> None:
    body = wire.body(work(3))
    for _ in range(data.draw(st.integers(1, 3))):
        at, gone = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 9))
        body = body[:at] + data.draw(st.sampled_from(TOKENS)) + body[at + gone :]
    replica = Replica(EAGER)
    prepared = run(replica.send(wire, body))
    assert replica.witness.degradations == []
    if _is_json(body):
        assert _is_json(prepared.body)
    elif prepared.passthrough:
        assert prepared.body is body


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
