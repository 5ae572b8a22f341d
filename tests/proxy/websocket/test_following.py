"""Which answer belongs to which request, and that following never gets in the way."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from msgspec.structs import replace

from policies.core.usage import Usage
from proxy import exchange
from proxy.dialects.openai_responses import OPENAI_RESPONSES
from proxy.lifecycle import Lifecycle
from proxy.limits import Limits
from proxy.turns import Asked, Turns
from proxy.websocket import following
from proxy.websocket.following import Conversation
from proxy.websocket.histories import Histories
from tests.proxy.running import Recorder, scenario

Fields = dict[str, Any]
Prepare = Callable[[exchange.Request, exchange.Context, float], Awaitable[exchange.Prepared]]


@dataclass
class Told:
    """Stands for the driver's context: only its witness and the tenant key are a follower's business."""

    tenant_key: bytes = b"key"
    tenants: dict[bytes, bytes] = field(default_factory=dict)
    degradations: list[tuple[str, str]] = field(default_factory=list)

    @property
    def witness(self) -> "Told":
        return self

    def degraded(self, what: str, reason: str) -> None:
        self.degradations.append((what, reason))


class Stage:
    """A conversation and all that it was told and asked."""

    def __init__(self, prepare: Prepare | None = None, histories: Histories | None = None, **headers: bytes) -> None:
        self.told, self.recorder, self.lifecycle = Told(), Recorder(), Lifecycle()
        self.requests: list[Fields] = []
        self.settled: list[tuple[Usage | None, int, str]] = []
        turns = Turns(
            cast(exchange.Context, self.told),
            lambda: 0.0,
            Limits(),
            self.lifecycle,
            self.recorder,
            prepare or self._prepare,
            self._settle,
        )
        authorization = (b"authorization", headers.get("authorization", b"Bearer k"))
        asked = Asked("openai", OPENAI_RESPONSES, "/v1/responses", b"", (authorization,))
        self.histories = histories or Histories(100_000)
        self.conversation = Conversation(asked, turns, self.histories)

    async def _prepare(self, request: exchange.Request, context: exchange.Context, now: float) -> exchange.Prepared:
        self.requests.append(json.loads(request.body))
        return exchange.Prepared(request, request.body, ())

    async def _settle(
        self,
        prepared: exchange.Prepared,
        context: exchange.Context,
        usage: Usage | None,
        now: float,
        *,
        status: int = 200,
    ) -> None:
        self.settled.append((replace(usage, answer=None) if usage else None, status, prepared.passthrough))

    async def ask(self, *items: object, **fields: object) -> None:
        message = create(*items, **fields)
        assert await self.conversation.upward(message) == message
        await asyncio.sleep(0)  # a plan that nobody waits for begins behind the message

    def tell(self, kind: str, **fields: object) -> None:
        self.conversation.downward(json.dumps({"type": kind, **fields}))

    def answer(self, name: str, *output: object, **fields: object) -> None:
        """A whole answer, its items one by one."""
        self.tell("response.created", response={"id": name}, **fields)
        for item in output:
            self.tell("response.output_item.done", item=item, **fields)
        usage = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 2}
        self.tell("response.completed", response={"id": name, "output": list(output), "usage": usage}, **fields)

    async def accounts(self) -> list[tuple[Usage | None, int, str]]:
        await self.lifecycle.finish(1)
        return self.settled


def create(*items: object, **fields: object) -> str:
    return json.dumps({"type": "response.create", "model": "m", "input": list(items), **fields})


USAGE = Usage(input=10, cache_read=4, output=2)


@scenario
async def test_what_stands_before_a_delta_is_joined_to_it_for_the_accounts() -> None:
    stage = Stage()
    await stage.ask("one")
    stage.answer("r1", {"said": 1})
    await stage.ask("two", "three", previous_response_id="r1")
    stage.answer("r2", {"said": 2})
    await stage.ask(previous_response_id="r2")
    accounts = await stage.accounts()
    assert [request["input"] for request in stage.requests] == [
        ["one"],
        ["one", {"said": 1}, "two", "three"],
        ["one", {"said": 1}, "two", "three", {"said": 2}],
    ]
    assert stage.requests[1]["previous_response_id"] == "r1"
    assert accounts == [(USAGE, 200, "")] * 2
    assert stage.conversation.owed == 1


@scenario
async def test_an_answers_items_are_taken_from_its_last_event_where_none_came_alone() -> None:
    stage = Stage()
    await stage.ask("one")
    stage.tell("response.completed", response={"id": "r1", "output": [{"said": 1}]})
    await stage.ask("two", previous_response_id="r1")
    assert stage.requests[1]["input"] == ["one", {"said": 1}, "two"]


@scenario
async def test_a_warm_up_is_measured_and_not_planned_and_can_be_continued() -> None:
    stage = Stage()
    await stage.ask("one", generate=False)
    stage.answer("r1")
    await stage.ask("two", previous_response_id="r1")
    assert [request["input"] for request in stage.requests] == [["one", "two"]]
    assert await stage.accounts() == [(USAGE, 200, "warm_up")]


@pytest.mark.parametrize(
    "fields",
    [{"previous_response_id": "unknown"}, {"previous_response_id": "r1", "input": "a text"}],
)
@scenario
async def test_what_cannot_be_seen_whole_is_measured_only(fields: Fields) -> None:
    stage = Stage()
    await stage.ask("one")
    stage.answer("r1")
    await stage.ask("two", **fields)
    stage.answer("r2")
    assert len(stage.requests) == 1
    assert (await stage.accounts())[1] == (USAGE, 200, "history_unknown")


@scenario
async def test_an_answer_in_a_conversation_that_the_provider_keeps_is_not_continued() -> None:
    stage = Stage()
    await stage.ask("one", conversation="conv_1")
    stage.answer("r1")
    await stage.ask("two", previous_response_id="r1")
    stage.answer("r2")
    assert (await stage.accounts())[1][2] == "history_unknown"


@scenario
async def test_another_tenant_does_not_see_the_history() -> None:
    histories = Histories(100_000)
    mine, other = Stage(histories=histories), Stage(histories=histories, authorization=b"Bearer other")
    await mine.ask("one")
    mine.answer("r1")
    await other.ask("two", previous_response_id="r1")
    assert not other.requests


@scenario
async def test_lanes_are_answered_each_in_its_own_order() -> None:
    stage = Stage()
    await stage.ask("a1", stream_id="a")
    await stage.ask("b1", stream_id="b")
    await stage.ask("a2", stream_id="a")
    stage.answer("rb", stream_id="b")
    stage.answer("ra1", stream_id="a")
    stage.answer("ra2", stream_id="a")
    await stage.ask("x", previous_response_id="ra2")
    assert stage.requests[3]["input"] == ["a2", "x"]
    assert stage.conversation.owed == 1


@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("error", {"status": 429, "error": {"code": "x"}}, 429),
        ("error", {"error": {"code": "x"}}, 500),
        ("response.failed", {"response": {"id": "r1"}}, 500),
        ("response.incomplete", {"response": {"id": "r1"}}, 200),
    ],
)
@scenario
async def test_each_way_in_which_an_answer_ends_ends_it(kind: str, fields: Fields, status: int) -> None:
    stage = Stage()
    await stage.ask("one", stream_id="a")
    stage.tell(kind, **fields)  # an error need not name its lane
    assert stage.conversation.owed == 0
    assert (await stage.accounts())[0][1] == status
    assert [answered.status for answered in stage.recorder.exchanges] == [status]


@scenario
async def test_an_event_that_answers_nothing_is_no_ones() -> None:
    stage = Stage()
    stage.tell("error", status=400, error={})
    stage.tell("response.completed", response={"id": "r"})
    stage.tell("codex.rate_limits")
    assert not await stage.accounts() and not stage.recorder.begun


@scenario
async def test_a_steered_answer_is_followed_by_one_that_nobody_asked_for() -> None:
    stage = Stage()
    await stage.ask("one")
    stage.answer("r1")
    stage.answer("r2")
    assert [account[2] for account in await stage.accounts()] == ["", "steered"]
    await stage.ask("x", previous_response_id="r2")
    assert len(stage.requests) == 1  # what was steered in is not known


@pytest.mark.parametrize("data", ["", "nonsense", "[1]", '{"type":"response.steer"}', '{"input":[]}', b"\x00{"])
@scenario
async def test_what_is_no_request_passes_and_is_not_counted(data: str | bytes) -> None:
    stage = Stage()
    assert await stage.conversation.upward(data) is data
    stage.conversation.downward(data)
    assert not stage.recorder.begun and not stage.told.degradations


@scenario
async def test_an_edited_message_goes_up_as_edited() -> None:
    async def edit(request: exchange.Request, context: exchange.Context, now: float) -> exchange.Prepared:
        return exchange.Prepared(request, request.body.replace(b"long", b"short"), ())

    stage = Stage(edit)
    assert await stage.conversation.upward(create("long")) == create("short")
    stage.answer("r1")
    whole = create("long", previous_response_id="r1")
    assert await stage.conversation.upward(whole) is whole  # only a delta: as it came, whatever was planned


@scenario
async def test_a_fault_in_following_changes_no_message_and_is_told() -> None:
    async def fail(request: exchange.Request, context: exchange.Context, now: float) -> exchange.Prepared:
        raise RuntimeError("a fault in a driver")

    stage = Stage(fail)
    stage.histories.keep(stage.conversation._tenant(), "r0", None, [b'"zero"'])
    for message in (create("one"), create("two", previous_response_id="r0")):
        assert await stage.conversation.upward(message) is message
        stage.answer("r1")
    await stage.accounts()
    assert stage.told.degradations == [("websocket", "RuntimeError")] * 2
    assert stage.conversation.owed == 0 and len(stage.recorder.begun) == len(stage.recorder.exchanges) == 2


@scenario
async def test_a_message_that_cannot_be_edited_does_not_wait_for_its_plan() -> None:
    planning = asyncio.Event()

    async def think(request: exchange.Request, context: exchange.Context, now: float) -> exchange.Prepared:
        await planning.wait()
        return exchange.Prepared(request, request.body, ())

    stage = Stage(think)
    stage.histories.keep(stage.conversation._tenant(), "r0", None, [b'"zero"'])
    await stage.ask("one", previous_response_id="r0")
    stage.answer("r1")
    assert not stage.settled
    planning.set()
    assert await stage.accounts() == [(USAGE, 200, "")]


@scenario
async def test_an_answer_cut_in_an_emoji_ends_and_is_measured() -> None:
    stage = Stage()
    await stage.ask("one")
    usage = '{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":2}'
    text = '{"type":"response.completed","response":{"id":"r1","output":["\\ud83d"],"usage":USAGE}}'
    stage.conversation.downward(text.replace("USAGE", usage))
    assert await stage.accounts() == [(USAGE, 200, "")]
    await stage.ask("two", previous_response_id="r1")
    assert len(stage.requests) == 1  # its exact bytes are not known


@scenario
async def test_what_is_still_owed_when_the_connection_ends_is_accounted_for_as_broken_off() -> None:
    stage = Stage()
    await stage.ask("one")
    await stage.ask("two", stream_id="a")
    stage.conversation.over()
    assert await stage.accounts() == [(None, 499, "")] * 2
    assert stage.conversation.owed == 0 and len(stage.recorder.begun) == len(stage.recorder.exchanges) == 2


@scenario
async def test_too_many_answers_at_once_are_followed_no_further_and_still_relayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "MOST_OWED", 3)
    stage = Stage()
    for number in range(4):
        await stage.ask(number)
    assert stage.conversation.owed == 0
    await stage.ask("later")
    stage.answer("r1")
    assert len(stage.requests) == 4 and len(await stage.accounts()) == 4
    assert len(stage.recorder.begun) == len(stage.recorder.exchanges) == 4


@scenario
async def test_times_are_those_of_the_answer() -> None:
    stage = Stage()
    await stage.ask("one")
    await asyncio.sleep(0.05)
    stage.answer("r1")
    await stage.accounts()
    answered = stage.recorder.exchanges[0]
    assert answered.first_byte_seconds is not None and answered.upstream_seconds is not None
    assert 0.04 < answered.first_byte_seconds <= answered.upstream_seconds + answered.prepare_seconds + 0.001
    assert answered.prepared is not None and answered.streamed
