"""Responses over a WebSocket: what a connection remembers, what is refused and how."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from proxy.simulator.app import create
from proxy.simulator.brains import Answer, ToolCall, script
from proxy.simulator.faults import Delays, Fault, fault_on
from proxy.simulator.records import Record
from proxy.simulator.responses.socket import LIFE
from tests.proxy.simulator.provider import OPENAI, PROFILES

Serve = Callable[[Any], str]
Event = dict[str, Any]
USER = {"role": "user", "content": "hello"}
TERMINAL = ("error", "response.completed", "response.incomplete")


class Caller:
    """An agent on one connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def events(self, **fields: Any) -> list[Event]:
        """All events of one answer."""
        body = {"type": "response.create", "model": "gpt-4", "store": False, "input": [USER], **fields}
        await self.socket.send(json.dumps(body))
        events: list[Event] = []
        while not events or events[-1]["type"] not in TERMINAL:
            events.append(json.loads(await self.socket.recv()))
        return events

    async def ask(self, **fields: Any) -> Event:
        event = (await self.events(**fields))[-1]
        assert event["type"] != "error", event
        response: Event = event["response"]
        return response

    async def refusal(self, **fields: Any) -> Event:
        event = (await self.events(**fields))[-1]
        assert event["type"] == "error"
        return event


@asynccontextmanager
async def calling(url: str, **headers: str) -> AsyncIterator[Caller]:
    address = url.replace("http", "ws") + "/v1/responses"
    async with connect(address, additional_headers=headers or OPENAI, proxy=None) as socket:
        yield Caller(socket)


