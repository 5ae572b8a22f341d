"""Which API answers at which path. The real paths, nothing looser, so that a wrongly joined URL is a 404."""

import re

from proxy.simulator.apis import Api
from proxy.simulator.chat import CHAT
from proxy.simulator.clouds import door_of
from proxy.simulator.gemini import GEMINI
from proxy.simulator.messages import MESSAGES
from proxy.simulator.responses import RESPONSES

EXACT: dict[str, Api] = {
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": MESSAGES,
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/responses/input_tokens": RESPONSES,
}
GEMINI_PATH = re.compile(r"/v1(alpha|beta)?/models/[^/:]+:(generateContent|streamGenerateContent|countTokens)")

FALLBACK = MESSAGES
"""Words the 404 of a path that belongs to no API."""


def api_of(method: str, path: str) -> Api | None:
    """None where nothing answers a POST there, or the method is another."""
    if method != "POST":
        return None
    return GEMINI if GEMINI_PATH.fullmatch(path) else EXACT.get(path) or door_of(path)
