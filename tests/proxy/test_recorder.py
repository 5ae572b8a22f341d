"""What a recording holds, and what it never does."""

import json
import stat
from pathlib import Path

import pytest

from policies.core.usage import Usage
from proxy import exchange
from proxy.dialects.registry import by_name
from proxy.recorder import Recorder
from tests.proxy.driving import CHAT, IDLE, Replica, run, work


def test_a_line_holds_the_request_as_received_and_the_usage_as_reported(tmp_path: Path) -> None:
    replica, recorder = Replica(IDLE), Recorder(tmp_path / "new", "one")
    body = CHAT.body(work(1))
    prepared = run(replica.prepare(CHAT, body, key=b"sk-canary", session="mine"))
    recorder.record(prepared, Usage(input=10, cache_read=4), 12.5, 200)
    recorder.close()
    (line,) = map(json.loads, recorder.path.read_text().splitlines())
    assert line["request"].encode() == body
    assert (line["t"], line["dialect"], line["session"], line["status"]) == (12.5, "openai_chat", "mine", 200)
    assert (line["usage"]["input"], line["usage"]["cache_write"]) == (10, None)
    assert "canary" not in recorder.path.read_text()


@pytest.mark.parametrize("body", [b"{", b'{"model":"m"}', b'{"model":"m","messages":"one text"}'])
def test_a_request_that_cannot_be_viewed_is_not_recorded(tmp_path: Path, body: bytes) -> None:
    """A replay would stop at its line."""
    replica, recorder = Replica(IDLE), Recorder(tmp_path, "one")
    recorder.record(run(replica.prepare(CHAT, body)), None, 1.0, 400)
    recorder.close()
    assert recorder.path.read_bytes() == b""


def test_a_format_that_is_only_measured_is_not_recorded(tmp_path: Path) -> None:
    replica, recorder = Replica(IDLE), Recorder(tmp_path, "one")
    body = b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}'
    request = exchange.Request("ollama", by_name("ollama"), "/api/chat", body)
    prepared = run(exchange.prepare(request, replica.context, 1.0))
    assert prepared.passthrough == "measured_only"
    recorder.record(prepared, Usage(input=10), 1.0, 200)
    recorder.close()
    assert recorder.path.read_bytes() == b""


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "new", "one")
    recorder.close()
    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(recorder.path.parent.stat().st_mode) == 0o700


def test_a_line_that_cannot_be_written_is_lost_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "one.jsonl").symlink_to("/dev/full")
    replica, recorder = Replica(IDLE), Recorder(tmp_path, "one")
    recorder.record(run(replica.prepare(CHAT, CHAT.body(work(1)))), None, 1.0, 200)
    assert "was not recorded" in caplog.text and "messages" not in caplog.text
    with pytest.raises(OSError):
        recorder.close()  # what is still in its buffer