def run(app: Starlette, serve: Serve, conversation: Callable[[str], Any]) -> list[Record]:
    """Holds the conversation with the served application; its log."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await conversation(url)

    url = serve(app)
    asyncio.run(bounded())
    records: list[Record] = app.state.log.records
    return records


def simulator(**options: Any) -> Starlette:
    return create(**{"profiles": PROFILES, **options})


def test_a_conversation_goes_on_from_the_answer_before_although_nothing_is_stored(serve: Serve) -> None:
    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            first = await caller.ask(input=[{"role": "user", "content": "x" * 8000}])
            second = await caller.ask(previous_response_id=first["id"])
            assert second["usage"]["input_tokens"] > 2000
            assert second["usage"]["input_tokens_details"]["cached_tokens"] >= 1920

    records = run(simulator(), serve, conversation)
    assert [(record.method, record.status, record.done) for record in records] == [("WEBSOCKET", 200, True)] * 2


def test_a_warm_up_says_nothing_costs_nothing_and_can_be_continued(serve: Serve) -> None:
    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            warm = await caller.ask(generate=False, input=[{"role": "developer", "content": "x" * 8000}])
            assert warm["output"] == [] and warm["usage"]["total_tokens"] == 0
            turn = await caller.ask(previous_response_id=warm["id"])
            assert turn["usage"]["input_tokens"] > 2000
            assert turn["usage"]["input_tokens_details"]["cached_tokens"] == 0

    run(simulator(), serve, conversation)


def test_events_are_numbered_and_carry_their_lane(serve: Serve) -> None:
    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            events = await caller.events(stream_id="main")
            assert [event["sequence_number"] for event in events] == list(range(len(events)))
            assert {event["stream_id"] for event in events} == {"main"}
            assert events[0]["type"] == "response.created"
            assert all("stream_id" not in event for event in await caller.events())

    run(simulator(), serve, conversation)


def test_only_the_newest_answer_of_a_lane_is_remembered_and_any_lane_may_go_on_from_it(serve: Serve) -> None:
    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            old = await caller.ask(stream_id="a")
            new = await caller.ask(stream_id="a", previous_response_id=old["id"])
            await caller.ask(stream_id="b", previous_response_id=new["id"])
            error = await caller.refusal(stream_id="a", previous_response_id=old["id"])
            assert (error["status"], error["stream_id"]) == (400, "a")
            assert error["error"]["code"] == "previous_response_not_found"
            assert error["error"]["message"] == f"Previous response with id '{old['id']}' not found."

    run(simulator(), serve, conversation)


def test_another_connection_knows_only_what_was_stored(serve: Serve) -> None:
    async def conversation(url: str) -> None:
        async with calling(url) as first:
            kept, lost = await first.ask(store=True, stream_id="a"), await first.ask()
        async with calling(url) as second:
            await second.ask(previous_response_id=kept["id"])
            error = await second.refusal(previous_response_id=lost["id"])
            assert error["error"]["code"] == "previous_response_not_found"
            assert "stream_id" not in error

    run(simulator(), serve, conversation)


def test_a_refused_message_makes_the_connection_forget_what_it_named(serve: Serve) -> None:
    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            first = await caller.ask()
            await caller.refusal(previous_response_id=first["id"], input=[{"role": "nobody", "content": "x"}])
            error = await caller.refusal(previous_response_id=first["id"])
            assert error["error"]["code"] == "previous_response_not_found"

    run(simulator(), serve, conversation)


def test_a_call_is_answered_by_its_output_alone(serve: Serve) -> None:
    brain = script((Answer(calls=(ToolCall("run", id="call_1"),), reasoning="so"),), Answer(text="done"))

    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            tools = [{"type": "function", "name": "run", "parameters": {}}]
            first = await caller.ask(tools=tools)
            output = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
            second = await caller.ask(tools=tools, previous_response_id=first["id"], input=[output])
            assert second["output"][-1]["content"][0]["text"] == "done"

    run(simulator(brain=brain), serve, conversation)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"type": "response.other"}, "invalid_value", "type"),
        ({"stream_id": ""}, "invalid_stream_id", "stream_id"),
        ({"stream_id": "a b"}, "invalid_stream_id", "stream_id"),
        ({"background": True}, None, "background"),
        ({"generate": 1}, "invalid_type", "generate"),
        ({"surprise": 1}, "unknown_parameter", "surprise"),
        ({"input": []}, "empty_array", "input"),
    ],
)
def test_what_the_provider_refuses_is_an_error_event_and_the_connection_goes_on(
    serve: Serve, fields: Event, code: str | None, param: str
) -> None:
    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            error = (await caller.refusal(**fields))["error"]
            assert (error["code"], error["param"]) == (code, param)
            await caller.ask()

    assert run(simulator(), serve, conversation)[0].status == 400


@pytest.mark.parametrize("message", ["", "nonsense", "[]", "{}", b"\x00"])
def test_what_is_no_event_is_refused(serve: Serve, message: str | bytes) -> None:
    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            await caller.socket.send(message)
            assert json.loads(await caller.socket.recv())["type"] == "error"

    run(simulator(), serve, conversation)


def test_a_connection_has_at_most_32_named_lanes(serve: Serve) -> None:
    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            for number in range(32):
                await caller.ask(stream_id=f"lane-{number}")
            error = await caller.refusal(stream_id="one-more")
            assert error["error"]["code"] == "websocket_stream_limit_reached"

    run(simulator(), serve, conversation)


def test_a_connection_ends_after_an_hour(serve: Serve) -> None:
    now = 0.0

    async def conversation(url: str) -> None:
        nonlocal now
        async with calling(url) as caller:
            await caller.ask()
            now = LIFE
            error = await caller.refusal()
            assert error["error"]["code"] == "websocket_connection_limit_reached"
            with pytest.raises(ConnectionClosed):
                await caller.socket.recv()

    run(simulator(clock=lambda: now), serve, conversation)


@pytest.mark.parametrize(("path", "headers", "status"), [("/v1/responses", {}, 401), ("/v1/other", OPENAI, 404)])
def test_a_handshake_without_credential_or_on_another_path_is_refused(
    serve: Serve, path: str, headers: dict[str, str], status: int
) -> None:
    async def conversation(url: str) -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url.replace("http", "ws") + path, additional_headers=headers, proxy=None):
                pass
        assert refused.value.response.status_code == status
        assert "error" in json.loads(refused.value.response.body)

    records = run(simulator(), serve, conversation)
    assert [(record.method, record.status) for record in records] == [("GET", status)]


def test_a_fault_is_an_error_event_with_its_headers(serve: Serve) -> None:
    fault = Fault(status=429, message="slow down", headers=(("retry-after", "3"),))

    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            error = await caller.refusal(stream_id="a")
            assert error["status"] == 429 and error["headers"] == {"retry-after": "3"}

    run(simulator(faults=fault_on(0, fault)), serve, conversation)


def test_a_broken_answer_ends_without_a_close_frame(serve: Serve) -> None:
    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            with pytest.raises(ConnectionClosed) as closed:
                await caller.ask()
            assert closed.value.rcvd is None

    run(simulator(faults=fault_on(0, Fault(abort_after=1))), serve, conversation)


@pytest.mark.parametrize(("fault", "left"), [(Fault(hang=True), "before"), (None, "during")])
def test_a_caller_who_leaves_is_noticed(serve: Serve, fault: Fault | None, left: str) -> None:
    app = simulator(faults=lambda _: fault, delays=Delays(chunk=0.0 if fault else 0.05))

    async def conversation(url: str) -> None:
        async with calling(url) as caller:
            await caller.socket.send(json.dumps({"type": "response.create", "model": "gpt-4", "input": "x" * 900}))
            if fault is None:
                await caller.socket.recv()
            else:
                await asyncio.sleep(0.1)
        while not app.state.log.records[0].done:
            await asyncio.sleep(0.01)

    assert run(app, serve, conversation)[0].left == left
