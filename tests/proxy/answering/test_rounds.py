"""One answer out of several: what goes up, what comes down, and what happens where it cannot go on."""

import json
from collections.abc import AsyncIterator
from typing import TypeVar

import httpx
import pytest

from proxy.answering.calls import Called
from proxy.answering.lookup import Result
from proxy.answering.messages import MessagesStream
from proxy.answering.rounds import LAST, MAX_CALLS, MAX_ROUNDS, NOTE, Rounds
from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from proxy.tap import Silent, Tap, open_tap
from tests.proxy.answering.parsing import message
from tests.proxy.answering.worded import Said, calling, spoken, worded
from tests.proxy.running import scenario

BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
ASKS = Said("one", (spoken("Let me look."), calling("recall")), "calls")
TELLS = Said("two", (spoken("It is 4711."),))
BOTH = Said("one", (calling("recall"), calling("read")), "calls")
T = TypeVar("T")
HEADERS = [(b"content-type", b"text/event-stream")]


class Body(httpx.AsyncByteStream):
    """Chunks, and perhaps a break; remembers whether it was closed."""

    def __init__(self, data: bytes, broken: bool = False) -> None:
        self.data, self.broken, self.closed = data, broken, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.data), 30):
            yield self.data[at : at + 30]
        if self.broken:
            raise httpx.ReadError("broke off")

    async def aclose(self) -> None:
        self.closed = True


class Provider:
    """Gives what it was told to, in order."""

    def __init__(self, *answers: Said | int | Exception | Body) -> None:
        self.answers, self.asked, self.bodies = list(answers), list[bytes](), list[Body]()
        self.told: list[str] = []
        self.owed: list[str] = []
        self.calls: list[Called] = []

    async def ask(self, body: bytes) -> httpx.Response:
        self.asked.append(body)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return self._response(answer, Body(b"no"))
        stream = answer if isinstance(answer, Body) else Body(worded("anthropic_messages", answer, True))
        return self._response(200, stream)

    def _response(self, status: int, body: Body) -> httpx.Response:
        self.bodies.append(body)
        return httpx.Response(status, headers=HEADERS, stream=body)

    async def reply(self, called: Called) -> Result:
        self.calls.append(called)
        return Result(f"result {len(self.calls)}", "recalled")

    def rounds(self) -> Rounds:
        return Rounds(
            splicer=MessagesStream(frozenset({"recall"})),
            body=BODY,
            list_key="messages",
            ask=self.ask,
            reply=self.reply,
            alike=lambda response: response.status_code == 200,
            tap=lambda response: tap(),
            owe=self.owed.append,
            told=self.told.append,
        )


def tap() -> Tap:
    return open_tap(ANTHROPIC_MESSAGES, 200, HEADERS, 1_000_000)


async def given(rounds: Rounds, first: Said | Body) -> bytes:
    body = first if isinstance(first, Body) else Body(worded("anthropic_messages", first, True))
    return b"".join([part async for part in rounds.relayed(body, Silent())])


@scenario
async def test_a_call_is_answered_by_what_was_sent_with_more_behind_it() -> None:
    provider = Provider(TELLS)
    rounds = provider.rounds()
    answer = message(await given(rounds, ASKS), True)
    assert [block["text"] for block in answer["content"]] == ["Let me look.", "It is 4711."]
    [body] = provider.asked
    assert body.startswith(BODY.removesuffix(b"]}"))
    asked, result = json.loads(body)["messages"][1:]
    assert [block["type"] for block in asked["content"]] == ["text", "tool_use"]
    assert result["content"][0] == {"type": "tool_result", "tool_use_id": "toolu_one1", "content": "result 1"}
    assert [one.arguments for one in provider.calls] == ['{"id": "hf-a"}']
    assert provider.told == ["recalled"] and all(body.closed for body in provider.bodies)
    [usage] = rounds.usages
    assert (usage.input, usage.cache_read, usage.output) == (100, 60, 10)


