"""Parts: what a message is made of, for any JSON at all."""

from typing import Any

import pytest

from policies.core.conversation import Kind, Role
from proxy.dialects.parts import (
    Object,
    Part,
    call,
    compact,
    contents,
    ending_marked,
    flatten,
    last_part,
    leftovers,
    media,
    observation,
    observed,
    opaque,
    reasoning,
    string,
    text,
)
from proxy.dialects.slices import Path

MARK = {"type": "ephemeral"}


def read(item: Object, path: Path) -> Part:
    return text(item, path, markable=True)


def test_a_string_is_the_first_that_is_not_empty() -> None:
    assert string({"a": 1, "b": "", "c": "x"}, "a", "b", "c") == "x"
    assert string({}, "a") == ""


def test_content_is_a_string_or_a_list_of_parts() -> None:
    assert contents(None, ("c",), "text", read) == []
    (whole,) = contents("x", ("c",), "text", read)
    assert (whole.kind, whole.text, whole.path, whole.mark) == (Kind.TEXT, "x", ("c",), ("c",))
    one, other = contents([{"type": "text", "text": "x"}, 7], ("c",), "text", read)
    assert one.path == ("c", 0) and one.identity == whole.identity
    assert (other.kind, other.path) == (Kind.OPAQUE, ("c", 1))
    assert [part.kind for part in contents({"odd": 1}, ("c",), "text", read)] == [Kind.OPAQUE]


@pytest.mark.parametrize("words", ["", " \n"])
def test_blank_text_takes_no_marker(words: str) -> None:
    assert read({"type": "text", "text": words}, ()).mark is None


def test_a_marker_does_not_change_what_a_part_is() -> None:
    for item in ({"type": "text", "text": "x"}, {"type": "odd", "content": [{"type": "text", "text": "x"}]}):
        plain, marked = opaque(item), opaque({**item, "cache_control": MARK})
        assert plain.identity == marked.identity
        assert (plain.marked, marked.marked) == (False, True)


@pytest.mark.parametrize("key", ["signature", "encrypted_content", "thoughtSignature", "thought_signature"])
def test_signed_reasoning_is_bound(key: str) -> None:
    assert reasoning({"thinking": "x", key: "sig"}, "x").bound
    assert reasoning({"details": [{key: "sig"}]}, [{key: "sig"}]).bound
    assert not reasoning({"thinking": "x", key: ""}, "x").bound


def test_reasoning_may_be_empty() -> None:
    assert reasoning({"thinking": ""}, "").text == ""
    assert reasoning({"reasoning_content": "why"}, "why").text == "why"


def test_a_call_counts_its_name_and_arguments() -> None:
    made = call({"id": "1"}, "bash", {"b": 1, "a": 2}, ("c", 0), call_id="1", markable=True)
    assert (made.text, made.mark, made.tool, made.call_id) == ('bash {"a":2,"b":1}', ("c", 0), "bash", "1")
    assert call({}, "bash", "{}", call_id="").mark is None
    assert compact({"big": 10**30}) == '{"big":1' + "0" * 30 + "}"


def test_media_are_counted_by_a_rule() -> None:
    assert (media({}, 7, ("c", 0), markable=True).mark, media({}, 7, ()).mark) == (("c", 0), None)
    assert media({}, 7, ()).extra == 7


def test_fields_besides_the_known_ones_are_opaque() -> None:
    known = frozenset({"role"})
    assert leftovers({"role": "user", "name": None, "tools": [], "x": {}, "cache_control": MARK}, known) == []
    (part,) = leftovers({"role": "user", "name": "bob", "n": 0}, known)
    assert (part.kind, part.identity) == (Kind.OPAQUE, {"name": "bob", "n": 0})


TEXT = {"type": "text", "text": "x"}
IMAGE = {"type": "image", "source": {}}


