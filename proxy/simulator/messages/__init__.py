"""Anthropic Messages: what it accepts, how its prompt is read, how it answers and refuses."""

from proxy.simulator.apis import Api
from proxy.simulator.messages.reading import read
from proxy.simulator.messages.refusing import error, refusal, too_long
from proxy.simulator.messages.wording import counted, reply, said, stream

MESSAGES = Api(
    name="anthropic_messages",
    read=read,
    reply=reply,
    stream=stream,
    said=said,
    counted=counted,
    too_long=too_long,
    refusal=refusal,
    error=error,
    unreadable="The request body is not valid JSON.",
)
