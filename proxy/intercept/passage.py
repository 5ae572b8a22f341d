"""One request to a provider on its way through the intercepting proxy, filled in as it goes.

Rules of this room: facts and times, and what an observer is told of them at the end. It must not know mitmproxy.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from proxy import exchange
from proxy.dialects import Dialect
from proxy.observer import Answered
from proxy.relay import CLIENT_CLOSED
from proxy.routes import Route
from proxy.tap import Silent, Tap
from proxy.turns import Asked


@dataclass(slots=True, repr=False)
class Passage:
    route: Route
    method: str
    agent: str
    asked: Asked | None = None
    """Where the request creates a model answer."""
    body_in: float | None = None
    sent_up: float | None = None
    prepared: exchange.Prepared | None = None
    status: int = 0
    streamed: bool = False
    first_byte: float | None = None
    tap: Tap = field(default_factory=Silent)

    @property
    def dialect(self) -> Dialect | None:
        return self.asked.dialect if self.asked else None

    def passing(self, chunk: bytes) -> Iterator[bytes]:
        """A chunk of the answer as it is sent on; the tap has it when whoever takes it comes back for more."""
        if chunk:  # mitmproxy ends a stream with an empty one, and would send it as the closing chunk
            yield chunk
            self.tap.feed(chunk)

    def answered(self, failure: str) -> Answered:
        """`failure`: a short fixed word, empty where all went well."""
        now = moment()
        body_in = self.body_in or now
        return Answered(
            upstream=self.route.upstream.name,
            dialect=self.dialect.name if self.dialect else "",
            agent=self.agent,
            method=self.method,
            status=self.status or CLIENT_CLOSED,
            streamed=self.streamed,
            failure=failure,
            prepared=self.prepared,
            prepare_seconds=(self.sent_up or now) - body_in,
            upstream_seconds=now - self.sent_up if self.sent_up else None,
            first_byte_seconds=max(0.0, self.first_byte - body_in) if self.first_byte else None,
            relay_seconds=0.0,
        )


def moment() -> float:
    return asyncio.get_running_loop().time()
