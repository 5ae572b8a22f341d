"""The mitmproxy add-on: what it does to a connection, a request and an answer.

Rules of this room: its hooks say what passes and what is looked into; what is decided about content is `prepare`'s.
mitmproxy logs an exception of a hook and goes on with the flow as it is (FAIL-OPEN), so a hook changes a flow at its
end, in one step. Every answer streams: mitmproxy would hold it whole. A copy of what passes goes to a tap after it
has been sent. It must not know configuration, ports or certificates.
"""

import logging
from weakref import WeakKeyDictionary

from mitmproxy import http, tcp, tls
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layers import TCPLayer

from proxy import identity
from proxy.headers import PRIVATE, Pair, first, for_edited
from proxy.intercept.passage import Passage, moment
from proxy.intercept.reach import Reach, Unreachable, reach
from proxy.intercept.sockets import Sockets
from proxy.intercept.targets import Targets
from proxy.relay import CLIENT_CLOSED
from proxy.routes import Route
from proxy.turns import Asked, Turns, added, carried

log = logging.getLogger("holdfast.intercept")

CLOSE: Pair = (b"connection", b"close")
OF_THE_PROXY = (b"proxy-connection", b"proxy-authorization")
"""Request headers that are meant for a forward proxy."""
TEXT = {"content-type": "text/plain; charset=utf-8"}


