"""A provider is asked why it missed its cache only where a policy says so, and never at the agent's cost."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from policies.core.usage import Usage
from policies.policy import Explain, Policy
from proxy.exchange import Prepared, Request, prepare, settle
from tests.proxy.driving import (
    ANTHROPIC,
    CONVERSE,
    GEMINI,
    IDLE,
    RESPONSES,
    Json,
    Replica,
    Wire,
    headers,
    turns_of,
    work,
)

ASKING = replace(IDLE, explain=Explain(ask_provider=True))
TURNS = turns_of(work(2))


class Session:
    """A client that goes on turn by turn, and what is sent for it."""

    def __init__(self, wire: Wire, policy: Policy = ASKING, *, again: bool = True) -> None:
        self.wire, self.replica, self.again = wire, Replica(policy), again

    def turn(self, number: int, *, refused: bool = False, **fields: Any) -> Prepared:
        return asyncio.run(self._turn(number, refused, fields))

    async def _turn(self, number: int, refused: bool, fields: Json) -> Prepared:
        body, context = self.wire.body(TURNS[number], **fields), self.replica.context
        request = Request("api", self.wire.dialect, self.wire.path, body, b"key", answers=self.again)
        self.replica.now += 10
        prepared = await prepare(request, context, self.replica.now)
        ended = Prepared(request, prepared.body, (), planned=prepared.planned, refused=refused)
        await settle(ended, context, Usage(output=5, answer=f"msg_{number}"), self.replica.now)
        return prepared


def _question(prepared: Prepared, field: str) -> Any:
    sent, came = json.loads(prepared.body), json.loads(prepared.request.body)
    added = sent.pop(field, None)
    assert sent == came
    return added


def test_the_claude_api_is_asked_about_the_turn_before_and_told_at_first_that_there_will_be_one() -> None:
    session = Session(ANTHROPIC)
    found = [session.turn(number) for number in range(3)]
    asked = [_question(prepared, "diagnostics") for prepared in found]
    assert asked == [{"previous_message_id": about} for about in (None, "msg_0", "msg_1")]
    assert all(prepared.plain is prepared.request.body for prepared in found)
    assert all(headers(prepared)["x-holdfast-plan"].endswith("; asks=diagnosis") for prepared in found)


def test_openai_is_asked_from_the_second_turn_on() -> None:
    session = Session(RESPONSES)
    asked = [_question(session.turn(number), "prompt_cache_options") for number in range(3)]
    assert asked == [None, {"comparison_response_id": "msg_0"}, {"comparison_response_id": "msg_1"}]


@pytest.mark.parametrize(
    ("wire", "fields"),
    [
        (ANTHROPIC, {"diagnostics": None}),
        (ANTHROPIC, {"diagnostics": {"previous_message_id": "msg_x"}}),
        (ANTHROPIC, {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
        (RESPONSES, {"prompt_cache_options": {"mode": "implicit"}}),
        (RESPONSES, {"model": "gpt-5.1"}),
        (RESPONSES, {"previous_response_id": "resp_x"}),
        (CONVERSE, {}),
        (GEMINI, {}),
    ],
)
def test_who_has_no_such_field_or_whose_client_sets_it_is_not_asked(wire: Wire, fields: Json) -> None:
    session = Session(wire)
    session.turn(0, **fields)
    found = session.turn(1, **fields)
    assert (found.body is found.request.body, found.plain) == (True, None)


@pytest.mark.parametrize("policy", [IDLE, replace(ASKING, mode="off"), replace(ASKING, mode="shadow")])
def test_nothing_is_asked_unless_a_policy_says_so(policy: Policy) -> None:
    found = Session(ANTHROPIC, policy).turn(0)
    assert found.body is found.request.body


def test_a_front_end_that_cannot_send_a_request_again_asks_nothing() -> None:
    found = Session(ANTHROPIC, again=False).turn(0)
    assert found.body is found.request.body


def test_an_upstream_that_refuses_is_asked_no_more(caplog: pytest.LogCaptureFixture) -> None:
    session = Session(ANTHROPIC)
    assert session.turn(0, refused=True).plain is not None
    assert session.turn(1).plain is None
    assert session.replica.witness.degradations == [("rule", "diagnosis_refused")]
    assert "upstream `api` refuses a question for its diagnosis: it is asked no more" in caplog.messages
