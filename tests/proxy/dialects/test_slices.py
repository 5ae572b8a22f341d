"""Exact slicing: nothing is encoded again, and every position is proved."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.slices import (
    array_slices,
    find_value,
    object_slices,
    replace_value,
    splice,
    split,
)
from proxy.errors import DialectError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
spaces = st.text(" \t\r\n", max_size=3)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A body with free white space between all of its tokens, and the elements of its list."""

    def space() -> str:
        return draw(spaces)

    elements = [
        json.dumps(value, ensure_ascii=draw(st.booleans())) for value in draw(st.lists(json_values, max_size=6))
    ]
    uniform = draw(st.sampled_from([",", ", ", ",\n  ", None]))
    joined = elements[0] if elements else ""
    for element in elements[1:]:
        joined += (uniform if uniform is not None else f"{space()},{space()}") + element
    others = {key: value for key, value in draw(st.dictionaries(st.text(), json_values)).items() if key != "messages"}
    members = [f"{json.dumps(key)}{space()}:{space()}{json.dumps(value)}" for key, value in others.items()]
    members.insert(draw(st.integers(0, len(members))), f'"messages"{space()}:{space()}[{space()}{joined}{space()}]')
    text = space() + "{" + space() + f"{space()},{space()}".join(members) + space() + "}" + space()
    return text.encode(errors="surrogatepass"), [element.encode() for element in elements]


@given(bodies())
def test_every_body_is_split_into_its_own_bytes(drawn: tuple[bytes, list[bytes]]) -> None:
    body, elements = drawn
    cut = split(body, "messages")
    assert [bytes(element) for element in cut.elements] == elements
    assert [body[start : start + len(one)] for start, one in zip(cut.starts, elements, strict=True)] == elements
    assert body[cut.begin - 1 : cut.begin] == b"[" and body[cut.end : cut.end + 1] == b"]"
    assert cut.rest == body[: cut.begin] + body[cut.end :]


@given(bodies())
def test_without_edits_the_very_same_object_comes_back(drawn: tuple[bytes, list[bytes]]) -> None:
    body, elements = drawn
    cut = split(body, "messages")
    assert splice(body, cut, {}) is body
    assert splice(body, cut, dict(enumerate(elements))) == body


@given(bodies(), st.data())
def test_a_splice_changes_the_targeted_elements_and_nothing_else(
    drawn: tuple[bytes, list[bytes]], data: st.DataObject
) -> None:
    body, elements = drawn
    if not elements:
        return
    chosen = data.draw(st.sets(st.integers(0, len(elements) - 1), min_size=1))
    cut = split(body, "messages")
    changed = splice(body, cut, {index: b'{"new":%d}' % index for index in chosen})
    again = split(changed, "messages")
    expected = [b'{"new":%d}' % at if at in chosen else element for at, element in enumerate(elements)]
    assert [bytes(element) for element in again.elements] == expected
    assert again.rest == cut.rest


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_splitting_is_total(body: bytes) -> None:
    for operation in (lambda raw: split(raw, "messages"), object_slices, array_slices):
        try:
            operation(body)
        except DialectError as error:
            assert error.reason


DEEP = b'{"messages":' + b"[" * 5000 + b"]" * 5000 + b"}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b'{"messages":[1 2]}', "malformed_json"),
        (b'{"messages":[NaN]}', "malformed_json"),
        (b'\xef\xbb\xbf{"messages":[]}', "malformed_json"),
        (b'{"messages":[]} x', "malformed_json"),
        (b'{"\xff":1,"messages":[]}', "malformed_json"),
        (b'{"messages":"a string","x":}', "malformed_json"),
        (b"[]", "not_an_object"),
        (b"1", "not_an_object"),
        (b"{}", "no_messages"),
        (b'{"messages":null}', "not_a_list"),
        (b'{"messages":"text"}', "not_a_list"),
        (b'{"messages":{}}', "not_a_list"),
        (DEEP, "too_deep"),
        (b'{"a":1,"a":2,"messages":[]}', "duplicate_keys"),
        (b'{"messages":[],"a":1,"a":1}', "duplicate_keys"),
        (b'{"a":1,"\\u0061":1,"messages":[]}', "duplicate_keys"),
        (b'{"a":1,"b":2,"a":1,"messages":[]}', "duplicate_keys"),
        (b'{"messages":[1],"messages":[1]}', "duplicate_keys"),
        (b'{"messages":[1],"messages":[2]}', "duplicate_keys"),
        (b'{"messages":[1],"mess\\u0061ges":[1]}', "duplicate_keys"),
        (b'{"messages":[{"x":1}],"messages":[]}', "duplicate_keys"),
    ],
)
def test_what_cannot_be_split_says_why_in_one_word(body: bytes, reason: str) -> None:
    with pytest.raises(DialectError) as caught:
        split(body, "messages")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "body",
    [
        b'{"mess\\u0061ges":[1,2]}',
        b'{"x":"a \\"messages","mess\\u0061ges":[1,2]}',
        b'{"x":{"messages":[1,2]},"messages":[1,2]}',
        b'{"x":{"messages":[1,2]},"mess\\u0061ges":[1,2]}',
        b'{"x":[{"messages":[7]},{"messages":[1,2]}],"messages":[1,2],"y":{"messages":[]}}',
        b'{"x":{"messages":[3]},"messages":[1,2]}',
        b'{"x":{"messages":[1,2,3]},"messages":[1,2]}',
        b'{"tools":{"properties":{"messages":{"type":"array"}}},"messages":[1,2]}',
        b'{"x":[' + b",".join([b'{"messages":[1,2]}'] * 20) + b'],"messages":[1,2]}',
        b'{"messages":[1 , 2]}',
    ],
)
def test_only_the_top_level_key_counts_however_it_is_spelled(body: bytes) -> None:
    cut = split(body, "messages")
    assert [bytes(element) for element in cut.elements] == [b"1", b"2"]
    assert json.loads(splice(body, cut, {0: b"9"}))["messages"] == [9, 2]
    assert json.loads(cut.rest)["messages"] == []


