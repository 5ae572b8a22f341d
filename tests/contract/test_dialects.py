"""What every dialect promises, whatever its wire format; and the goldens: request, view, request as changed.

A golden is three parts between lines of ten hyphens: the path and the body as received; one line a
block as read; the body with every editable observation replaced and the last markable block marked.
Where the body cannot be viewed the second part is the error and there is no third.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.core.conversation import Block, Kind, Message
from policies.core.lineage import extend, root_hash
from policies.core.usage import Usage
from proxy.dialects import Dialect
from proxy.dialects.registry import DIALECTS, VIEWED, recognise
from proxy.dialects.slices import Split, splice, split
from proxy.errors import DialectError

GOLDENS = Path(__file__).resolve().parent.parent / "goldens"
RULE = "\n----------\n"
PATHS = {
    "anthropic_messages": "/v1/messages",
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "gemini": "/v1beta/models/gemini-3-flash:generateContent",
    "bedrock_converse": "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
    "bedrock_invoke": "/model/us.amazon.nova-lite-v1:0/invoke-with-response-stream",
    "ollama": "/api/chat",
}

every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
every_view = pytest.mark.parametrize("dialect", VIEWED, ids=lambda dialect: dialect.name)
measured_only = [dialect for dialect in DIALECTS if dialect not in VIEWED]

words = st.sampled_from(
    "type role text content parts output tool_use tool_result thinking image user assistant system tool input call_id "
    "id name arguments function functionCall functionResponse response message reasoning signature function_call "
    "function_call_output input_text output_text model tool_calls cache_control tool_call_id toolUse toolResult "
    "toolUseId cachePoint reasoningContent reasoningText redactedContent json status toolConfig tools".split()
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(), inner, max_size=5),
    max_leaves=20,
)


def count(text: str) -> int:
    return len(text.split())


def view(dialect: Dialect, body: bytes, path: str) -> tuple[Split, tuple[Message, ...]]:
    cut = split(body, dialect.list_key)
    dialect.head(cut.rest, path, count)
    return cut, tuple(dialect.message(bytes(element), count) for element in cut.elements)


def described(message: int, role: str, block: Block) -> str:
    """One block on one line; what is not said is false or empty."""
    flags = [name for name in ("marked", "markable", "failed", "bound", "editable") if getattr(block, name)]
    names = [
        f"{name}={getattr(block, name)}" for name in ("call_id", "tool", "lines", "first_line") if getattr(block, name)
    ]
    return " ".join([f"{message}.{block.index}", role, block.kind.value, *flags, *names])


def changed(dialect: Dialect, body: bytes, cut: Split, messages: tuple[Message, ...]) -> bytes:
    """Every editable observation replaced, then the last markable block marked."""
    new: dict[int, bytes] = {}
    for at, message in enumerate(messages):
        edits = tuple((block.index, "gone") for block in message.blocks if block.editable)
        if edits:
            new[at] = dialect.replace(message.raw, edits)
    markable = [(at, block) for at, message in enumerate(messages) for block in message.blocks if block.markable]
    if markable:
        at, block = markable[-1]
        new[at] = dialect.mark(new.get(at, messages[at].raw), block.index, False)
    return splice(body, cut, new)


def rendered(dialect: Dialect, text: str) -> str:
    """What a golden must say after its first part."""
    path, _, body = text.partition("\n")
    try:
        cut, messages = view(dialect, body.encode(), path)
    except DialectError as error:
        return f"error: {error.reason}\n"
    head = dialect.head(cut.rest, path, count)
    said = f"head model={head.model} tools={head.tools} markers={head.markers} stream={head.stream}"
    said += f" max_output={head.max_output} stand_down={head.stand_down or '-'}"
    lines = [described(at, one.role.value, block) for at, one in enumerate(messages) for block in one.blocks]
    return "\n".join([said, *lines]) + RULE + changed(dialect, body.encode(), cut, messages).decode() + "\n"


GOLDEN_FILES = sorted(path for dialect in DIALECTS for path in (GOLDENS / dialect.name).glob("*.golden"))


@pytest.mark.parametrize("path", GOLDEN_FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_goldens(path: Path) -> None:
    dialect = next(one for one in DIALECTS if one.name == path.parent.name)
    request, _, expected = path.read_text(encoding="utf-8").partition(RULE)
    assert rendered(dialect, request) == expected


@every_dialect
def test_every_dialect_has_goldens(dialect: Dialect) -> None:
    assert [path for path in GOLDEN_FILES if path.parent.name == dialect.name]


@every_dialect
def test_its_own_path_is_recognised_by_it_alone(dialect: Dialect) -> None:
    path = PATHS[dialect.name]
    assert [one for one in DIALECTS if one.recognises(path)] == [dialect]
    assert recognise(path) is dialect


@every_dialect
@given(value=json_values)
def test_reading_is_total_and_changes_only_what_it_says(dialect: Dialect, value: object) -> None:
    raw = json.dumps(value).encode()
    message = dialect.message(raw, count)
    assert message.raw == raw
    assert [block.index for block in message.blocks] == list(range(len(message.blocks)))
    for block in message.blocks:
        _check_replacing(dialect, message, block)
        _check_marking(dialect, message, block)
        _check_appending(dialect, message, block)


def _check_replacing(dialect: Dialect, message: Message, block: Block) -> None:
    if not block.editable:
        with pytest.raises(DialectError):
            dialect.replace(message.raw, ((block.index, "gone"),))
        return
    after = dialect.message(dialect.replace(message.raw, ((block.index, "gone"),)), count)
    assert block.kind is Kind.OBSERVATION
    assert after.blocks[: block.index] == message.blocks[: block.index]
    assert after.blocks[block.index + 1 :] == message.blocks[block.index + 1 :]
    assert after.blocks[block.index].call_id == block.call_id


def _check_marking(dialect: Dialect, message: Message, block: Block) -> None:
    if block.marked:
        assert dialect.mark(message.raw, block.index, True) is message.raw
    elif block.markable:
        after = dialect.message(dialect.mark(message.raw, block.index, True), count)
        assert after.blocks[block.index].marked
        assert [one.hash for one in after.blocks] == [one.hash for one in message.blocks]
    else:
        with pytest.raises(DialectError):
            dialect.mark(message.raw, block.index, False)


def _check_appending(dialect: Dialect, message: Message, block: Block) -> None:
    """A note stands behind a block's text, and that is all; or the block bears none."""
    try:
        raw = dialect.append(message.raw, block.index, "note")
    except DialectError:
        assert not block.editable
        return
    after = dialect.message(raw, count)
    assert dialect.original(raw, block.index) == dialect.original(message.raw, block.index) + "\n\nnote"
    assert [one.hash for one in after.blocks if one.index != block.index] == [
        one.hash for one in message.blocks if one.index != block.index
    ]
    assert [(one.kind, one.call_id) for one in after.blocks] == [(one.kind, one.call_id) for one in message.blocks]


