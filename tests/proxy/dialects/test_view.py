"""The view that all dialects share: blocks out of bytes, and edits back into them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.core.conversation import Block, Head, Kind, Role
from policies.core.divergence import Prompt
from policies.core.usage import Usage
from proxy.dialects.parts import Object, Part, contents, observation, text
from proxy.dialects.slices import Path
from proxy.dialects.usages import Source
from proxy.dialects.view import Parts, View
from proxy.errors import DialectError

HEAD = Head("m", b"", b"", b"", 0)


def _read(item: Object, path: Path) -> Part:
    if item.get("type") == "result":
        return observation(item, path, "content", call_id="1", mark=path)
    if item.get("type") == "object":
        return Part(Kind.OBSERVATION, item, "spoken", content=(*path, "answer"))
    return text(item, path, markable=True)


def _parts(message: Object) -> Parts:
    return Role.USER, contents(message.get("content"), ("content",), "words", _read)


def _view(marks: bool = True) -> View:
    return View(
        name="test",
        list_key="messages",
        recognises=lambda path: path == "/x",
        parts=_parts,
        heading=lambda rest, path, count: HEAD,
        prompting=lambda rest: Prompt(tools=(rest,)),
        source=Source(("",), (), lambda usage: Usage(input=1)),
        error=lambda status, message: b"{}",
        message_tokens=4,
        text_type="words",
        marker=(lambda long: b'"cache_control":%d' % (1 + long)) if marks else None,
    )


VIEW = _view()


def blocks(raw: bytes) -> tuple[Block, ...]:
    return VIEW.message(raw, len).blocks


def result(content: object) -> bytes:
    return json.dumps({"content": [{"type": "result", "content": content}]}).encode()


def test_what_a_dialect_says_is_what_the_view_says() -> None:
    assert VIEW.head(b"{}", "/x", len) is HEAD
    assert VIEW.usage(b"{}") == Usage(input=1)
    assert VIEW.usage_reader() is not VIEW.usage_reader()
    assert VIEW.usage_reader().usage() is None
    assert VIEW.recognises("/x") and VIEW.error(500, "") == b"{}"


def test_a_message_keeps_its_bytes_and_adds_up_its_tokens() -> None:
    raw = b'{ "content" : ["x", {"type":"words","text":"four"} ] }'
    message = VIEW.message(raw, len)
    assert message.raw == raw
    assert [block.index for block in message.blocks] == [0, 1]
    assert message.tokens == 4 + sum(block.tokens for block in message.blocks)
    assert message.blocks[1].tokens == 4


def test_a_message_of_a_buffer_is_a_message_of_bytes() -> None:
    raw = b'{"content":"x"}'
    assert VIEW.message(memoryview(raw), len) == VIEW.message(raw, len)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"7", b"[]", b"null", b'"x"', b'{"content":1,"content":2}', b'{"content":"\\ud800"}', b'"\xff"'],
)
def test_an_odd_message_is_opaque_and_cannot_be_changed(raw: bytes) -> None:
    (block,) = blocks(raw)
    assert (block.kind, block.editable, block.markable) == (Kind.OPAQUE, False, False)
    with pytest.raises(DialectError, match="not_editable"):
        VIEW.replace(raw, ((0, "x"),))
    with pytest.raises(DialectError, match="not_markable"):
        VIEW.mark(raw, 0, False)


def test_messages_that_readers_disagree_on_are_told_apart_by_their_bytes() -> None:
    one, other = blocks(b'{"content":1,"content":2}'), blocks(b'{"content":3,"content":2}')
    assert one[0].hash != other[0].hash


@given(st.binary() | st.text().map(str.encode))
def test_reading_is_total(raw: bytes) -> None:
    message = VIEW.message(raw, len)
    assert all(len(block.hash) == 32 for block in message.blocks)


@pytest.mark.parametrize(
    ("content", "lines", "first"),
    [
        ("", 0, ""),
        ("one", 1, "one"),
        ("one\n", 1, "one"),
        ("\n\n  two\nthree", 4, "two"),
        ("one\r\ntwo", 2, "one"),
        ("x" * 200, 1, "x" * 80),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], 2, "a"),
        (" \n ", 2, ""),
    ],
)
def test_an_observation_says_how_long_it_is_and_how_it_begins(content: object, lines: int, first: str) -> None:
    (block,) = blocks(result(content))
    assert (block.lines, block.first_line) == (lines, first)


def test_other_blocks_have_no_lines() -> None:
    assert blocks(b'{"content":"one\\ntwo"}')[0].lines == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"old"', b'"n\\"\xc3\xa9"'),
        (b'[ {"type":"text","text":"old"} ]', b'[{"type":"text","text":"n\\"\xc3\xa9"}]'),
        (
            b'[{"type":"input_text","text":"a"},{"type":"text","text":"b"}]',
            b'[{"type":"input_text","text":"n\\"\xc3\xa9"}]',
        ),
        (b'[{"text":"a"}]', b'[{"text":"n\\"\xc3\xa9"}]'),
    ],
)
def test_a_replacement_keeps_the_shape_and_every_other_byte(old: bytes, new: bytes) -> None:
    raw = b'{"content" : [{"type":"result","n":1.0, "content": ' + old + b' ,"k":1e2}], "x":"\\u0041"}'
    assert VIEW.replace(raw, ((0, 'n"é'),)) == raw.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"result": {"a":1}}', b'{"result":"n"}'),
        (b'{"a":1,"b":2}', b'{"output":"n"}'),
        (b"{}", b'{"output":"n"}'),
        (b'{"\xc3\xa9\\"":1}', b'{"\xc3\xa9\\"":"n"}'),
    ],
)
def test_an_object_keeps_its_only_key(old: bytes, new: bytes) -> None:
    raw = b'{"content":[{"type":"object", "answer" : ' + old + b" }]}"
    assert VIEW.replace(raw, ((0, "n"),)) == raw.replace(old, new)


def test_the_original_is_what_the_model_read() -> None:
    assert VIEW.original(result([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), 0) == "a\nb"
    with pytest.raises(DialectError, match="no_such_block"):
        VIEW.original(result("a"), 1)


def test_several_observations_of_a_message_can_be_replaced_at_once() -> None:
    raw = b'{"content":[{"type":"result","content":"a"},{"type":"result","content":"b"}]}'
    assert VIEW.replace(raw, ((0, "longer than before"), (1, "y"))) == raw.replace(
        b'"a"', b'"longer than before"'
    ).replace(b'"b"', b'"y"')
    assert VIEW.replace(raw, ()) is raw


@pytest.mark.parametrize(
    ("raw", "index", "words", "reason"),
    [
        (b'{"content":"x"}', 0, "y", "not_editable"),
        (b'{"content":[{"type":"result","content":null}]}', 0, "y", "not_editable"),
        (b'{"content":[{"type":"result","content":"x"}]}', 1, "y", "no_such_block"),
        (b'{"content":[{"type":"result","content":"x"}]}', -1, "y", "no_such_block"),
        (b'{"content":[{"type":"result","content":"x"}]}', 0, "\ud800", "not_text"),
    ],
)
def test_what_cannot_be_replaced_is_refused(raw: bytes, index: int, words: str, reason: str) -> None:
    with pytest.raises(DialectError, match=reason):
        VIEW.replace(raw, ((index, words),))


@pytest.mark.parametrize(
    ("raw", "noted"),
    [
        (rb'{"content" : "a\u0041" }', rb'{"content" : "a\u0041\n\nn\"b" }'),
        (
            rb'{"content":[{"type":"words", "text":"a","cache_control":{}}, {"type":"other"}]}',
            rb'{"content":[{"type":"words", "text":"a\n\nn\"b","cache_control":{}}, {"type":"other"}]}',
        ),
        (
            rb'{"content":[{"type":"result","content": "a", "k":1e2}]}',
            rb'{"content":[{"type":"result","content": "a\n\nn\"b", "k":1e2}]}',
        ),
        (
            rb'{"content":[{"type":"result","content":[{"type":"words","text":"a"},{"text":""}]}]}',
            rb'{"content":[{"type":"result","content":[{"type":"words","text":"a"},{"text":"\n\nn\"b"}]}]}',
        ),
        (
            rb'{"content":[{"type":"object", "answer":{"r":"a"}}]}',
            rb'{"content":[{"type":"object", "answer":{"r":"a\n\nn\"b"}}]}',
        ),
    ],
)
def test_a_note_goes_into_the_string_that_ends_the_text_and_every_other_byte_stays(raw: bytes, noted: bytes) -> None:
    assert VIEW.append(raw, 0, 'n"b') == noted


def test_an_answer_that_is_no_text_becomes_its_json_with_the_note_behind_it() -> None:
    raw = b'{"content":[{"type":"object","answer":{"a":1,"text":"b"},"k":1.0}]}'
    assert VIEW.append(raw, 0, "n") == b'{"content":[{"type":"object","answer":{"output":"spoken\\n\\nn"},"k":1.0}]}'


@pytest.mark.parametrize(
    ("raw", "words", "reason"),
    [
        (b'{"content":[{"type":"result","content":null}]}', "n", "not_editable"),
        (b'{"content":[{"type":"words"}]}', "n", "no_such_value"),
        (b'{"content":[]}', "n", "no_such_block"),
        (b'{"content":"x"}', "\ud800", "not_text"),
    ],
)
def test_a_note_that_has_no_place_is_refused(raw: bytes, words: str, reason: str) -> None:
    with pytest.raises(DialectError, match=reason):
        VIEW.append(raw, 0, words)


@pytest.mark.parametrize(
    ("raw", "marked"),
    [
        (b'{"content":"x\\n"}', b'{"content":[{"type":"words","text":"x\\n","cache_control":1}]}'),
        (b'{"content":[{"text":"x" }]}', b'{"content":[{"text":"x" ,"cache_control":1}]}'),
        (b'{"content":[{"cache_control": null,"text":"x"}]}', b'{"content":[{"cache_control": 1,"text":"x"}]}'),
    ],
)
def test_a_marker_is_added_and_nothing_else(raw: bytes, marked: bytes) -> None:
    assert VIEW.mark(raw, 0, False) == marked
    assert VIEW.mark(raw, 0, True) == marked.replace(b"1", b"2")
    before, after = blocks(raw)[0], blocks(marked)[0]
    assert (before.marked, after.marked) == (False, True)
    assert before.hash == after.hash


def test_a_marked_block_is_returned_as_it_is() -> None:
    raw = b'{"content":[{"text":"x","cache_control":{}}]}'
    assert VIEW.mark(raw, 0, True) is raw


def test_without_markers_nothing_can_be_marked() -> None:
    with pytest.raises(DialectError, match="not_markable"):
        _view(marks=False).mark(b'{"content":"x"}', 0, False)
    with pytest.raises(DialectError, match="not_markable"):
        VIEW.mark(b'{"content":" "}', 0, False)
    with pytest.raises(DialectError, match="no_such_block"):
        VIEW.mark(b'{"content":"x"}', 3, False)


def test_a_head_as_values_comes_from_the_dialect() -> None:
    assert VIEW.prompt(b"x") == Prompt(tools=(b"x",))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"content":"x","role":"user"}', {"content": [{"type": "words", "text": "x"}], "role": "user"}),
        (b'{"content":[{"text":"x","cache_control":{}}],"name":null,"calls":[]}', {"content": [{"text": "x"}]}),
        (b'{"n":1.0}', {"n": 1}),
        (b'["x"]', ["x"]),
        (b'{"a":1,"a":2}', '{"a":1,"a":2}'),
    ],
)
def test_a_message_as_a_value_is_without_markers_and_in_one_form(raw: bytes, said: object) -> None:
    assert VIEW.said(raw) == said
