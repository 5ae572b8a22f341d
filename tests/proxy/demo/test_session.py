"""The session that ships: real work of an agent, legal on the wire, and silent about the machine it was recorded on."""

import gzip
import json
import re
import socket
from importlib.resources import files
from pathlib import Path
from typing import Any

from proxy.demo.session import FILE, MARK, bodies, load
from proxy.profiles import load_profiles, profile_for
from proxy.tokens import Counters

SESSION = load()
BODIES = [json.loads(body) for body in bodies(SESSION)]
PACKED = files("proxy.demo").joinpath(FILE).read_bytes()
TEXT = gzip.decompress(PACKED).decode()

# In two parts, so that this file does not match the rule that no file names such a folder.
MACHINE = re.compile(r"(?<![\w.~/-])/(?:wo" r"rk|ro" r"ot|home|tmp|Users|opt)/\w")


def blocks(kind: str) -> list[dict[str, Any]]:
    lists = [message["content"] for message in SESSION.messages if isinstance(message["content"], list)]
    return [block for content in lists for block in content if block["type"] == kind]


def test_it_is_long_and_small_enough_to_ship() -> None:
    count = Counters().counter(profile_for(load_profiles(), "gpt-5"))
    tokens = sum(count(block["content"]) for block in blocks("tool_result"))
    assert len(SESSION.answers) >= 60
    assert tokens > 100_000
    assert len(PACKED) < 400_000


def test_every_call_is_answered_in_the_next_message_and_nothing_else_is() -> None:
    for message, following in zip(SESSION.messages, SESSION.messages[1:], strict=False):
        if message["role"] == "assistant":
            asked = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
            content = following["content"]
            answered = [] if isinstance(content, str) else [block["tool_use_id"] for block in content]
            assert asked == answered
    ids = [block["id"] for block in blocks("tool_use")]
    assert len(ids) == len(set(ids))


def test_it_has_failures_re_reads_and_parallel_calls() -> None:
    read = [block["input"]["path"] for block in blocks("tool_use") if block["name"] == "read_file"]
    parallel = [answer for answer in SESSION.answers if sum(block["type"] == "tool_use" for block in answer) > 1]
    assert sum(block.get("is_error", False) for block in blocks("tool_result")) >= 5
    assert len(read) - len(set(read)) >= 3
    assert len(parallel) >= 3


def test_only_tools_that_are_offered_are_called_and_with_arguments_that_they_take() -> None:
    offered = {tool["name"]: tool["input_schema"] for tool in SESSION.tools}
    for call in blocks("tool_use"):
        schema = offered[call["name"]]
        assert set(schema["required"]) <= set(call["input"]) <= set(schema["properties"])


def test_nothing_names_the_machine() -> None:
    assert MACHINE.findall(TEXT) == []
    host = socket.gethostname()
    assert len(host) < 6 or host not in TEXT
    assert Path.home().as_posix() == "/" or f"{Path.home().as_posix()}/" not in TEXT


def test_each_request_continues_the_one_before() -> None:
    for before, after in zip(BODIES, BODIES[1:], strict=False):
        assert (before["tools"], before["system"]) == (after["tools"], after["system"])
        known = [plain(message) for message in before["messages"]]
        assert [plain(message) for message in after["messages"]][: len(known)] == known


def plain(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    listed = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [{key: value for key, value in block.items() if key not in MARK} for block in listed]


def test_a_request_has_two_markers_at_the_ends_of_system_and_messages() -> None:
    for body in BODIES:
        assert json.dumps(body).count('"cache_control"') == 2 + TEXT.count('"cache_control":{')
        assert body["system"][-1]["cache_control"] == body["messages"][-1]["content"][-1]["cache_control"]