@every_dialect
@given(raw=st.binary())
def test_no_bytes_make_it_fail(dialect: Dialect, raw: bytes) -> None:
    dialect.message(raw, count)
    dialect.usage(raw)
    reader = dialect.usage_reader()
    reader.feed(raw)
    reader.usage()
    try:
        dialect.head(raw, PATHS[dialect.name], count)
    except DialectError as error:
        assert error.reason


@every_view
@given(body=st.dictionaries(words | st.text(), json_values))
def test_any_object_has_a_head(dialect: Dialect, body: dict[str, object]) -> None:
    head = dialect.head(json.dumps(body).encode(), PATHS[dialect.name], count)
    again = dialect.head(json.dumps(dict(reversed(body.items())), indent=1).encode(), PATHS[dialect.name], count)
    assert head == again


@pytest.mark.parametrize("dialect", measured_only, ids=lambda dialect: dialect.name)
def test_what_is_only_measured_is_never_viewed(dialect: Dialect) -> None:
    message = dialect.message(b'{"role":"tool","content":"x"}', count)
    assert not [block for block in message.blocks if block.editable or block.markable]
    with pytest.raises(DialectError) as caught:
        dialect.head(b'{"model":"m","messages":[]}', PATHS[dialect.name], count)
    assert caught.value.reason == "measured_only"


@every_dialect
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 502, 503, 504, 529])
def test_an_error_is_json_with_its_message(dialect: Dialect, status: int) -> None:
    error = json.loads(dialect.error(status, "no `x` here"))
    error = error.get("error", error)  # Bedrock's stands at the top, Ollama's is the message itself
    assert (error if isinstance(error, str) else error["message"]) == "no `x` here"


# Recorded material: what real clients sent and real providers answered.


def _lines(folder: Path) -> Iterator[tuple[str, dict[str, object]]]:
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield path.name, json.loads(line)


def _requests(shared: Path) -> Iterator[tuple[str, str, bytes]]:
    for name, line in _lines(shared / "cassettes"):
        request = line["request"]
        assert isinstance(request, dict)
        yield name, request["path"], json.dumps(request["body"]).encode()
    for name, line in _lines(shared / "captures"):
        if line.get("path") and line.get("body"):
            yield name, str(line["path"]), str(line["body"]).encode()


def test_every_recorded_request_is_joined_again_to_the_same_bytes(shared: Path) -> None:
    viewed = 0
    for _, path, body in _requests(shared):
        dialect = recognise(path)
        if dialect is None:
            continue
        try:
            cut, messages = view(dialect, body, path)
        except DialectError as error:
            assert error.reason == "not_a_list"
            continue
        viewed += 1
        assert splice(body, cut, {}) is body
        assert splice(body, cut, {at: message.raw for at, message in enumerate(messages)}) == body
        again = view(dialect, changed(dialect, body, cut, messages), path)[1]
        assert [len(message.blocks) for message in again] == [len(message.blocks) for message in messages]
    assert viewed > 600


