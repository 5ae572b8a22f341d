"""A credential goes to the provider and nowhere else: no log, no metric, no file, however it was packed there."""

import http.client
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from backports import zstd

from proxy.simulator.brains import script
from tests.end_to_end.agents import PROFILES, SYSTEM, observation, turns
from tests.end_to_end.running import PATIENCE, Holdfast, Stage, done, holdfast

CANARY = "canary0credential1that2must3not4be5kept"
HEADERS = {
    "authorization": f"Bearer {CANARY}",
    "x-api-key": CANARY,
    "x-goog-api-key": CANARY,
    "api-key": CANARY,
    "cookie": f"session={CANARY}",
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
}
QUERY = f"?key={CANARY}&access_token={CANARY}"
OURS = (426, 431, 502)
"""Statuses that Holdfast itself answers with here; a provider may repeat what it was sent."""
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


SOCKET = {
    **{"connection": "Upgrade", "upgrade": "websocket"},
    **{"sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="},
}


def ask(proxy: Holdfast, method: str, target: str, body: bytes = b"", **more: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=PATIENCE)
    try:
        connection.request(method, target, body, {**HEADERS, **more})
        answer = connection.getresponse()
        body = answer.read()
        assert CANARY not in str(answer.getheaders())
        assert CANARY.encode() not in body or answer.status not in OURS
        return answer.status
    finally:
        connection.close()


def long_conversation() -> bytes:
    """With observations that an eager policy masks at once, so that store and archive are written."""
    messages: list[object] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "go on"}]
    for number in range(60):
        call = {"id": f"c{number}", "type": "function", "function": {"name": "read", "arguments": "{}"}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": observation(number, (100, 160))})
    return json.dumps({"model": "gpt-5.1", "messages": messages}).encode()


def everything(proxy: Holdfast) -> None:
    """Turns, refusals, passages and faults: whatever might say something about a request."""
    assert ask(proxy, "POST", "/v1/chat/completions" + QUERY, long_conversation()) == 200
    assert ask(proxy, "POST", "/v1/messages" + QUERY, b'{"model":"m","max_tokens":5,"messages":[]}') == 400
    assert ask(proxy, "POST", f"/v1beta/models/gemini-2.5-pro:generateContent{QUERY}", b'{"contents":7}') == 400
    assert ask(proxy, "GET", "/v1/models" + QUERY) == 404
    assert ask(proxy, "POST", "/gone/v1/chat/completions" + QUERY, b'{"model":"m","messages":[]}') == 502
    assert ask(proxy, "POST", "/gone/v1/files" + QUERY, b"x") == 502
    assert ask(proxy, "POST", "/v1/messages" + QUERY, b"x", **{"content-encoding": CANARY}) in (200, 400, 415)
    assert ask(proxy, "GET", "/v1/responses" + QUERY, upgrade="websocket") == 400
    assert ask(proxy, "GET", "/v1/other" + QUERY, b"", **SOCKET) == 404
    assert ask(proxy, "GET", "/gone/v1/responses" + QUERY, b"", **SOCKET) == 502
    assert ask(proxy, "POST", "/v1/messages" + QUERY, b"{}", **{f"x-{n}": CANARY for n in range(250)}) == 431


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as it is, and every packed record in it unpacked."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            raw = path.read_bytes()
            yield path.name, raw
            yield from ((f"{path.name} (packed)", plain) for plain in unpacked(raw))


def unpacked(raw: bytes) -> Iterator[bytes]:
    begin = raw.find(ZSTD_MAGIC)
    while begin >= 0:
        try:
            yield zstd.ZstdDecompressor().decompress(raw[begin:])
        except zstd.ZstdError:
            pass  # a record that SQLite laid over several pages; the readers below see it whole
        begin = raw.find(ZSTD_MAGIC, begin + 1)


def whole_records(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every value in every table, unpacked where it is packed."""
    for path in sorted(folder.rglob("*.db")):
        connection = sqlite3.connect(path)
        try:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    for value in row:
                        raw = value if isinstance(value, bytes) else str(value).encode()
                        yield f"{path.name}:{table}", zstd.decompress(raw) if raw[:4] == ZSTD_MAGIC else raw
        finally:
            connection.close()


@pytest.mark.parametrize("level", ["debug", "info"])
def test_a_credential_is_kept_nowhere(staged: Stage, tmp_path: Path, level: str) -> None:
    log = staged.simulate(script(turns(1)), PROFILES)
    urls = {**staged.urls, "gone": "http://127.0.0.1:9"}
    (tmp_path / "eager.yaml").write_text("name: eager\nmask: {when: always}\n")
    flags = ("--record", str(tmp_path / "recording"), "--policy", str(tmp_path / "eager.yaml"))
    with holdfast(tmp_path, urls, *flags, environ={"HOLDFAST_LOG_LEVEL": level}) as proxy:
        everything(proxy)
        numbers = proxy.numbers()
        seen = done(log, 3)
    assert CANARY in dict(seen[0].headers)["authorization"]
    assert CANARY in seen[0].query
    assert b"elided" in seen[0].body
    assert CANARY not in numbers.text
    found = [*contents(tmp_path), *whole_records(tmp_path)]
    assert [name for name, raw in found if CANARY.encode() in raw] == []
    assert any(b"go on" in raw for name, raw in found if "db" in name or "jsonl" in name)
    assert any(observation(0, (100, 160)).encode() in raw for name, raw in found if name.startswith("state.archive"))
    assert "holdfast" in proxy.errors.read_text()
