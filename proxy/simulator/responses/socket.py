"""Responses over a WebSocket: what a message may say, and what its connection remembers.

Source: guides/websocket-mode and the WebSocket events of the API reference; `responses_client_event.py` and
`responses_server_event.py` of the openai package 3.54.0. No header beyond the credential is required (the guide sends
none); Codex sends `openai-beta: responses_websockets=2026-02-06`. A connection remembers the newest answer of each
lane, also with `store: false`, and forgets the one that a refused message names. How a warm-up is billed is not
documented: here it costs nothing and writes no cache entry. The real one runs lanes side by side; this one in turn.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from proxy.simulator.apis import Asked, Call, Connection, Desk, Told
from proxy.simulator.nodes import Node
from proxy.simulator.openai import error, invalid_value
from proxy.simulator.refusals import Refusal
from proxy.simulator.responses.events import events
from proxy.simulator.responses.reading import read

CREATE = "response.create"
ENVELOPE = {"type": "string", "generate": "boolean", "stream_id": "string"}
"""Of a message, beside the fields of a request over HTTP."""
NAMED_LANES = 32
LIFE = 3600.0
"""Seconds that a connection lasts."""

_LANE = re.compile(r"[A-Za-z0-9_.-]{1,256}")


def read_message(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    """A request as it comes in one message. `call.connection` is what it came on."""
    connection = call.connection
    assert connection is not None
    body.shaped(ENVELOPE)
    connection.lane = ""
    connection.lane = _lane(body, connection)
    kind = body.need("type")
    if kind.text() != CREATE:
        raise invalid_value(kind, (CREATE,))
    if body.flag("background"):
        raise Refusal(400, "Background is not supported over WebSocket.", param="background")
    try:
        asked = read(call, _as_over_http(body), desk, name)
    except Exception:
        connection.forget(body.keys().get("previous_response_id"))
        raise
    warm = body.keys().get("generate") is False
    return replace(asked, options={**asked.options, "warm": True}) if warm else asked


def check_age(connection: Connection, now: float) -> None:
    if now - connection.opened >= LIFE:
        raise Refusal(
            400,
            "Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue.",
            code="websocket_connection_limit_reached",
        )


def messages(told: Told, desk: Desk) -> Iterator[bytes]:
    assert desk.connection is not None
    lane = {"stream_id": desk.connection.lane} if desk.connection.lane else {}
    for number, (kind, fields) in enumerate(events(told, desk)):
        yield json.dumps({"type": kind, **fields, "sequence_number": number, **lane}).encode("utf-8", "surrogatepass")


def error_message(fault: Refusal, name: str) -> tuple[int, Mapping[str, Any]]:
    """An error as one message; its lane is added by whoever knows it."""
    status, body = error(fault, name)
    return status, {"type": "error", "status": status, "error": body["error"]}


def _as_over_http(body: Node) -> Node:
    fields = {key: value for key, value in body.keys().items() if key not in ENVELOPE}
    return Node({**fields, "stream": True}, body.path)


def _lane(body: Node, connection: Connection) -> str:
    if body.keys().get("stream_id") is None:
        return ""
    lane = body.word("stream_id")
    if not _LANE.fullmatch(lane):
        raise Refusal(
            400,
            "The 'stream_id' field must be a non-empty string with at most 256 characters and may only contain "
            "letters, numbers, underscores, hyphens, and periods.",
            param="stream_id",
            code="invalid_stream_id",
        )
    if lane not in connection.lanes and len(connection.lanes) >= NAMED_LANES:
        raise Refusal(
            400,
            "This WebSocket connection has reached its maximum number of distinct stream IDs (32). Reuse an existing "
            "stream_id or open a new WebSocket connection.",
            param="stream_id",
            code="websocket_stream_limit_reached",
        )
    connection.lanes.add(lane)
    return lane
