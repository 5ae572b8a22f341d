"""A tool's answer with an image or a document: counted, replaced as a whole, and read back exactly."""

import hashlib
import json

import pytest

from policies.core.conversation import Block, Kind
from proxy.dialects.pictures import Picture, nothing, pictures
from proxy.dialects.registry import by_name
from proxy.errors import DialectError

PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "abc"}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "A" * 80_000}}
PROSE = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "word " * 4000}}
SEEN = {"type": "text", "text": "A login page"}
ODD = {"type": "search_result", "content": []}
MARKED = {**PNG, "cache_control": {"type": "ephemeral"}}

SCREEN = {"type": "input_image", "image_url": "data:image/png;base64,abc"}
FILE = {"type": "input_file", "file_id": "f"}
SAID = {"type": "input_text", "text": "A login page"}

SHOT = {"image": {"format": "png", "source": {"bytes": "abc"}}}
PAGE = {"document": {"name": "d", "format": "pdf", "source": {"bytes": "abc"}}}
FILM = {"video": {"format": "mp4", "source": {"bytes": "abc"}}}
TOLD = {"text": "A login page"}


def answer(dialect: str, content: object) -> bytes:
    """A message that is this answer of a tool's."""
    messages: dict[str, object] = {
        "anthropic_messages": {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c", "content": content}],
        },
        "openai_responses": {"type": "function_call_output", "call_id": "c", "output": content},
        "bedrock_converse": {"role": "user", "content": [{"toolResult": {"toolUseId": "c", "content": content}}]},
    }
    return json.dumps(messages[dialect]).encode()


def read(dialect: str, raw: bytes) -> Block:
    (block,) = by_name(dialect).message(raw, lambda text: len(text) // 4).blocks
    return block


@pytest.mark.parametrize(
    ("dialect", "content", "name", "tokens"),
    [
        ("anthropic_messages", [PNG], "image", 1500),
        ("anthropic_messages", [SEEN, PNG, PNG], "image", 3000),
        ("anthropic_messages", [PDF], "document", 2000),
        ("anthropic_messages", [PROSE, SEEN], "document", 5000),
        ("openai_responses", [SAID, SCREEN], "image", 765),
        ("openai_responses", [FILE], "document", 1500),
        ("bedrock_converse", [SHOT, TOLD], "image", 1500),
        ("bedrock_converse", [TOLD, PAGE], "document", 1500),
    ],
)
def test_what_is_seen_is_counted_and_gives_way_to_a_text_as_a_whole(
    dialect: str, content: list[object], name: str, tokens: int
) -> None:
    wire, raw = by_name(dialect), answer(dialect, content)
    block = read(dialect, raw)
    assert (block.kind, block.picture, block.editable) == (Kind.OBSERVATION, name, False)
    assert tokens <= block.tokens <= tokens + 20
    text = {"anthropic_messages": {"type": "text"}, "openai_responses": {"type": "input_text"}}.get(dialect, {})
    assert wire.replace(raw, ((0, "gone"),)) == _spelled(answer(dialect, "HERE"), [{**text, "text": "gone"}])
    after = read(dialect, wire.replace(raw, ((0, "gone"),)))
    assert (after.kind, after.call_id, after.picture, after.editable) == (Kind.OBSERVATION, "c", "", True)
    with pytest.raises(DialectError, match="not_editable"):
        wire.append(raw, 0, "a note")


def _spelled(raw: bytes, content: object) -> bytes:
    return raw.replace(b'"HERE"', json.dumps(content, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    ("dialect", "content"),
    [("anthropic_messages", [SEEN, PNG]), ("openai_responses", [SCREEN]), ("bedrock_converse", [SHOT, PAGE])],
)
def test_recoverable_the_original_is_the_whole_content_and_its_digest_is_over_that(
    dialect: str, content: list[object]
) -> None:
    raw = answer(dialect, content)
    kept, block = by_name(dialect).original(raw, 0), read(dialect, raw)
    assert json.loads(kept) == content
    assert block.content == hashlib.sha256(kept.encode()).digest() == block.said
    other = read(dialect, answer(dialect, [*content, *content]))
    assert other.content != block.content


def test_cache_markers_around_it_do_not_change_what_is_kept() -> None:
    raw = answer("anthropic_messages", [PNG])
    marked = by_name("anthropic_messages").mark(raw, 0, True)
    assert read("anthropic_messages", marked).content == read("anthropic_messages", raw).content


@pytest.mark.parametrize(
    ("dialect", "content"),
    [
        ("anthropic_messages", [PNG, ODD]),
        ("anthropic_messages", [PNG, "odd"]),
        ("anthropic_messages", [MARKED]),
        ("anthropic_messages", []),
        ("openai_responses", [SCREEN, {"type": "refusal", "refusal": "no"}]),
        ("bedrock_converse", [SHOT, FILM]),
        ("bedrock_converse", [SHOT, {"cachePoint": {"type": "default"}}]),
    ],
)
def test_what_is_not_known_or_marked_is_left_as_it_is(dialect: str, content: list[object]) -> None:
    raw = answer(dialect, content)
    block = read(dialect, raw)
    assert (block.picture, block.editable) == ("", False)
    with pytest.raises(DialectError, match="not_editable"):
        by_name(dialect).replace(raw, ((0, "gone"),))


def test_an_image_of_the_users_is_no_observation() -> None:
    raw = json.dumps({"role": "user", "content": [PNG]}).encode()
    (block,) = by_name("anthropic_messages").message(raw, len).blocks
    assert (block.kind, block.picture, block.editable) == (Kind.MEDIA, "", False)


def test_where_nothing_is_known_nothing_is_a_picture() -> None:
    assert pictures([PNG], nothing) == pictures("text", nothing) == pictures([SEEN], nothing) == Picture()
