"""A dialect that knows further observations."""

import json

import pytest

from policies.core.conversation import Kind
from proxy.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from proxy.dialects.openai_chat import OPENAI_CHAT
from proxy.dialects.view import View
from proxy.replay.observing import observing

TEXTS = frozenset({"it printed this"})


def message(role: str, content: object) -> bytes:
    return json.dumps({"role": role, "content": content}).encode()


@pytest.mark.parametrize("view", [OPENAI_CHAT, ANTHROPIC_MESSAGES])
@pytest.mark.parametrize("content", ["it printed this", [{"type": "text", "text": "it printed this"}]])
def test_a_known_text_is_an_observation_that_can_be_replaced(view: View, content: object) -> None:
    dialect = observing(view, TEXTS)
    raw = message("user", content)
    assert view.message(raw, len).blocks[0].kind is Kind.TEXT
    block = dialect.message(raw, len).blocks[0]
    assert block.kind is Kind.OBSERVATION and block.editable and block.first_line == "it printed this"
    changed = dialect.replace(raw, ((0, "gone"),))
    assert dialect.original(changed, 0) == "gone" and b"printed" not in changed


def test_beside_other_text_it_is_one_but_stays() -> None:
    parts = [{"type": "text", "text": "it printed this"}, {"type": "text", "text": "what now?"}]
    blocks = observing(OPENAI_CHAT, TEXTS).message(message("user", parts), len).blocks
    assert [block.kind for block in blocks] == [Kind.OBSERVATION, Kind.TEXT]
    assert not blocks[0].editable


@pytest.mark.parametrize("role", ["assistant", "system"])
def test_only_a_user_message_holds_one(role: str) -> None:
    assert observing(OPENAI_CHAT, TEXTS).message(message(role, "it printed this"), len).blocks[0].kind is Kind.TEXT


def test_nothing_to_know_is_the_same_dialect() -> None:
    assert observing(OPENAI_CHAT, frozenset()) is OPENAI_CHAT
