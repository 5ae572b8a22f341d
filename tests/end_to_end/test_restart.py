"""kill -9 in mid-session: after a restart the next turn is sent as if nothing had happened."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from proxy.simulator.brains import script
from proxy.simulator.faults import Delays
from proxy.simulator.records import Record
from tests.end_to_end.agents import KINDS, PROFILES, Agent, counted, extends, turns
from tests.end_to_end.running import PATIENCE, Stage, command, done, holdfast, wait_until

BEFORE, AFTER = 22, 3
PLACEHOLDER = re.compile(rb"to read them: holdfast archive get (hf-[a-z2-7]+)")
OF_EACH_DIALECT = ("anthropic", "chat", "responses", "gemini")
LONG = (150, 220)
"""Lines of an observation, so that masking pays before the kill."""

pytestmark = pytest.mark.slow


def keen(folder: Path) -> str:
    """A policy file with which edits pay in a short run."""
    policy = folder / "keen.yaml"
    policy.write_text("name: keen\nmask: {keep_newest: 2, liveness: false}\n")
    return str(policy)


def agent(name: str, url: str, client: httpx.Client) -> Agent:
    kind, model = KINDS[name]
    return kind(url, client, model, lines=LONG)


def masks(record: Record) -> list[bytes]:
    return PLACEHOLDER.findall(record.body)


def assert_unbroken(log: Sequence[Record], killed: int) -> None:
    """The first request after the kill extends the last one before it: same masks, read from the cache."""
    before, after = log[killed - 1], log[killed]
    assert masks(before)
    assert masks(after)[: len(masks(before))] == masks(before)
    assert extends(before.body, after.body)
    assert after.usage
    assert before.usage
    # all that was there is read, up to the step of 128 tokens that some providers round to
    assert after.usage.input.read > before.usage.input.total - 128


@pytest.mark.parametrize("name", OF_EACH_DIALECT)
def test_the_next_turn_after_a_kill_keeps_prefix_and_masks(staged: Stage, tmp_path: Path, name: str) -> None:
    log = staged.simulate(script(turns(60)), PROFILES, count=counted(KINDS[name][1]))
    with httpx.Client(timeout=PATIENCE) as client:
        with holdfast(tmp_path, staged.urls, "--policy", keen(tmp_path)) as proxy:
            working = agent(name, proxy.url, client)
            working.run(BEFORE)
            while not masks(log[-1]) or "mask:" in working.replies[-1].plan:
                assert len(log) < 55
                working.turn()
            killed = len(log)
            proxy.settled(killed)
            proxy.kill()
        with holdfast(tmp_path, staged.urls, "--policy", keen(tmp_path)) as proxy:
            working.url = proxy.url
            working.run(AFTER)
    assert_unbroken(done(log, killed + AFTER), killed)
    turn = working.replies[killed].headers
    assert turn["x-holdfast-turn"] == str(killed + 1)
    assert turn["x-holdfast-session"] == working.replies[0].headers["x-holdfast-session"]
    assert "prefix=kept" in working.replies[killed].plan


@pytest.mark.parametrize("name", ["anthropic", "chat"])
def test_a_turn_that_adds_masks_is_durable_before_it_is_answered(staged: Stage, tmp_path: Path, name: str) -> None:
    """Killed the moment that its answer begins, before anything of the turn is accounted for."""
    log = staged.simulate(script(turns(60)), PROFILES, count=counted(KINDS[name][1]))
    with httpx.Client(timeout=PATIENCE) as client:
        with holdfast(tmp_path, staged.urls, "--policy", keen(tmp_path)) as proxy:
            working = agent(name, proxy.url, client)
            while not (log and masks(log[-1])):
                assert len(log) < 55
                working.turn()
            proxy.kill()
        killed = len(log)
        with holdfast(tmp_path, staged.urls, "--policy", keen(tmp_path)) as proxy:
            working.url = proxy.url
            working.turn()
    assert_unbroken(done(log, killed + 1), killed)


def test_a_turn_killed_while_its_answer_streams_is_sent_again_alike(staged: Stage, tmp_path: Path) -> None:
    quick = staged.simulate(script(turns(60)), PROFILES, count=counted("gpt-5.1"))
    with httpx.Client(timeout=PATIENCE) as client:
        with holdfast(tmp_path, staged.urls, "--policy", keen(tmp_path)) as proxy:
            working = agent("chat", proxy.url, client)
            while not (quick and masks(quick[-1])):
                assert len(quick) < 55
                working.turn()
            slow = staged.simulate(
                script(turns(60)), PROFILES, count=counted("gpt-5.1"), delays=Delays(first_byte=0.05, chunk=5.0)
            )
            body = json.dumps({**working.body(), "stream": True}).encode()
            with (
                pytest.raises(httpx.RemoteProtocolError),
                client.stream("POST", proxy.url + working.path(), content=body, headers=working.headers) as answer,
            ):
                assert answer.status_code == 200
                proxy.kill()
                answer.read()
        wait_until(lambda: slow[0].left == "during")
        again = staged.simulate(script(turns(60)), PROFILES, count=counted("gpt-5.1"))
        with holdfast(tmp_path, staged.urls, "--policy", keen(tmp_path)) as proxy:
            reply = client.post(proxy.url + working.path(), content=body, headers=working.headers)
            assert reply.status_code == 200
    assert masks(slow[0])
    assert again[0].body == slow[0].body


def test_what_was_masked_can_be_read_back_after_the_kill(staged: Stage, tmp_path: Path) -> None:
    log = staged.simulate(script(turns(60)), PROFILES, count=counted("gpt-5.1"))
    with httpx.Client(timeout=PATIENCE) as client, holdfast(tmp_path, staged.urls, "--policy", keen(tmp_path)) as proxy:
        working = agent("chat", proxy.url, client)
        while not (log and masks(log[-1])):
            assert len(log) < 55
            working.turn()
        proxy.kill()
    originals = {message["content"] for message in working.history if message["role"] == "tool"}
    found = []
    for identity in masks(log[-1])[:3]:
        outcome = command(tmp_path, "archive", "get", identity.decode())
        assert outcome.returncode == 0, outcome.stderr
        found.append(outcome.stdout.removesuffix("\n"))
    assert len(set(found)) == len(found)
    assert set(found) <= originals
