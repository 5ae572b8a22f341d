"""Tool output in user messages, of agents without native tools."""

import gzip
import json
from pathlib import Path

import pytest

from proxy.dialects.untyped import is_observation

OBSERVATIONS = {
    "mini-swe-agent": "<returncode>0</returncode>\n<output>\nfile\n</output>",
    "mini-swe-agent, long": "<returncode>0</returncode>\n<warning>\ntoo long\n</warning>",
    "mini-swe-agent, format": "Please always provide EXACTLY ONE action in triple backticks, found 0 actions.",
    "mini-swe-agent, timeout": "The last command <command>sleep 99\n</command> timed out and has been killed.",
    "SWE-agent": "OBSERVATION:\nfile",
    "smolagents": "Observation:\nfile",
    "OpenHands": "EXECUTION RESULT of [bash]:\nfile",
    "Cline": "[read_file for 'a.py'] Result:\nfile",
}


@pytest.mark.parametrize("text", OBSERVATIONS.values(), ids=OBSERVATIONS)
def test_a_known_shape_is_an_observation(text: str) -> None:
    assert is_observation(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Fix app.py",
        "Observation: the tests are slow, please look",
        "I saw this:\nOBSERVATION:\nfile",
        "<returncode>0</returncode> is what it printed",
        "[read_file] is broken",
        "The last command failed",
    ],
)
def test_a_persons_words_are_not(text: str) -> None:
    assert not is_observation(text)


def test_no_recorded_task_is_taken_for_an_observation(shared: Path) -> None:
    with gzip.open(shared / "traces" / "miniswe-gemini3pro.jsonl.gz", "rt", encoding="utf-8") as lines:
        messages = [message for line in lines for message in json.loads(line)["messages"]]
    users = [message for message in messages if message["role"] == "user"]
    tasks = [message for message in users if message.get("kind") != "observation"]
    outputs = [message for message in users if message.get("kind") == "observation"]
    assert not any(is_observation(message["content"]) for message in tasks)
    recognised = sum(is_observation(message["content"]) for message in outputs)
    assert recognised > 0.97 * len(outputs)  # what is left is the patch that a finished run hands in
