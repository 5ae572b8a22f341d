"""A real engine behind Holdfast: what the profile says can be read from its cache is what it reports to have read.

Opt-in, for it needs an engine: with llama.cpp's server running, set LLAMA_SERVER_URL to its address. Ten turns of an
agent without native tools; the text that a small model writes does not matter, its cached counts do.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from policies.mask import PLACEHOLDER_TOKENS
from tests.end_to_end.running import Holdfast, Numbers, holdfast

TURNS, KEPT = 10, 3
NEXT = "<returncode>0</returncode>\n<output>\nfile {turn}: {text}\n</output>"
SYSTEM = "You are an agent who lists and reads. " * 40
POLICIES = {
    "off": "mode: 'off'\n",
    "masking on every turn": f"mask: {{keep_newest: {KEPT}, min_tokens: 50, when: always}}\n",
}
TOLERANCE = 0.03
"""Of the prompt: tokens are estimated with another vocabulary than the engine's."""


@pytest.fixture(scope="module")
def engine() -> str:
    url = os.environ.get("LLAMA_SERVER_URL", "")  # noqa: TID251  the tester's own switch
    if not url:
        pytest.skip("no engine: start llama.cpp's server and set LLAMA_SERVER_URL")
    return url


@dataclass(frozen=True)
class Turn:
    """What the engine reported of one turn, and what was predicted of it, in tokens."""

    prompt: int
    read: int
    achievable: int


def chat(url: str, history: list[Any]) -> str:
    with openai.OpenAI(api_key="none", base_url=f"{url}/llamacpp/v1", max_retries=0, timeout=100) as client:
        asked: list[Any] = [{"role": "system", "content": SYSTEM}, *history]
        answer = client.chat.completions.create(model="tiny", messages=asked, max_tokens=8, temperature=0)
        return answer.choices[0].message.content or "-"


def messages(url: str, history: list[Any]) -> str:
    with anthropic.Anthropic(api_key="none", base_url=f"{url}/llamacpp", max_retries=0, timeout=100) as client:
        answer = client.messages.create(
            model="tiny", system=SYSTEM, messages=history, max_tokens=8, extra_body={"temperature": 0}
        )
        return "".join(block.text for block in answer.content if block.type == "text") or "-"


def play(running: Holdfast, say: Callable[[str, list[Any]], str], name: str) -> Iterator[Turn]:
    """`name` makes this conversation another one than those before it, from its first word on."""
    history: list[Any] = [{"role": "user", "content": f"{name}: what is there?"}]
    before = running.numbers()
    for turn in range(TURNS):
        text = say(running.url, history)
        after = running.settled(turn + 1)
        yield Turn(
            prompt=difference(before, after, "holdfast_input_tokens_total"),
            read=difference(before, after, "holdfast_input_tokens_total", cache="read"),
            achievable=difference(before, after, "holdfast_cache_achievable_tokens_total"),
        )
        before = after
        listing = f"line {turn} of a listing, with some words in it\n" * 40
        history += [
            {"role": "assistant", "content": text},
            {"role": "user", "content": NEXT.format(turn=turn, text=listing)},
        ]


def difference(before: Numbers, after: Numbers, name: str, **labels: str) -> int:
    return round(after.total(name, **labels) - before.total(name, **labels))


@pytest.mark.slow
@pytest.mark.parametrize("say", [chat, messages])
@pytest.mark.parametrize("policy", POLICIES)
def test_what_can_be_read_is_what_the_engine_reads(
    engine: str, tmp_path: Path, policy: str, say: Callable[[str, list[Any]], str]
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"name: mine\n{POLICIES[policy]}")
    name = f"{policy} by {say.__name__}, {secrets.token_hex(4)}"  # the engine remembers earlier runs
    with holdfast(tmp_path, {"llamacpp": engine}, "--policy", str(file)) as running:
        turns = list(play(running, say, name))
        masks = running.numbers().total("holdfast_edits_total", kind="mask", verdict="applied")
    print(f"\n{name}: {masks:.0f} masks; prompt, read, achievable: {[(t.prompt, t.read, t.achievable) for t in turns]}")
    for number, turn in enumerate(turns[1:], 1):
        masked = max(0, number - KEPT) if masks else 0
        slack = (
            TOLERANCE * turn.prompt + masked * PLACEHOLDER_TOKENS / 2
        )  # a placeholder is taken to cost the most it may
        assert abs(turn.read - turn.achievable) <= slack, turn
    assert masks == (0 if policy == "off" else TURNS - 1 - KEPT)