class Interceptor:
    """The names of the hooks are mitmproxy's."""

    def __init__(self, targets: Targets, turns: Turns, reach: Reach = reach) -> None:
        self._targets, self._turns, self._reach = targets, turns, reach
        self._passages: WeakKeyDictionary[http.HTTPFlow, Passage] = WeakKeyDictionary()
        self._sockets = Sockets(turns)
        self.addons = [self._sockets]  # where mitmproxy looks for more

    @property
    def open(self) -> int:
        """Requests to providers that are not answered yet."""
        return len(self._passages)

    # Connections

    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """A tunnel is asked for."""
        if not flow.response:
            await self._keep_within_reach(flow)

    def next_layer(self, layer: NextLayer) -> None:
        """What is in a tunnel: HTTP for providers, for all others bytes that nobody looks at."""
        address = layer.context.server.address
        if address and not self._targets.decrypts(address[0], address[1]):
            layer.layer = TCPLayer(layer.context, ignore=True)

    def tls_clienthello(self, hello: tls.ClientHelloData) -> None:
        """A tunnel to a provider that asks for another host in its handshake stays closed."""
        address, named = hello.context.server.address, hello.client_hello.sni
        if address and named and named.lower() != address[0].lower():
            log.warning("a tunnel to `%s` that names another host in its handshake is not decrypted", address[0])
            hello.ignore_connection = True

    # Requests

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error:  # refused by mitmproxy
            return
        request, received = flow.request, flow.request.headers.fields
        route = self._targets.find(request.scheme, request.host, request.port, request.data.path)
        if route:
            self._passages[flow] = passage = self._begun(flow, route)
            # a body that is not looked into streams; one that is too large does so by mitmproxy's own limit
            request.stream = request.stream or passage.dialect is None
            if request.stream:
                passage.body_in = passage.sent_up = moment()
        else:
            if flow.server_conn.address is None:  # in no tunnel: a plain request to a forward proxy
                await self._keep_within_reach(flow)
            request.stream = flow.response is None
        request.headers = http.Headers(_without_private(received))

    async def request(self, flow: http.HTTPFlow) -> None:
        """The body is there, or, where it streams, has passed."""
        passage, request = self._passages.get(flow), flow.request
        if passage is None:
            return
        passage.body_in = passage.body_in or moment()
        if passage.asked and request.stream:
            passage.prepared = self._turns.passed(passage.asked, b"", "body_too_large")
        elif passage.asked:
            wire = request.raw_content or b""
            prepared = passage.prepared = await self._turns.prepared(passage.asked, wire)
            request.headers = http.Headers(carried(prepared, request.headers.fields))
            if prepared.body is not prepared.request.body:
                _edit(request, prepared.body)
        passage.sent_up = passage.sent_up or moment()

    # Answers

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        passage, response = self._passages.get(flow), flow.response
        if response is None:
            return
        response.stream = True
        if passage is None:
            return
        headers = response.headers.fields
        passage.first_byte, passage.status = moment(), response.status_code
        passage.streamed = first(headers, b"content-type").startswith(b"text/event-stream")
        passage.tap = self._turns.tap(passage.dialect, response.status_code, headers)
        response.stream = passage.passing
        response.headers = http.Headers(_with(headers, (*added(passage.prepared), *self._closing(flow))))

    def response(self, flow: http.HTTPFlow) -> None:
        self._over(flow, "")

    def error(self, flow: http.HTTPFlow) -> None:
        """Broken off: by the agent, by the upstream, or by mitmproxy for one of them."""
        passage = self._passages.get(flow)
        if passage is None:
            return
        left = not flow.client_conn.connected or "CANCEL" in str(flow.error)
        passage.status = passage.status or (CLIENT_CLOSED if left else 502)
        failure = "disconnected" if left else "truncated" if passage.first_byte else "upstream"
        log.log(logging.INFO if left else logging.WARNING, "upstream `%s`: %s", passage.route.upstream.name, failure)
        self._over(flow, failure)

    def tcp_message(self, flow: tcp.TCPFlow) -> None:
        """What an upgraded connection carries is passed on by mitmproxy, which would keep all of it."""
        flow.messages.clear()

    # What these hooks share

    def _begun(self, flow: http.HTTPFlow, route: Route) -> Passage:
        request, headers = flow.request, flow.request.headers.fields
        self._turns.observer.began(route.upstream.name)
        if first(headers, b"upgrade").lower() == b"websocket":
            self._sockets.expect(flow, route.upstream.name, self._asked(request, route, "POST"))
        asked = self._asked(request, route, request.method)
        return Passage(route, request.method, identity.agent(headers), asked)

    def _asked(self, request: http.Request, route: Route, method: str) -> Asked | None:
        """Where this method on its path creates a model answer."""
        dialect = self._targets.dialect(route, method)
        if dialect is None:
            return None
        query, shared = request.data.path.partition(b"?")[2], route.upstream.tenant == "upstream"
        return Asked(route.upstream.name, dialect, route.path, query, request.headers.fields, shared)

    async def _keep_within_reach(self, flow: http.HTTPFlow) -> None:
        """Send it to an address that was looked at, or refuse it."""
        request = flow.request
        if self._targets.decrypts(request.host, request.port):
            return
        try:
            address = await self._reach(request.host, request.port)
        except Unreachable as refused:
            log.log(refused.level, "refused with %d: %s", refused.status, refused)
            self._turns.observer.refused(refused.status)
            flow.response = http.Response.make(refused.status, f"{refused}\n", TEXT)
        else:
            if request.scheme != "https":  # there the certificate says that it is who the name means
                request.data.host = address

    def _closing(self, flow: http.HTTPFlow) -> tuple[Pair, ...]:
        """On the way out each answer ends its connection; HTTP/2 has no such header."""
        closing = self._turns.lifecycle.closing() and not flow.request.is_http2
        return (CLOSE,) if closing else ()

    def _over(self, flow: http.HTTPFlow, failure: str) -> None:
        passage = self._passages.pop(flow, None)
        if passage is None:
            return
        answered = passage.answered(failure)
        if passage.prepared:
            self._turns.over(passage.prepared, passage.tap, answered.status)
        self._turns.observer.answered(answered)


def _edit(request: http.Request, body: bytes) -> None:
    fields = [pair for pair in request.headers.fields if pair[0].lower() != b"transfer-encoding"]
    request.headers, request.raw_content = http.Headers(for_edited(fields, len(body))), body


def _without_private(fields: tuple[Pair, ...]) -> tuple[Pair, ...]:
    return tuple(
        pair for pair in fields if not (name := pair[0].lower()).startswith(PRIVATE) and name not in OF_THE_PROXY
    )


def _with(fields: tuple[Pair, ...], ours: tuple[Pair, ...]) -> tuple[Pair, ...]:
    names = {name for name, _ in ours}
    return (*(pair for pair in fields if pair[0].lower() not in names), *ours)