@scenario
async def test_further_requests_are_bounded_and_the_model_is_told_at_the_last() -> None:
    provider = Provider(ASKS, ASKS, ASKS)
    answer = message(await given(provider.rounds(), ASKS), True)
    assert len(provider.asked) == MAX_ROUNDS and answer["stop_reason"] == "end_turn"
    assert answer["content"][-1]["text"] == NOTE
    assert provider.told == ["recalled"] * MAX_ROUNDS + ["too_many"]
    assert json.dumps(LAST)[1:-1].encode() in provider.asked[-1]
    assert provider.asked[-2].removesuffix(b"]}") == provider.asked[-1][: len(provider.asked[-2]) - 2]


@scenario
async def test_calls_at_once_are_bounded() -> None:
    provider = Provider(TELLS)
    await given(provider.rounds(), Said("one", (calling("recall"),) * (MAX_CALLS + 2), "calls"))
    results = json.loads(provider.asked[0])["messages"][-1]["content"]
    assert len(provider.calls) == MAX_CALLS and len(results) == MAX_CALLS + 2
    assert provider.told == ["recalled"] * MAX_CALLS + ["too_many"] * 2


@pytest.mark.parametrize(
    ("failure", "word"),
    [(529, "refused"), (httpx.ConnectError("gone"), "failed"), (RuntimeError("a fault of ours"), "failed")],
)
@scenario
async def test_where_the_provider_does_not_go_on_the_answer_ends_well(failure: int | Exception, word: str) -> None:
    provider = Provider(failure)
    answer = message(await given(provider.rounds(), ASKS), True)
    assert [block["text"] for block in answer["content"]] == ["Let me look.", NOTE]
    assert answer["stop_reason"] == "end_turn" and provider.told == [word]
    assert all(body.closed for body in provider.bodies)


@scenario
async def test_a_further_answer_that_breaks_off_breaks_off_the_agents() -> None:
    half = Body(worded("anthropic_messages", TELLS, True)[:500], broken=True)
    provider = Provider(half)
    rounds = provider.rounds()
    parts: list[bytes] = []
    with pytest.raises(httpx.ReadError):
        async for part in rounds.relayed(Body(worded("anthropic_messages", ASKS, True)), Silent()):
            parts.append(part)
    assert b"message_stop" not in b"".join(parts) and half.closed


@scenario
async def test_a_call_beside_the_agents_own_is_answered_at_its_next_turn() -> None:
    provider = Provider()
    answer = message(await given(provider.rounds(), BOTH), True)
    assert [block["name"] for block in answer["content"]] == ["read"]
    assert provider.asked == [] and provider.told == ["recalled"]
    [note] = provider.owed
    assert note.endswith('recall {"id": "hf-a"} gave:\nresult 1')


@scenario
async def test_whoever_stops_reading_stops_the_provider() -> None:
    provider = Provider(TELLS)
    relayed = provider.rounds().relayed(Body(worded("anthropic_messages", ASKS, True)), Silent())
    async for part in relayed:
        if b"4711" in part:
            break
    await relayed.aclose()
    assert [body.closed for body in provider.bodies] == [True]


class Faulty(MessagesStream):
    """Has a fault in one of its methods."""

    fault = ""

    def feed(self, chunk: bytes) -> bytes:
        return self._or(super().feed(chunk), "feed")

    def pending(self) -> tuple[Called, ...]:
        return self._or(super().pending(), "pending")

    def dropped(self) -> tuple[Called, ...]:
        return self._or(super().dropped(), "dropped")

    def finish(self, note: str) -> bytes:
        return self._or(super().finish(note), "finish")

    def _or(self, value: T, method: str) -> T:
        if method == self.fault:
            raise RuntimeError("a fault of ours")
        return value


@pytest.mark.parametrize("method", ["feed", "pending", "dropped", "finish"])
@scenario
async def test_a_fault_of_ours_never_breaks_an_answer(method: str) -> None:
    provider = Provider()
    rounds = provider.rounds()
    rounds.splicer = faulty = Faulty(frozenset({"recall"}))
    faulty.fault = method
    body = worded("anthropic_messages", TELLS, True)
    assert await given(rounds, TELLS) == body
    assert set(provider.told) == {"failed"}


@scenario
async def test_what_comes_passes_while_it_comes() -> None:
    """A part for each chunk: whoever relays it knows that the provider is alive."""
    body = Body(worded("anthropic_messages", TELLS, True))
    count, chunks = 0, -(-len(body.data) // 30)
    async for _ in Provider().rounds().relayed(body, Silent()):
        count += 1
    assert count == chunks + 1
