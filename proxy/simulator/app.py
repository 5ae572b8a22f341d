"""The simulated providers as one web application: which path is which API, the log, and how bytes go out.

Rules of this room: the clock is an argument; a caller who leaves is noticed, before the answer and
during it, and the log says so. Each call is judged when it has arrived as a whole.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from policies.core.profile import Profile
from proxy.simulator.apis import Api, Call
from proxy.simulator.brains import Brain, echo
from proxy.simulator.faults import NO_DELAYS, Delays, Fault, Faults, no_faults
from proxy.simulator.paths import FALLBACK, api_of
from proxy.simulator.prompt import Count, four_bytes_a_token
from proxy.simulator.records import Log, Record
from proxy.simulator.refusals import Refusal
from proxy.simulator.service import Reply, Service, refused
from proxy.simulator.sockets import SocketDoor


def create(
    *,
    profiles: tuple[Profile, ...] = (),
    brain: Brain = echo,
    count: Count = four_bytes_a_token,
    clock: Callable[[], float] = time.monotonic,
    delays: Delays = NO_DELAYS,
    faults: Faults = no_faults,
    key: bytes = b"simulated provider",
) -> Starlette:
    """The application. `app.state.log` is its Log; two servers with one `key` accept each other's reasoning."""
    log = Log()

    async def listing(_: Request) -> JSONResponse:
        return JSONResponse(log.listing())

    service = Service(profiles, brain, count, key)
    door = Door(service, log, clock, delays, faults, SocketDoor(service, log, clock, delays, faults))
    app = Starlette(routes=[Route("/_simulator/log", listing), Mount("/", app=door)])
    app.state.log = log
    return app


class Door:
    """The ASGI side of the service."""

    def __init__(
        self,
        service: Service,
        log: Log,
        clock: Callable[[], float],
        delays: Delays,
        faults: Faults,
        sockets: SocketDoor,
    ) -> None:
        self._service, self._log, self._clock, self._delays, self._faults = service, log, clock, delays, faults
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
            return
        request = Request(scope, receive)
        now = self._clock()
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        number = len(self._log.records)
        api = api_of(request.method, scope["path"])
        self._log.begin(_record(number, request, body, now, api))
        fault = self._faults(number) or Fault()
        reply = self._reply(api, _call(request, body), number, now, fault)
        self._note(number, reply)
        await self._deliver(number, reply, fault, receive, send)

    def _reply(self, api: Api | None, call: Call, number: int, now: float, fault: Fault) -> Reply:
        if api is None:
            from_path = api_of("POST", call.path)
            shape = from_path or FALLBACK
            status = 404 if from_path is None else 405
            return refused(shape, Refusal(status, "Not Found" if status == 404 else "Method Not Allowed"), f"{number}")
        if fault.status is not None:
            return refused(api, Refusal(fault.status, fault.message), f"{number}", fault.headers)
        return self._service.answer(api, call, number, now)

    def _note(self, number: int, reply: Reply) -> None:
        self._log.note(number, error=reply.error, usage=reply.bill)
        if reply.asked is not None:
            asked = reply.asked
            self._log.note(number, model=asked.model, stream=asked.stream, reports=asked.reports)

    async def _deliver(self, number: int, reply: Reply, fault: Fault, receive: Receive, send: Send) -> None:
        async def work() -> None:
            if fault.hang:
                await asyncio.Event().wait()
            await asyncio.sleep(self._delays.first_byte)
            reply.begin()
            self._log.note(number, status=reply.status)
            await _send(reply, self._delays.chunk, fault.abort_after, send)

        left = await until_left(receive, work())
        begun = self._log.records[number].status is not None
        self._log.note(number, done=True, left=("during" if begun else "before") if left else "")


async def until_left(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Does the work; true where the caller went away first, which cancels it."""
    job, watch = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((job, watch), return_when=asyncio.FIRST_COMPLETED)
    finally:
        left = not job.done()
        job.cancel()
        watch.cancel()
        results = await asyncio.gather(job, watch, return_exceptions=True)
    if isinstance(results[0], Exception):
        raise results[0]
    return left


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(reply: Reply, pause: float, limit: int | None, send: Send) -> None:
    headers = [("content-type", reply.media_type), *reply.headers]
    if reply.length is not None:
        headers.append(("content-length", str(reply.length)))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    sent = 0
    for place, chunk in enumerate(reply.chunks):
        await asyncio.sleep(pause if place else 0)
        part = chunk if limit is None else chunk[: limit - sent]
        await send({"type": "http.response.body", "body": part, "more_body": True})
        sent += len(part)
        if limit is not None and sent >= limit:
            return  # The server closes a connection whose answer was not completed.
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _record(number: int, request: Request, body: bytes, now: float, api: Api | None) -> Record:
    return Record(
        number=number,
        method=request.method,
        path=request.scope["path"],
        query=request.scope["query_string"].decode("latin-1"),
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw),
        body=body,
        started=now,
        api=api.name if api else "",
    )


def _call(request: Request, body: bytes) -> Call:
    return Call(
        path=request.scope["path"],
        query=dict(request.query_params),
        headers=dict(request.headers),
        body=body,
        raw_path=request.scope["raw_path"].decode("latin-1"),
    )
