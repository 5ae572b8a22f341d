"""A head is cut out and put back byte for byte, wherever its parts stand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.head_bytes import HeadFields, cut_head, leads_of, part_values, value_at, with_values
from proxy.dialects.slices import split
from proxy.errors import DialectError

FIELDS = HeadFields(tools=("tools", "box.tools"), system=("system",))
BODY = (
    b'{ "tools" : [ {"name": "a"} ],"messages":[ {"role":"system","content":"x"} , {"role":"user"}],'
    b'"box": {"tools":[1], "choice":2}, "system":"s" }'
)


def test_a_part_is_a_request_that_has_nothing_else() -> None:
    cut = split(BODY, "messages")
    parts = cut_head(FIELDS, "messages", cut, 1)
    assert parts == {
        "tools": b'{"tools":[ {"name": "a"} ],"box":{"tools":[1]}}',
        "system": b'{"system":"s","messages":[{"role":"system","content":"x"}]}',
    }
    assert leads_of("messages", parts["system"]) == [b'{"role":"system","content":"x"}']
    assert part_values(FIELDS.tools, parts["tools"]) == {("tools",): b'[ {"name": "a"} ]', ("box", "tools"): b"[1]"}


def test_a_request_without_a_head_has_empty_parts() -> None:
    cut = split(b'{"messages":[{"role":"user"}]}', "messages")
    parts = cut_head(FIELDS, "messages", cut, 0)
    assert parts == {"tools": b"{}", "system": b"{}"}
    assert part_values(FIELDS.tools, parts["tools"]) == {} and leads_of("messages", parts["system"]) == []


def test_values_are_put_in_place_in_front_of_the_list_and_behind_it() -> None:
    cut = split(BODY, "messages")
    put = with_values(BODY, cut, {("tools",): b"[]", ("box", "tools"): b"[2]"}, [b'{"role":"system","content":"y"}'])
    assert put == BODY.replace(b'[ {"name": "a"} ]', b"[]").replace(b"[1]", b"[2]").replace(b'"x"', b'"y"')


def test_what_is_not_there_is_added_behind_the_last_member_in_order() -> None:
    body = b'{"messages":[{"role":"user"}]}'
    put = with_values(body, split(body, "messages"), {("box", "tools"): b"[1]", ("choice",): b'"none"'})
    assert put == b'{"messages":[{"role":"user"}],"box":{"tools":[1]},"choice":"none"}'
    inside = b'{"messages":[],"box":{}}'
    assert with_values(inside, split(inside, "messages"), {("box", "tools"): b"[1]"}) == (
        b'{"messages":[],"box":{"tools":[1]}}'
    )


def test_a_value_below_what_is_no_object_has_no_place() -> None:
    body = b'{"messages":[],"box":1}'
    assert value_at(body, ("box", "tools")) is None and value_at(body, ("messages", "x")) is None
    with pytest.raises(DialectError):
        with_values(body, split(body, "messages"), {("box", "tools"): b"[]"})
    with pytest.raises(DialectError, match="duplicate_keys"):
        value_at(b'{"a":1,"a":2}', ("a",))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, VALUES, st.booleans())
def test_cutting_and_putting_back_gives_the_same_bytes(tools: object, system: object, first: bool) -> None:
    head = {"tools": tools, "system": system}
    listed = {"messages": [{"role": "system"}, {"role": "user"}]}
    body = json.dumps({**listed, **head} if first else {**head, **listed}).encode()
    cut = split(body, "messages")
    parts = cut_head(FIELDS, "messages", cut, 1)
    values = part_values(FIELDS.tools, parts["tools"]) | part_values(FIELDS.system, parts["system"])
    assert with_values(body, cut, values, leads_of("messages", parts["system"])) == body
    other = json.dumps({**listed, "tools": 1, "system": 2}).encode()
    put = with_values(other, split(other, "messages"), values, leads_of("messages", parts["system"]))
    assert cut_head(FIELDS, "messages", split(put, "messages"), 1) == parts
