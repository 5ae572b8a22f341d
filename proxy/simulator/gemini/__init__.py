"""Gemini: what it accepts, how its prompt is read, how it answers and refuses."""

from proxy.simulator.apis import Api
from proxy.simulator.gemini.reading import read
from proxy.simulator.gemini.wording import (
    UNREADABLE,
    counted,
    error,
    refusal,
    reply,
    said,
    stream,
    stream_type,
    too_long,
)

GEMINI = Api(
    name="gemini",
    read=read,
    reply=reply,
    stream=stream,
    said=said,
    counted=counted,
    too_long=too_long,
    refusal=refusal,
    error=error,
    unreadable=UNREADABLE,
    stream_type=stream_type,
)
