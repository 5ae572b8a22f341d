"""Bedrock's runtime for Claude: invoke with Anthropic's own body, and Converse; streams come in frames."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from proxy.simulator.apis import Asked, Call, Desk, Told
from proxy.simulator.bills import Bill
from proxy.simulator.clouds.converse import as_answer, as_events, as_request
from proxy.simulator.clouds.frames import MEDIA_TYPE, chunk, frame
from proxy.simulator.clouds.signature import holder
from proxy.simulator.clouds.vertex import as_messages
from proxy.simulator.messages import MESSAGES
from proxy.simulator.nodes import Node, Unknown
from proxy.simulator.refusals import Refusal

_PATH = re.compile(r"/model/(?P<model>.+)/(?P<form>invoke|converse)(?P<stream>-with-response-stream|-stream)?")
VERSION = "bedrock-2023-05-31"
KINDS = {400: "ValidationException", 403: "AccessDeniedException", 429: "ThrottlingException"}


def _messages(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    """Claude asked as Anthropic would be."""
    owner, found = holder(call), _PATH.fullmatch(call.path)
    assert found
    inner, fields = as_messages(call, body, owner, found["model"], VERSION)
    return MESSAGES.read(inner, Node({**fields, "stream": found["stream"] is not None}, body.path), desk, name)


def _read_invoke(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    if "stream" in body.keys():
        raise Unknown(("stream",))
    return _messages(call, body, desk, name)


def _read_converse(call: Call, body: Node, desk: Desk, name: str) -> Asked:
    return _messages(call, Node({**as_request(body), "anthropic_version": VERSION}, body.path), desk, name)


def _invoke_stream(told: Told, desk: Desk) -> Iterator[bytes]:
    for event in MESSAGES.stream(told, desk):
        data = event.partition(b"data: ")[2].rstrip(b"\n")
        last = data.startswith(b'{"type": "message_stop"')
        yield chunk(json.dumps({"type": "message_stop", **_metrics(told.bill)}).encode() if last else data)


def _metrics(bill: Bill) -> dict[str, Any]:
    counts = {
        "inputTokenCount": bill.uncached,
        "outputTokenCount": bill.output,
        "cacheReadInputTokenCount": bill.input.read,
        "cacheWriteInputTokenCount": bill.input.write + bill.input.write_long,
    }
    return {"amazon-bedrock-invocationMetrics": {**counts, "invocationLatency": 1, "firstByteLatency": 1}}


def _converse_reply(told: Told, desk: Desk) -> Mapping[str, Any]:
    return as_answer(MESSAGES.reply(told, desk))


def _converse_stream(told: Told, desk: Desk) -> Iterator[bytes]:
    for event, value in as_events(_converse_reply(told, desk)):
        yield frame(event, value)


def _error(fault: Refusal, name: str) -> tuple[int, Mapping[str, Any]]:
    kind = KINDS.get(fault.status, "InternalServerException" if fault.status >= 500 else "ValidationException")
    return fault.status, {"__type": kind, "message": fault.message}


INVOKE = replace(MESSAGES, read=_read_invoke, stream=_invoke_stream, error=_error, stream_type=lambda asked: MEDIA_TYPE)
CONVERSE = replace(INVOKE, read=_read_converse, reply=_converse_reply, stream=_converse_stream)