@pytest.mark.parametrize(
    "elements",
    [
        b"1, 2,3",
        b"1,2, 3",
        b"1,2 ,3",
        b"1, 2,3 , 4",  # the same length as with one separator throughout
        b'1, 2,   "x]"',  # with one separator throughout the list would end inside the string
        b'1, 2,  3,4,"]"',
    ],
)
def test_mixed_separators_are_walked(elements: bytes) -> None:
    body = b'{"messages":[%b]}' % elements
    cut = split(body, "messages")
    assert [bytes(element) for element in cut.elements] == [
        json.dumps(one).encode() for one in json.loads(b"[%b]" % elements)
    ]
    assert cut.rest == b'{"messages":[]}'
    assert splice(body, cut, {1: b"X", 2: b"Y"}) == body.replace(b"2", b"X").replace(bytes(cut.elements[2]), b"Y")


def test_a_list_that_only_looks_alike_further_on_is_not_taken_for_the_end() -> None:
    body = b'{"messages":[{"a":1}    ,  {"a":1}],"z":[{"a":1}]}'
    cut = split(body, "messages")
    assert json.loads(cut.rest) == {"messages": [], "z": [{"a": 1}]}


@pytest.mark.parametrize("key", ["messages", "input", "contents"])
def test_each_dialects_list_can_be_split(key: str) -> None:
    assert len(split(b'{"%b":[{}]}' % key.encode(), key).elements) == 1


def test_what_no_parser_agrees_on_survives_in_untouched_parts() -> None:
    odd = b'{"n":12345678901234567890123,"f":1.0,"e":1E+2,"s":"\\/\\u0041","k":1,"k":2,"u":"\\u00e9"}'
    body = b'{"messages":[' + odd + b',{"a":1}],"seed":1e0}'
    changed = splice(body, split(body, "messages"), {1: b"{}"})
    assert changed == b'{"messages":[' + odd + b',{}],"seed":1e0}'


@given(json_values.filter(lambda value: isinstance(value, dict)), st.sampled_from([None, 1, "\t"]))
def test_object_slices_point_at_the_values(value: dict[str, object], indent: int | str | None) -> None:
    raw = json.dumps(value, indent=indent).encode()
    slices = object_slices(raw)
    assert {key: json.loads(raw[start:end]) for key, start, end in slices} == value


@given(st.lists(json_values), st.sampled_from([None, 1, "\t"]))
def test_array_slices_point_at_the_elements(value: list[object], indent: int | str | None) -> None:
    raw = json.dumps(value, indent=indent).encode()
    assert [json.loads(raw[start:end]) for start, end in array_slices(raw)] == value


@pytest.mark.parametrize("operation", [object_slices, array_slices])
def test_slices_of_another_kind_are_refused(operation: Callable[[bytes], object]) -> None:
    with pytest.raises(DialectError, match="not_a"):
        operation(b'"text"')


def test_a_nested_value_is_replaced_and_every_other_byte_kept() -> None:
    raw = b'{ "a" : [ 1.0 , { "b" : "x" , "c":1e2 } ] }'
    assert raw[slice(*find_value(raw, ("a", 1, "b")))] == b'"x"'
    assert replace_value(raw, ("a", 1, "b"), b"null") == raw.replace(b'"x"', b"null")
    assert replace_value(raw, (), b"1") == b"1"


@pytest.mark.parametrize("path", [("b",), ("a", 2), ("a", 0, "x")])
def test_a_path_that_leads_nowhere_is_an_error(path: tuple[str | int, ...]) -> None:
    with pytest.raises(DialectError):
        find_value(b'{"a":[1,2]}', path)


def test_a_lone_surrogate_in_one_element_leaves_every_element_where_it_is() -> None:
    elements = [rb'{"text":"cut \ud83d"}', rb'{"text":"whole \ud83d\ude00 and \\ud83d"}', rb'{"n":[1, 2]}']
    body = b'{"model":"m", "messages":[' + b", ".join(elements) + b'],"tools":[1]}'
    cut = split(body, "messages")
    assert [bytes(element) for element in cut.elements] == elements
    assert cut.rest == b'{"model":"m", "messages":[],"tools":[1]}'
    assert splice(body, cut, {2: b"{}"}) == body.replace(elements[2], b"{}")
    assert splice(body, cut, {}) is body


@pytest.mark.parametrize("body", [rb'{"messages":[{"a":"\ud83d"}', rb'{"messages":["\ud83d"]} x', rb'["\ud83d"]'])
def test_a_lone_surrogate_excuses_nothing_else(body: bytes) -> None:
    with pytest.raises(DialectError):
        split(body, "messages")
