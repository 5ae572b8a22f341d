"""The part of the add-on that WebSockets have: a Responses conversation on one is followed, all others are relayed.

Rules of this room: mitmproxy passes messages on, each when it is whole, and frames them as they came; what one of
them means is for `proxy.websocket`. Nothing of what has passed is kept.
"""

import logging
from weakref import WeakKeyDictionary

from mitmproxy import http

from proxy.turns import Asked, Turns
from proxy.websocket.ends import ABNORMAL, Cause
from proxy.websocket.following import Conversation
from proxy.websocket.front import FOLLOWED
from proxy.websocket.histories import Histories

log = logging.getLogger("holdfast.intercept")

ENDS = {True: (Cause.AGENT, Cause.AGENT_LOST), False: (Cause.UPSTREAM, Cause.UPSTREAM_LOST)}
"""By who ended it: with a close frame, and without."""


class Sockets:
    """The names of the hooks are mitmproxy's."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self._histories = turns, Histories(turns.limits.body_bytes)
        self._asked: WeakKeyDictionary[http.HTTPFlow, str] = WeakKeyDictionary()
        self._followed: WeakKeyDictionary[http.HTTPFlow, Conversation] = WeakKeyDictionary()

    def expect(self, flow: http.HTTPFlow, upstream: str, asked: Asked | None) -> None:
        """A handshake. `asked`: as if its path had been posted to; None where that creates no answer."""
        self._asked[flow] = upstream
        if asked and asked.dialect.name in FOLLOWED:
            self._followed[flow] = Conversation(asked, self._turns, self._histories)

    async def websocket_message(self, flow: http.HTTPFlow) -> None:
        assert flow.websocket
        message, followed = flow.websocket.messages[-1], self._followed.get(flow)
        flow.websocket.messages.clear()
        if followed is None or not message.is_text:
            return
        text = message.text
        if not message.from_client:
            followed.downward(text)
        elif (edited := await followed.upward(text)) is not text:
            message.content = edited.encode() if isinstance(edited, str) else edited

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        assert flow.websocket
        if followed := self._followed.pop(flow, None):
            followed.over()
        upstream = self._asked.pop(flow, None)
        if upstream is None:  # not a provider's
            return
        code = flow.websocket.close_code
        orderly, broken = ENDS[bool(flow.websocket.closed_by_client)]
        cause = broken if code == ABNORMAL else orderly
        log.info("a WebSocket to upstream `%s` ended: %s %s", upstream, cause.value, code)
        self._turns.observer.closed(upstream, cause.value)
