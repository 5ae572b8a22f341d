"""Responses over a WebSocket through a running proxy: the figures are the provider's, and nothing is edited unseen."""

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from proxy.profiles import load_profiles
from proxy.simulator.brains import Answer, ToolCall, script
from proxy.simulator.faults import Delays, Fault, fault_on
from proxy.simulator.records import Record
from tests.end_to_end.running import ROOT, Holdfast, Numbers, Stage, done, holdfast, stage

CAPTURE = ROOT.parent / "shared" / "captures" / "codex-ws.jsonl.gz"
MODEL = "gpt-5.1-codex"
HEADERS = {"authorization": "Bearer k", "session-id": "a-session"}
TERMINAL = ("error", "response.completed", "response.incomplete", "response.failed")
TOOLS = [{"type": "function", "name": "run", "parameters": {"type": "object"}}]
Event = dict[str, Any]
Items = list[dict[str, Any]]


def words(number: int, size: int = 4000) -> str:
    return f"{number} " + " ".join(
        hashlib.sha256(f"{number} {place}".encode()).hexdigest() for place in range(size // 65)
    )


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def output(call_id: str, number: int) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": words(number)}


class Agent:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def answer(self, raw: str) -> list[Event]:
        await self.socket.send(raw)
        events: list[Event] = []
        while not events or events[-1]["type"] not in TERMINAL:
            events.append(json.loads(await self.socket.recv()))
        return events

    async def ask(self, items: Items, **fields: Any) -> Event:
        body = {"type": "response.create", "model": MODEL, "store": False, "tools": TOOLS, "input": items, **fields}
        last = (await self.answer(json.dumps(body)))[-1]
        found: Event = last.get("response", last)
        return found


@asynccontextmanager
async def agent(url: str, **headers: str) -> AsyncIterator[Agent]:
    address = url.replace("http", "ws", 1) + "/v1/responses"
    async with connect(address, additional_headers={**HEADERS, **headers}, proxy=None, max_size=None) as socket:
        yield Agent(socket)


def run(conversation: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await conversation

    asyncio.run(bounded())


def numbered(number: int) -> str:
    return json.dumps({"n": number})


def steps(count: int) -> Callable[[Any], Answer]:
    """So many tool calls, then an end."""
    calls = tuple(Answer(text=f"step {n}", calls=(ToolCall("run", numbered(n), f"call_{n}"),)) for n in range(count))
    return script(calls, Answer(text="done"))


def billed(records: Sequence[Record]) -> tuple[int, int, int]:
    bills = [record.usage for record in records if record.usage]
    return (
        sum(bill.input.read for bill in bills),
        sum(bill.input.total - bill.input.read for bill in bills),
        sum(bill.output for bill in bills),
    )


def counted(numbers: Numbers) -> tuple[int, int, int]:
    tokens = "holdfast_input_tokens_total"
    rest = numbers.total(tokens, cache="uncached") + numbers.total(tokens, cache="write")
    return int(numbers.total(tokens, cache="read")), int(rest), int(numbers.total("holdfast_output_tokens_total"))


async def deltas(agent: Agent, count: int) -> Event:
    """As Codex does: a warm-up, then each step names the one before and holds only what is new."""
    last = await agent.ask([user(words(1000))], generate=False)
    items = [user("begin")]
    for number in range(count):
        last = await agent.ask(items, previous_response_id=last["id"])
        items = [output(f"call_{number}", number)]
    return await agent.ask(items, previous_response_id=last["id"])


@pytest.fixture(scope="module")
def theatre() -> Any:
    with stage() as found:
        yield found


def test_what_is_counted_is_what_the_provider_bills(theatre: Stage, tmp_path: Path) -> None:
    records = theatre.simulate(steps(20), load_profiles())

    async def conversation(url: str) -> None:
        async with agent(url) as caller:
            assert caller.socket.response and caller.socket.response.headers["x-holdfast-session"] == "a-session"
            last = await deltas(caller, 20)
            assert last["output"][0]["content"][0]["text"] == "done"

    with holdfast(tmp_path, theatre.urls) as proxy:
        run(conversation(proxy.url))
        numbers = proxy.settled(len(done(records, 22)))
    assert counted(numbers) == billed(records)
    read, rest, _ = counted(numbers)
    assert read / (read + rest) > 0.85
    assert numbers.total("holdfast_requests_total", status_class="2xx", stream="true") == 22
    assert numbers.total("holdfast_passthrough_total") == numbers.total("holdfast_passthrough_total", reason="warm_up")
    assert numbers.total("holdfast_websocket_ends_total", end="agent") == 1
    # the whole conversation was seen: what could have been read is close to what was
    achievable = numbers.total("holdfast_cache_achievable_tokens_total")
    assert 0.9 * read < achievable < 1.1 * read
    assert numbers.total("holdfast_inflight_requests") == 0


def test_a_message_that_holds_only_what_is_new_is_never_edited(theatre: Stage, tmp_path: Path) -> None:
    records = theatre.simulate(steps(30), load_profiles())
    sent: list[str] = []

    async def conversation(url: str) -> None:
        async with agent(url) as caller:
            original = caller.socket.send

            async def send(raw: Any) -> None:
                sent.append(raw)
                await original(raw)

            caller.socket.send = send  # type: ignore[method-assign, assignment]
            await deltas(caller, 30)

    with holdfast(tmp_path, theatre.urls, "--policy", eager(tmp_path)) as proxy:
        run(conversation(proxy.url))
        numbers = proxy.settled(32)
    assert [record.body.decode() for record in records] == sent
    assert numbers.total("holdfast_edits_total", verdict="applied") == 0
    assert numbers.total("holdfast_edits_total", verdict="rejected", reason="stand_down") > 0


def history(steps: int) -> Items:
    """A conversation as a client holds it."""
    items: Items = [user("begin")]
    for number in range(steps):
        name = f"call_{number}"
        items.append({"type": "function_call", "call_id": name, "name": "run", "arguments": numbered(number)})
        items.append(output(name, number))
    return items


def eager(folder: Path) -> str:
    """A policy that masks wherever it may."""
    file = folder / "eager.yaml"
    file.write_text("name: eager\nmask: {when: always}\n")
    return str(file)


def over_http(url: str, items: Items) -> None:
    body = {"model": MODEL, "store": False, "tools": TOOLS, "input": items}
    httpx.post(f"{url}/v1/responses", json=body, headers=HEADERS, timeout=30).raise_for_status()


def inputs(record: Record) -> Items:
    found: Items = json.loads(record.body)["input"]
    return found


def test_a_whole_input_is_planned_and_stays_masked_from_http_to_websocket_and_back(
    theatre: Stage, tmp_path: Path
) -> None:
    records = theatre.simulate(script((), Answer(text="on")), load_profiles())
    whole = history(40)
    held = [*whole, user("more")]

    async def conversation(url: str) -> None:
        async with agent(url) as caller:
            await caller.ask(whole[:-2], stream_id="lane")
            await caller.ask(whole)

    with holdfast(tmp_path, theatre.urls, "--policy", eager(tmp_path)) as proxy:
        over_http(proxy.url, whole[:-4])
        run(conversation(proxy.url))
        over_http(proxy.url, held)
        proxy.settled(4)
    turns = [inputs(record) for record in done(records, 4)]
    masked = [
        {n: str(now) for n, (now, was) in enumerate(zip(turn, held, strict=False)) if now != was} for turn in turns
    ]
    for before, after in pairwise(masked):
        assert before and before.items() <= after.items()
    assert masked[0] != masked[1] != masked[2]  # a message of the WebSocket was edited, too
    assert json.loads(records[1].body)["type"] == "response.create"


def test_unedited_messages_are_the_very_text_that_was_sent(theatre: Stage, tmp_path: Path) -> None:
    records = theatre.simulate(script((), Answer(text="on")), load_profiles())
    odd = (
        '{ "type" : "response.create","model":"gpt-5.1-codex", "store":false,"input":[{"role":"user","content":"%s"}] }'
    )
    texts = [odd % text for text in ("a\\u00e9\\ud83d", "1", "\\/ü€")]

    async def conversation(url: str) -> None:
        async with agent(url) as caller:
            for text in texts:
                assert (await caller.answer(text))[-1]["type"] == "response.completed"

    with holdfast(tmp_path, theatre.urls) as proxy:
        run(conversation(proxy.url))
        numbers = proxy.settled(3)
    assert [record.body.decode() for record in done(records, 3)] == texts
    assert counted(numbers) == billed(records)


def test_an_unknown_answer_is_refused_by_the_provider_and_measured(theatre: Stage, tmp_path: Path) -> None:
    records = theatre.simulate(script((), Answer(text="on")), load_profiles())

    async def conversation(url: str) -> None:
        async with agent(url) as caller:
            refused = await caller.ask([user("x")], previous_response_id="resp_other")
            assert refused["error"]["code"] == "previous_response_not_found" and refused["status"] == 400
            await caller.ask([user("x")])

    with holdfast(tmp_path, theatre.urls) as proxy:
        run(conversation(proxy.url))
        numbers = proxy.settled(2)
    assert numbers.total("holdfast_passthrough_total", reason="history_unknown") == 1
    assert numbers.total("holdfast_requests_total", status_class="4xx") == 1
    assert counted(numbers) == billed(records)


def test_a_conversation_goes_on_over_a_new_connection_where_the_provider_stores_it(
    theatre: Stage, tmp_path: Path
) -> None:
    records = theatre.simulate(script((), Answer(text="on")), load_profiles())

    async def conversation(url: str) -> None:
        async with agent(url) as caller:
            first = await caller.ask([user(words(1))], store=True)
        async with agent(url) as caller:
            await caller.ask([user("x")], store=True, previous_response_id=first["id"])
        async with agent(url, authorization="Bearer other") as caller:
            await caller.ask([user("x")], previous_response_id=first["id"])

    with holdfast(tmp_path, theatre.urls) as proxy:
        run(conversation(proxy.url))
        numbers = proxy.settled(3)
    assert counted(numbers) == billed(records)
    # INVARIANT: ISOLATED - the third caller is another tenant, for whom that id names nothing
    assert numbers.total("holdfast_passthrough_total", reason="history_unknown") == 1


def test_lanes_of_one_connection_are_told_apart(theatre: Stage, tmp_path: Path) -> None:
    records = theatre.simulate(script((), Answer(text="on")), load_profiles())

    async def conversation(url: str) -> None:
        async with agent(url) as caller:
            for lane in ("a", "b", "a"):
                body = {"type": "response.create", "model": MODEL, "input": [user(words(1))], "stream_id": lane}
                await caller.socket.send(json.dumps(body))
            ends = 0
            while ends < 3:
                ends += json.loads(await caller.socket.recv())["type"] == "response.completed"

    with holdfast(tmp_path, theatre.urls) as proxy:
        run(conversation(proxy.url))
        numbers = proxy.settled(3)
    assert counted(numbers) == billed(done(records, 3))
    assert numbers.total("holdfast_inflight_requests") == 0


def test_an_answer_that_breaks_off_is_a_clean_close_and_is_accounted_for(theatre: Stage, tmp_path: Path) -> None:
    theatre.simulate(script((), Answer(text="on " * 50)), load_profiles(), faults=fault_on(0, Fault(abort_after=500)))

    async def conversation(url: str) -> None:
        async with agent(url) as caller:
            with pytest.raises(ConnectionClosed) as closed:
                await caller.ask([user("x")])
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1011

    with holdfast(tmp_path, theatre.urls) as proxy:
        run(conversation(proxy.url))
        numbers = proxy.settled(1)
        assert b"a WebSocket to upstream `openai` ended: upstream_lost" in proxy.errors.read_bytes()
    assert numbers.total("holdfast_websocket_ends_total", end="upstream_lost") == 1
    assert numbers.total("holdfast_inflight_requests") == 0


def test_an_agent_that_leaves_in_an_answer_is_noticed_by_the_provider(theatre: Stage, tmp_path: Path) -> None:
    delays = Delays(chunk=0.05)
    records = theatre.simulate(script((), Answer(text="on " * 500)), load_profiles(), delays=delays)

    async def conversation(url: str) -> None:
        async with agent(url) as caller:
            await caller.socket.send(json.dumps({"type": "response.create", "model": MODEL, "input": [user("x")]}))
            await caller.socket.recv()
            caller.socket.transport.abort()

    with holdfast(tmp_path, theatre.urls) as proxy:
        run(conversation(proxy.url))
        assert done(records, 1)[0].left == "during"
        numbers = proxy.settled(1)
    assert numbers.total("holdfast_websocket_ends_total", end="agent_lost") == 1


def test_a_stop_lets_the_turn_in_flight_finish_and_then_closes(theatre: Stage, tmp_path: Path) -> None:
    theatre.simulate(script((), Answer(text="on " * 100)), load_profiles(), delays=Delays(chunk=0.05))

    async def conversation(proxy: Holdfast) -> None:
        async with agent(proxy.url) as caller:
            body = {"type": "response.create", "model": MODEL, "input": [user("x")]}
            await caller.socket.send(json.dumps(body))
            await caller.socket.recv()
            proxy.process.terminate()
            seen: list[str] = []
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    seen.append(json.loads(await caller.socket.recv())["type"])
            assert seen[-1] == "response.completed"
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012

    with holdfast(tmp_path, theatre.urls) as proxy:
        run(conversation(proxy))


def test_a_stop_that_runs_out_of_patience_closes_all_the_same(theatre: Stage, tmp_path: Path) -> None:
    theatre.simulate(script((), Answer(text="on")), load_profiles(), faults=fault_on(0, Fault(hang=True)))

    async def conversation(proxy: Holdfast) -> None:
        async with agent(proxy.url) as caller:
            await caller.socket.send(json.dumps({"type": "response.create", "model": MODEL, "input": [user("x")]}))
            await asyncio.sleep(0.5)
            proxy.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                await caller.socket.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012

    with holdfast(tmp_path, theatre.urls, environ={"HOLDFAST_DRAIN": "1s"}) as proxy:
        run(conversation(proxy))


@pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")  # how openai 3.54 calls websockets
def test_the_openai_sdk_holds_the_same_conversation_direct_and_through(theatre: Stage, tmp_path: Path) -> None:
    def conversation(url: str) -> list[Any]:
        events: list[Any] = []
        with openai.OpenAI(api_key="k", base_url=f"{url}/v1") as client, client.responses.connect() as socket:
            fields: Event = {}
            for number in range(3):
                socket.response.create(model=MODEL, input=[user(words(number))], store=False, **fields)  # type: ignore[list-item]
                for event in socket:
                    events.append(event.model_dump())
                    if event.type == "response.completed":
                        fields = {"previous_response_id": event.response.id}
                        break
        return events

    theatre.simulate(script((), Answer(text="on")), load_profiles())
    direct = conversation(theatre.urls["openai"])
    records = theatre.simulate(script((), Answer(text="on")), load_profiles())
    with holdfast(tmp_path, theatre.urls) as proxy:
        assert conversation(proxy.url) == direct
        assert counted(proxy.settled(3)) == billed(records)


@pytest.mark.skipif(not CAPTURE.exists(), reason="../shared/captures is not there: what the real Codex sent")
def test_what_codex_sent_passes_byte_for_byte_and_is_followed(theatre: Stage, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in gzip.open(CAPTURE, "rt", encoding="utf-8")]
    messages = [line["body"] for line in lines if line["event"] == "message"]
    headers = {name: value for name, value in lines[0]["headers"].items() if name not in OWN}
    records = theatre.simulate(script(tuple(map(asking_for, messages[2:]))), load_profiles())

    async def conversation(url: str) -> list[str]:
        sent, last = [], ""
        async with agent(url, **headers) as caller:
            for message in messages:
                before = json.loads(message).get("previous_response_id")
                sent.append(message.replace(f'"{before}"', f'"{last}"', 1) if before else message)
                event = (await caller.answer(sent[-1]))[-1]
                assert event["type"] == "response.completed", event
                last = event["response"]["id"]
        return sent

    sent: list[str] = []

    async def replay(url: str) -> None:
        sent.extend(await conversation(url))

    with holdfast(tmp_path, theatre.urls) as proxy:
        run(replay(proxy.url))
        numbers = proxy.settled(len(messages))
    assert [record.body.decode() for record in done(records, len(messages))] == sent
    assert dict(records[0].headers).items() >= headers.items()
    assert counted(numbers) == billed(records)
    assert numbers.total("holdfast_passthrough_total") == 1  # the warm-up


def asking_for(message: str) -> Answer:
    """The answer that this message gives the outputs of."""
    items = json.loads(message)["input"]
    names = [item["call_id"] for item in items if item["type"] == "function_call_output"]
    return Answer(calls=tuple(ToolCall("exec_command", '{"cmd":"ls"}', name) for name in names))


OWN = frozenset(
    {"host", "connection", "upgrade", "content-length", "sec-websocket-version", "sec-websocket-key"}
    | {"sec-websocket-extensions"}
)
"""Headers that belong to one connection."""
