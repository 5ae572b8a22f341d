"""xAI's Chat API finds the server that holds a conversation by a header, the same on each of its turns."""

from pathlib import Path

import httpx

from tests.end_to_end.running import holdfast, raw_upstream


def test_a_conversation_is_told_to_xai_by_one_header_and_to_nobody_else(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Fix it."}]
    longer = [*said, {"role": "assistant", "content": "I did."}, {"role": "user", "content": "And the test?"}]
    with raw_upstream() as upstream, holdfast(tmp_path, {"xai": upstream.url}) as proxy:
        for model, messages in (("grok-4.7", said), ("grok-4.7", longer), ("other", said)):
            url, body = f"{proxy.url}/xai/v1/chat/completions", {"model": model, "messages": messages}
            assert httpx.post(url, json=body, headers={"authorization": "Bearer key"}).status_code == 200
    first, second, other = (arrived.values("x-grok-conv-id") for arrived in upstream.arrived)
    assert first == second and len(first) == 1 and first[0].startswith("hf-")
    assert other == []
