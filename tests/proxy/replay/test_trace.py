"""Reading traces and recordings."""

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from policies.core.usage import Usage
from proxy.dialects.registry import by_name
from proxy.errors import ConfigError
from proxy.exchange import Prepared, Request
from proxy.recorder import Recorder
from proxy.replay.trace import Recording, Trace, read

LINE = b'{"id":"a","format":"openai-chat","model":"gpt-5.1","tools":null,"meta":{"task":1},"messages":[]}\n'


def written(folder: Path, content: bytes, name: str = "trace.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def exchange(t: float, *said: str, **fields: Any) -> bytes:
    messages = [{"role": "user" if number % 2 == 0 else "assistant", "content": s} for number, s in enumerate(said)]
    body = msgspec.json.encode({"model": "gpt-5.1", "messages": messages}).decode()
    line = {"t": t, "dialect": "openai_chat", "path": "/v1/chat/completions", "request": body, **fields}
    return msgspec.json.encode(line) + b"\n"


def test_plain_and_packed_lines_are_the_same(tmp_path: Path) -> None:
    plain = list(read(written(tmp_path, LINE + b"\n" + LINE)))
    packed = list(read(written(tmp_path, gzip.compress(LINE + b"\n" + LINE), "trace.any")))
    assert plain == packed == [Trace("a", [], "gpt-5.1", meta={"task": 1})] * 2


def test_a_file_without_lines_has_no_sessions(tmp_path: Path) -> None:
    assert list(read(written(tmp_path, b"\n\n"))) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "not a trace or recording: input data was truncated"),
        (b"[]", "not a trace or recording: expected `object`, got `array`"),
        (b'{"id":"a"}', "not a trace or recording: object missing required field `messages`"),
        (b'{"id":"a","messages":[],"format":"smoke"}', "invalid enum value 'smoke'"),
        (b"\xff", "not a trace or recording"),
        (exchange(1, "a", dialect="morse"), "unknown dialect `morse`"),
        (exchange(1, "a", request="{}"), "the request cannot be viewed: no_messages"),
        (exchange(1, "a", request={"input": []}), "the request cannot be viewed: no_messages"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, message: str) -> None:
    path = written(tmp_path, LINE + line)
    with pytest.raises(ConfigError) as caught:
        list(read(path))
    assert str(caught.value).startswith(f"{path}:2: ") and message in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.jsonl: cannot be read: no such file"):
        list(read(tmp_path / "none.jsonl"))


@pytest.mark.parametrize("damage", [slice(0, -9), slice(0, 40)])
def test_damaged_compression_is_told(tmp_path: Path, damage: slice) -> None:
    with pytest.raises(ConfigError, match="damaged or cut off"):
        list(read(written(tmp_path, gzip.compress(LINE * 50)[damage])))


def test_a_body_may_be_a_string_or_json_itself_and_is_kept_byte_for_byte(tmp_path: Path) -> None:
    body = b'{"model" : "m", "messages":[{"role":"user","content":"\\u00e9"}]}'
    line = b'{"t":1,"dialect":"openai_chat","path":"/x","request":%b}\n'
    sessions = list(read(written(tmp_path, line % body + line % msgspec.json.encode(body.decode()))))
    assert [one.body for session in sessions if isinstance(session, Recording) for one in session.exchanges] == [
        body,
        body,
    ]


def test_exchanges_that_begin_alike_are_one_session_in_order_of_time(tmp_path: Path) -> None:
    lines = exchange(3, "a", "b", "c") + exchange(2, "x") + exchange(1, "a")
    sessions = [one for one in read(written(tmp_path, lines)) if isinstance(one, Recording)]
    assert [[one.t for one in session.exchanges] for session in sessions] == [[1, 3], [2]]
    assert sessions[0].model == "gpt-5.1"


def test_a_session_that_is_named_is_kept_apart(tmp_path: Path) -> None:
    lines = exchange(1, "a", session="one") + exchange(2, "a", session="two")
    assert [one.id for one in read(written(tmp_path, lines))] == ["one", "two"]


def test_an_exchange_that_failed_is_no_call(tmp_path: Path) -> None:
    lines = exchange(1, "a", status=529) + exchange(2, "a", status=200, usage={"input": 5, "output": 7})
    (session,) = read(written(tmp_path, lines))
    assert isinstance(session, Recording)
    assert [one.usage for one in session.exchanges] == [Usage(input=5, output=7)]


def test_traces_and_exchanges_may_share_a_file(tmp_path: Path) -> None:
    kinds = [type(one) for one in read(written(tmp_path, exchange(1, "a") + LINE))]
    assert kinds == [Trace, Recording]


def test_what_serve_records_can_be_replayed(tmp_path: Path) -> None:
    body = b'{"model": "gpt-5.1", "messages": [{"role": "user", "content": "gr\xc3\xbc\xc3\x9fe"}]}'
    request = Request("openai", by_name("openai_chat"), "/v1/chat/completions", body, session="mine")
    recorder = Recorder(tmp_path, "one")
    recorder.record(Prepared(request, body, ()), Usage(input=9, output=4), 12.5, 200)
    recorder.record(Prepared(request, body, ()), None, 13.5, 500)
    recorder.close()
    (session,) = read(recorder.path)
    assert isinstance(session, Recording) and session.id == "mine"
    (one,) = session.exchanges
    assert (one.t, one.body, one.usage) == (12.5, body, Usage(input=9, output=4))


def test_a_trace_tells_when_its_calls_were_made_where_that_was_recorded() -> None:
    messages = [{"role": role} for role in ("user", "assistant", "tool", "assistant", "user", "assistant")]
    calls: list[Any] = [{"msg": 1, "ts": 1763511117}, {"msg": 3, "ts": "1970-01-01T00:01:00.5Z"}, {"msg": 4}, "odd"]
    assert Trace("t", messages, meta={"call_usage": calls}).times == [1763511117.0, 60.5, None]
    assert Trace("t", messages, meta={"call_usage": [{"msg": 5, "ts": "soon"}]}).times == [None] * 3
    naive = Trace("t", messages, meta={"call_usage": [{"msg": 1, "ts": "1970-01-01T00:01:00"}]})
    assert naive.times == [60.0, None, None] and Trace("t", messages).times == [None] * 3
