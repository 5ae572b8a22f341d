"""Which API answers at which path. The real paths, nothing looser, so that a wrongly joined URL is a 404."""


from proxy.simulator.apis import Api
from proxy.simulator.messages import MESSAGES

EXACT: dict[str, Api] = {
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": MESSAGES,
}

FALLBACK = MESSAGES
"""Words the 404 of a path that belongs to no API."""


def api_of(method: str, path: str) -> Api | None:
    """None where nothing answers a POST there, or the method is another."""
    return EXACT.get(path) if method == "POST" else None