@pytest.mark.parametrize(
    ("content", "words", "editable"),
    [
        ("x", "x", True),
        ("", "", True),
        ([TEXT], "x", True),
        ([TEXT, TEXT], "x\nx", True),
        ([], "", False),
        (None, "", False),
        ([TEXT, IMAGE], "x", False),
        ([{**TEXT, "cache_control": MARK}], "x", False),
        ([{**TEXT, "citations": []}], "x", False),
        ([{"type": "text", "text": 7}], "", False),
        (["x"], "", False),
        ({"odd": 1}, '{"odd":1}', False),
        (7, "7", False),
    ],
)
def test_an_observation_is_editable_only_if_it_is_text_and_nothing_else(
    content: Any, words: str, editable: bool
) -> None:
    made = observation({"content": content}, ("c", 0), "content", call_id="1", mark=("c", 0))
    assert (made.text, made.content) == (words, ("c", 0, "content") if editable else None)
    assert flatten(content)[1] is editable


def test_an_observation_sees_markers_inside_it() -> None:
    assert observation({"content": [{**TEXT, "cache_control": MARK}]}, (), "content", call_id="1").marked
    assert observation({"content": "x", "cache_control": MARK}, (), "content", call_id="1").marked
    assert not observation({"content": "x"}, (), "content", call_id="1").marked


def test_an_observation_is_the_same_as_a_string_or_as_a_list() -> None:
    one = observation({"id": 1, "content": "x"}, (), "content", call_id="1")
    other = observation({"id": 1, "content": [{**TEXT, "cache_control": MARK}]}, (), "content", call_id="1")
    assert one.identity == other.identity


def test_an_observation_fails_by_flag_or_by_its_words() -> None:
    assert observation({"content": "fine"}, (), "content", call_id="1", error=True).failed
    assert observation({"content": "Error: no"}, (), "content", call_id="1").failed
    assert not observation({"content": "fine"}, (), "content", call_id="1").failed


def test_parts_that_are_no_text_cost_too() -> None:
    plain = observation({"content": [TEXT]}, (), "content", call_id="1").extra
    assert observation({"content": [TEXT, IMAGE]}, (), "content", call_id="1").extra > plain


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ("x", ("output",)),
        (" ", None),
        (None, None),
        ([], None),
        (["x"], None),
        ([IMAGE, TEXT], ("output", 1)),
        ([TEXT, IMAGE], None),
        ([{"type": "text", "text": " "}], None),
    ],
)
def test_a_marker_goes_on_the_last_part(content: object, path: Path | None) -> None:
    assert last_part(content, ("output",), frozenset({"text"})) == path


def test_a_marker_on_the_message_counts_for_its_last_part() -> None:
    parts = [text(TEXT, (), markable=True), text(TEXT, (), markable=True)]
    assert [part.marked for part in ending_marked(parts, {"cache_control": MARK})] == [False, True]
    assert ending_marked(parts, {"cache_control": None}) == parts
    assert ending_marked([], {"cache_control": MARK}) == []


OUTPUT = "<returncode>1</returncode>\n<output>\nno\n</output>"


def test_tool_output_in_a_user_message_is_an_observation() -> None:
    (part,) = observed(Role.USER, contents(OUTPUT, ("content",), "text", read), OUTPUT)
    assert (part.kind, part.content, part.call_id, part.failed) == (Kind.OBSERVATION, ("content",), "", True)
    listed = [{"type": "text", "text": OUTPUT}]
    (part,) = observed(Role.USER, contents(listed, ("content",), "text", read), listed)
    assert part.content == ("content", 0, "text")


def test_it_is_editable_only_where_it_is_the_whole_content() -> None:
    listed = [{"type": "text", "text": OUTPUT}, {"type": "text", "text": "Go on"}]
    one, other = observed(Role.USER, contents(listed, ("content",), "text", read), listed)
    assert (one.kind, one.content, other.kind) == (Kind.OBSERVATION, None, Kind.TEXT)


@pytest.mark.parametrize("role", [Role.ASSISTANT, Role.SYSTEM, Role.TOOL])
def test_nobody_but_a_user_message_reports_untyped_output(role: Role) -> None:
    (part,) = observed(role, contents(OUTPUT, ("content",), "text", read), OUTPUT)
    assert part.kind is Kind.TEXT


def test_a_call_says_what_it_does_without_its_id() -> None:
    one, other = (call({"id": name}, "read", {"path": "a"}, call_id=name).act for name in "ab")
    assert one == other
    assert one is not None and one.files == ("a",)
