"""OpenAI Chat Completions, and servers compatible with it: what it accepts, how it answers and refuses."""

from proxy.simulator.apis import Api
from proxy.simulator.chat.reading import read
from proxy.simulator.chat.wording import counted, reply, said, stream, too_long
from proxy.simulator.openai import UNREADABLE, error, refusal

CHAT = Api(
    name="openai_chat",
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
