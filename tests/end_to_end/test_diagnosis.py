"""What the provider itself says of a cache miss stands beside what Holdfast found, where a policy asks for it."""

import json
from pathlib import Path
from typing import Any

import httpx

from proxy.profiles import load_profiles
from proxy.simulator.brains import echo
from tests.end_to_end.running import command, done, holdfast, stage

POLICY = "name: asking\nexplain: {ask_provider: true}\n"
HEADERS = {"x-api-key": "sk-fake-key-of-a-test", "anthropic-version": "2023-06-01"}


def _body(clock: str, turns: int, stream: bool) -> dict[str, Any]:
    system = [{"type": "text", "text": f"Be careful. {clock} " * 500, "cache_control": {"type": "ephemeral"}}]
    said = [{"role": "assistant" if turn % 2 else "user", "content": f"Turn {turn}."} for turn in range(2 * turns + 1)]
    return {"model": "claude-sonnet-4-5", "max_tokens": 100, "stream": stream, "system": system, "messages": said}


def test_the_providers_own_word_is_shown_beside_ours(tmp_path: Path) -> None:
    (tmp_path / "asking.yaml").write_text(POLICY)
    with stage() as staged:
        log = staged.simulate(echo, load_profiles())
        with holdfast(tmp_path, staged.urls, "--policy", str(tmp_path / "asking.yaml")) as proxy:
            for turn, clock in enumerate(("noon", "noon", "midnight")):
                url, body = f"{proxy.url}/v1/messages", _body(clock, turn, stream=turn == 1)
                assert httpx.post(url, json=body, headers=HEADERS).status_code == 200
                proxy.settled(turn + 1)
        shown = command(tmp_path, "explain", "--turn", "3")
    asked = [json.loads(record.body)["diagnostics"]["previous_message_id"] for record in done(log, 3)]
    assert asked[0] is None and all(name.startswith("msg_") for name in asked[1:])
    assert ": system_changed, by the client\n" in shown.stdout
    assert "the provider says: system_changed" in shown.stdout
