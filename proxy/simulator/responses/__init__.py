"""OpenAI Responses: what it accepts, what it stores, how it answers and refuses; over HTTP and over a WebSocket."""

from msgspec.structs import replace

from proxy.simulator.apis import Api
from proxy.simulator.openai import UNREADABLE, error, refusal
from proxy.simulator.responses.events import stream
from proxy.simulator.responses.reading import read
from proxy.simulator.responses.socket import error_message, messages, read_message
from proxy.simulator.responses.wording import counted, reply, said, too_long

RESPONSES = Api(
    name="openai_responses",
    read=read,
    reply=reply,
    stream=stream,
    said=said,
    counted=counted,
    too_long=too_long,
    refusal=refusal,
    error=error,
    unreadable=UNREADABLE,
)

RESPONSES_SOCKET = replace(RESPONSES, read=read_message, stream=messages, error=error_message)
