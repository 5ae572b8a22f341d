"""Whatever splits the cache at the strict simulated provider is what the explainer names, and nothing is left over."""

import asyncio
from collections.abc import Callable

import pytest

from policies.core.usage import Usage
from policies.policy import Policy
from proxy.exchange import settle
from proxy.reckoning import Reckoned
from proxy.simulator.apis import Call
from proxy.simulator.brains import echo
from proxy.simulator.paths import api_of
from proxy.simulator.prompt import four_bytes_a_token
from proxy.simulator.responses.reasoning import encrypted
from proxy.simulator.seals import Seal, Seals
from proxy.simulator.service import Service
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    PROFILES,
    RESPONSES,
    Answer,
    Json,
    Replica,
    Step,
    User,
    Wire,
    dump,
    work,
)

MARK = {"cache_control": {"type": "ephemeral"}}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
FIELDS: dict[str, Json] = {
    ANTHROPIC.name: {"thinking": {"type": "disabled"}, "tool_choice": {"type": "auto"}},
    CHAT.name: {"parallel_tool_calls": True},
    RESPONSES.name: {"parallel_tool_calls": True},
}


class Provider:
    """A client that goes on by one call a turn, Holdfast in between, and the provider."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.number = wire, 0
        self.replica = Replica(Policy(name="measuring", mode="off"), count=lambda profile: four_bytes_a_token)
        self.service = Service(PROFILES, echo, four_bytes_a_token, b"key")

    def body(self, turns: int) -> Json:
        system = "Be careful. " * 2000
        body: Json = {
            **self.wire.head(self.wire.model, system, "read_file"),
            **FIELDS[self.wire.name],
            self.wire.dialect.list_key: [*self.wire.lead(system), *self.wire.messages(work(turns))],
        }
        if self.wire is ANTHROPIC:
            body["system"][-1].update(MARK)
            body["messages"][-1]["content"][-1].update(MARK)
        return body

    def turn(self, body: Json) -> Reckoned:
        async def main() -> Reckoned:
            prepared = await self.replica.prepare(self.wire, dump(body))
            await settle(prepared, self.replica.context, self._served(prepared.body), self.replica.now)
            reckoned = self.replica.witness.accounts[-1].reckoned
            assert reckoned is not None
            return reckoned

        return asyncio.run(main())

    def _served(self, body: bytes) -> Usage:
        api, self.number = api_of("POST", self.wire.path), self.number + 1
        assert api is not None
        headers = {"x-api-key": "key", "authorization": "Bearer key", "anthropic-version": "2023-06-01"}
        reply = self.service.answer(api, Call(self.wire.path, {}, headers, body), self.number, self.replica.now)
        assert reply.bill is not None, reply.error
        for _ in reply.chunks:
            pass
        reply.begin()
        reading = reply.bill.input
        return Usage(reading.total, reading.read, reading.write + reading.write_long, reading.write_long, output=50)


def _nothing(body: Json) -> None:
    """The client only goes on."""


def _with(**fields: object) -> Callable[[Json], None]:
    return lambda body: body.update(fields)


def _picture(body: Json) -> None:
    last = body["messages"][-1]["content"]
    del last[-1]["cache_control"]
    last.append({**PICTURE, **MARK})


def _tool(body: Json) -> None:
    body["tools"][0]["name"] = "write_file"


@pytest.mark.parametrize(
    ("wire", "change", "causes"),
    [
        (ANTHROPIC, _nothing, []),
        (ANTHROPIC, _with(tool_choice={"type": "any"}), ["parameters_changed"]),
        (ANTHROPIC, _with(output_config={"effort": "low"}), ["parameters_changed"]),
        (ANTHROPIC, _with(speed="fast"), ["parameters_changed"]),
        (ANTHROPIC, _picture, ["parameters_changed"]),
        (ANTHROPIC, _tool, ["tools_changed"]),
        (CHAT, _nothing, []),
        (CHAT, _with(parallel_tool_calls=False), ["parameters_changed"]),
        (CHAT, _with(service_tier="flex"), ["parameters_changed"]),
        (CHAT, _with(prompt_cache_key="b"), ["parameters_changed"]),
        (RESPONSES, _nothing, []),
        (RESPONSES, _with(reasoning={"effort": "high"}), ["parameters_changed"]),
        (RESPONSES, _with(text={"verbosity": "low"}), ["parameters_changed"]),
    ],
)
def test_what_splits_the_cache_is_named_and_nothing_is_unexplained(
    wire: Wire, change: Callable[[Json], None], causes: list[str]
) -> None:
    provider = Provider(wire)
    for turns in (1, 2):
        provider.turn(provider.body(turns))
    body = provider.body(3)
    change(body)
    found = provider.turn(body)
    assert [lost.cause for lost in found.losses] == causes
    read = provider.replica.witness.accounts[-1].usage
    assert read is not None and read.cache_read is not None
    assert read.cache_read >= found.achievable * 0.98


def _thinking(model: str, turns: int, *, spoken: bool) -> Json:
    """What Codex sends: sealed reasoning before each call, and in the end what the user says next."""
    seals, rest = Seals(b"key"), RESPONSES.head(model, "Be careful. " * 2000, "read_file")
    more: list[Step] = [Answer("Done."), User("Now the tests.")] if spoken else []
    said = RESPONSES.messages([*work(turns), *more])
    items: list[Json] = []
    for number, item in enumerate(said):
        if item.get("type") == "function_call":
            sealed = encrypted(f"Thought {number}. " * 200, Seal(model, ""), seals)
            items.append({"type": "reasoning", "id": f"rs_{number}", "summary": [], "encrypted_content": sealed})
        items.append(item)
    return {**rest, "input": items}


@pytest.mark.parametrize(
    ("model", "context", "causes"),
    [
        ("gpt-5.1", None, ["turn_boundary"]),
        ("gpt-5.1", "all_turns", []),
        ("gpt-5.6-sol", None, []),
        ("gpt-5.6-sol", "current_turn", ["turn_boundary"]),
    ],
)
def test_reasoning_that_leaves_the_prompt_when_the_user_speaks_again_is_the_providers_rule(
    model: str, context: str | None, causes: list[str]
) -> None:
    # `codex exec resume`: all behind the first thought of the turn before is computed again
    provider, asked = Provider(RESPONSES), {"reasoning": {"context": context}} if context else {}
    for turns in range(4):
        provider.turn({**_thinking(model, turns, spoken=False), **asked})
    found = provider.turn({**_thinking(model, 3, spoken=True), **asked})
    assert [(lost.cause, lost.party) for lost in found.losses] == [(cause, "provider") for cause in causes]
    usage = provider.replica.witness.accounts[-1].usage
    assert usage is not None and usage.cache_read is not None
    assert usage.cache_read >= found.achievable * 0.98
