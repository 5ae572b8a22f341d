"""The harness itself: what it would not notice, no client could show."""

import http.client
import json
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from proxy.simulator.brains import Answer, SeenRequest
from proxy.simulator.sockets import METHOD as WEBSOCKET
from tests.clients.client import Client, Place, brain, called
from tests.clients.measure import Turn, is_main
from tests.clients.run import run
from tests.clients.sidecalls import aside, smallest
from tests.clients.table import CLIENTS
from tests.clients.tap import tapped
from tests.clients.task import EXPECTED, FINAL, MARKS, STEPS, Edit, Read, lay_out, result
from tests.end_to_end.running import ANSWER, raw_upstream, wait_until

ALLOWED = {"PATH", "HOME", "TMPDIR", "TERM", "LANG", "NO_COLOR", "CI", "ADDED", "PWD", "SHLVL", "_", "LC_CTYPE"} | {
    cased for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") for cased in (name, name.lower())
}
KEPT = Turn(2, True, True, "applied=none; removed=0; prefix=kept", True, 100)


def scripted(*command: str, patience: float = 20.0) -> Client:
    """A client that is one command line."""
    return Client(
        name="scripted",
        needs=Path(sys.executable),
        version=lambda: "1",
        model="gpt-5.1",
        words=lambda step, place: called("step", said=str(step)),
        command=lambda place: command,
        environ=lambda place: {"ADDED": "yes"},
        patience=patience,
    )


def seen(turns: int, **body: Any) -> SeenRequest:
    return SeenRequest("openai_chat", "any", turns, "", (), body)


def place(folder: Path) -> Place:
    lay_out(folder / "work")
    return Place("http://127.0.0.1:1", folder / "home", folder / "work")


def test_the_tap_hears_each_request_of_a_connection_as_it_was_sent() -> None:
    bodies = [b"first", b"x" * 300_000, b""]
    with raw_upstream() as upstream, tapped(upstream.url) as tap:
        connection = http.client.HTTPConnection("127.0.0.1", int(tap.url.rpartition(":")[2]), timeout=10)
        for body in bodies:
            connection.request("POST", "/v1/messages?beta=true", body=iter([body]), encode_chunked=True)
            assert connection.getresponse().read() == ANSWER
        connection.close()
        heard = tap.exchanges()
    assert [each.body for each in heard] == bodies
    assert {(each.method, each.target, each.status) for each in heard} == {("POST", "/v1/messages?beta=true", 200)}
    assert heard[0].headers["content-length"] == str(len(ANSWER))