def _figures(value: object) -> Iterator[dict[str, int]]:
    """Every usage object in an answer, found by its keys and not by its place."""
    if isinstance(value, dict):
        if {"input_tokens", "prompt_tokens", "promptTokenCount", "output_tokens", "inputTokens"} & set(value):
            yield {key: item for key, item in value.items() if isinstance(item, int)}
        for key, item in value.items():
            if key != "iterations":  # steps of the provider's own compaction: not part of the answer's usage
                yield from _figures(item)
    elif isinstance(value, list):
        for item in value:
            yield from _figures(item)


def _answers(body: object) -> list[object]:
    if not isinstance(body, str):
        return [body]
    data = [line[5:].strip() for line in body.split("\n") if line.startswith("data:")]
    return [json.loads(one) for one in data if one.startswith("{")]


def _expected(body: object) -> tuple[int, int] | None:
    """Input and output tokens, read in another way than the dialects do."""
    found = [figures for answer in _answers(body) for figures in _figures(answer)]
    if not found:
        return None
    top = {key: value for one in found for key, value in one.items()}  # the last report of each count
    if "totalTokens" in top:  # Bedrock's total is of everything, also of what it read and wrote
        return top["totalTokens"] - top["outputTokens"], top["outputTokens"]
    total = (
        top.get("input_tokens", 0) + top.get("cache_read_input_tokens", 0) + top.get("cache_creation_input_tokens", 0)
    )
    given = total or top.get("prompt_tokens", 0) or top.get("promptTokenCount", 0)
    made = top.get("output_tokens", 0) or top.get("completion_tokens", 0)
    if "prompt_tokens" in top:  # xAI and Gemini count reasoning in the total only
        made = max(made, top.get("total_tokens", 0) - given)
    return given, made or top.get("candidatesTokenCount", 0) + top.get("thoughtsTokenCount", 0)


def _read(dialect: Dialect, body: object, size: int) -> Usage | None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    reader = dialect.usage_reader()
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    return reader.usage()


def test_usage_of_every_recorded_answer_is_what_it_reports(shared: Path) -> None:
    checked = 0
    for _, line in _lines(shared / "cassettes"):
        request, response = line["request"], line["response"]
        assert isinstance(request, dict) and isinstance(response, dict)
        dialect = recognise(request["path"])
        if dialect is None:
            continue
        usage = _read(dialect, response["body"], 10_000)
        assert usage == _read(dialect, response["body"], 11)
        if not isinstance(response["body"], str):
            assert usage == dialect.usage(json.dumps(response["body"]).encode())
        expected = _expected(response["body"])
        if expected is None:
            assert usage is None
            continue
        assert usage is not None and (usage.input, usage.output or 0) == expected, line["id"]
        checked += 1
    assert checked > 400


# Extensions among consecutive bodies, from the README of the captures.
EXTENSIONS = {
    "claude": 12,
    "claude-compact": 4,
    "codex": 13,
    "codex-compact": 6,
    "opencode": 13,
    "opencode-anthropic": 13,
    "opencode-prune": 7,
    "opencode-compact": 6,
    "langgraph": 13,
    "openai-agents": 13,
    "pydantic-ai": 13,
    "pydantic-ai-resp": 13,
    "pydantic-ai-anth": 13,
    "langchain-anthropic": 6,
}


def _chain(dialect: Dialect, body: bytes, path: str) -> tuple[tuple[bytes, bytes], list[bytes]]:
    """The head's hashes, and the prefix hash after each block."""
    cut, messages = view(dialect, body, path)
    head = dialect.head(cut.rest, path, count)
    link = root_hash(b"tenant", dialect.name, "upstream")
    chain = []
    for role, block in ((message.role, block) for message in messages for block in message.blocks):
        link = extend(link, role, block)
        chain.append(bytes(link))
    return (head.tools_hash, head.system_hash), chain


@pytest.mark.parametrize("name", EXTENSIONS)
def test_block_hashes_find_the_extensions_that_were_recorded(shared: Path, name: str) -> None:
    with gzip.open(shared / "captures" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        sent = [line for line in map(json.loads, lines) if line["method"] == "POST"]
    chains = []
    for line in sent:
        dialect = recognise(line["path"])
        assert dialect is not None
        chains.append(_chain(dialect, line["body"].encode(), line["path"]))
    pairs = zip(chains, chains[1:], strict=False)
    extended = sum(old[0] == new[0] and new[1][: len(old[1])] == old[1] for old, new in pairs)
    assert extended == EXTENSIONS[name]