def test_the_tap_hears_a_request_whose_answer_was_cut_short() -> None:
    with raw_upstream() as upstream, tapped(upstream.url) as tap:
        with socket.create_connection(("127.0.0.1", int(tap.url.rpartition(":")[2])), 10) as client:
            client.sendall(b"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody")
            wait_until(lambda: tap.wires and tap.wires[0].received)
        (wire,) = tap.wires
        wire.received = [(0.0, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-holdfast-turn: 1\r\n\r\n2\r\nab")]
        (heard,) = tap.exchanges()
    assert (heard.body, heard.status, heard.headers["x-holdfast-turn"]) == (b"body", 200, "1")


@pytest.mark.parametrize("compression", ["deflate", None])
def test_the_tap_hears_each_message_of_a_websocket(compression: Any) -> None:
    said = ["short", json.dumps({"long": "word " * 50_000}), "short"]

    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, "127.0.0.1", 0, max_size=None) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        with tapped(f"http://127.0.0.1:{server.socket.getsockname()[1]}") as tap:
            url = tap.url.replace("http", "ws") + "/v1/responses"
            with connect(url, compression=compression, max_size=None, proxy=None) as client:
                for message in said:
                    client.send([message[:3], message[3:]])  # in fragments
                    assert client.recv(10) == message
            heard = tap.exchanges()
        server.shutdown()
        thread.join(10)
    assert [(each.method, each.target, each.body.decode()) for each in heard] == [
        (WEBSOCKET, "/v1/responses", message) for message in said
    ]


def test_a_client_runs_in_a_scratch_home_and_meets_no_other_host(tmp_path: Path) -> None:
    finished = run(scripted("env"), place(tmp_path))
    assert finished.status == 0
    found = dict(line.partition("=")[::2] for line in finished.output.splitlines())
    assert found["HOME"] == found["TMPDIR"] == str(tmp_path / "home") and found["ADDED"] == "yes"
    assert found["https_proxy"] == found["HTTP_PROXY"] and found["no_proxy"] == "127.0.0.1,localhost"
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(found["https_proxy"].removeprefix("http://"), timeout=10).connect()
    assert set(found) <= ALLOWED, "nothing of the tester's own"


def test_a_client_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    begun = time.monotonic()
    finished = run(scripted("sh", "-c", "sleep 60 & echo $!; wait", patience=3), place(tmp_path))
    assert finished.status is None and time.monotonic() - begun < 30
    wait_until(lambda: not _runs(int(finished.output)))


def _runs(process: int) -> bool:
    """A zombie that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_model_does_the_next_step_until_all_are_done() -> None:
    play = brain(scripted(), Place("", Path(), Path()))
    turns = [play(seen(number, tools=[{}])) for number in range(len(STEPS) + 1)]
    assert [json.loads(turn.calls[0].arguments)["said"] for turn in turns[:-1]] == [str(step) for step in STEPS]
    assert turns[-1] == Answer(text=FINAL)


def test_the_task_can_be_done_and_reads_every_file(tmp_path: Path) -> None:
    lay_out(tmp_path / "work")
    read = {step.name for step in STEPS if isinstance(step, Read)}
    texts = "".join((tmp_path / "work" / name).read_text() for name in read)
    assert all(mark in texts for mark in MARKS)
    assert result(tmp_path / "work") != EXPECTED
    (edit,) = (step for step in STEPS if isinstance(step, Edit))
    target = tmp_path / "work" / edit.name
    assert target.read_text().replace(edit.old, edit.new) == EXPECTED[edit.name]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"a": {"type": "boolean"}, "b": {}}, "required": ["a"]}, {"a": False}),
        ({"type": "OBJECT", "properties": {"n": {"type": "INTEGER", "minimum": 1}}}, {"n": 1}),
        ({"enum": ["low", "high"]}, "low"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"type": "array", "items": {"type": "string"}}, []),
    ],
)
def test_a_side_call_with_a_schema_gets_a_value_that_fits(schema: dict[str, Any], value: Any) -> None:
    asked = seen(0, response_format={"type": "json_schema", "json_schema": {"schema": schema}})
    assert smallest(schema) == value
    assert json.loads(aside(asked).text) == value


def test_counting_tokens_and_side_calls_are_not_of_the_main_loop() -> None:
    client, body = scripted(), b'{"tools": [{}]}'
    assert is_main(client, "POST", "/v1/messages?beta=true", body)
    assert is_main(client, WEBSOCKET, "/v1/responses", body)
    assert not is_main(client, "POST", "/v1/messages/count_tokens", body)
    assert not is_main(client, "POST", "/v1/messages", b"{}")
    assert not is_main(client, "GET", "/v1/models", b"")


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        (KEPT, ""),
        (replace(KEPT, client=False, upstream=False), ""),
        (replace(KEPT, upstream=False, same=False, plan="applied=mask:2; removed=9; prefix=broken:policy_mask"), ""),
        (replace(KEPT, upstream=False, same=False, plan="applied=none; removed=9; prefix=kept"), "no plan says so"),
        (replace(KEPT, same=False), "changed without an edit"),
        (replace(KEPT, same=False, plan=""), "changed without an edit"),
    ],
)
def test_a_turn_is_at_fault_where_holdfast_broke_or_changed_what_no_plan_names(turn: Turn, fault: str) -> None:
    found = list(turn.faults())
    assert len(found) == bool(fault)
    assert all(fault in text for text in found)


def test_every_client_has_a_name_of_its_own() -> None:
    names = [client.name for client in CLIENTS]
    assert len(set(names)) == len(names)
