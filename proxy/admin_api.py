"""The admin port's calls beside /metrics.

Rules of this room: who may call is the admin port's to say. Nothing of a conversation is shown by these; what
shows some is handed in.
"""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from policies.routes import in_use
from proxy.config import Live


def admin_api(live: Live, more: Sequence[Route] = (), mcp: ASGIApp | None = None) -> Starlette:
    """`POST /api/reload`: read configuration and policies again; a bad file keeps what is in force.
    `GET /api/status`: the policies in use, in the order of the routes. `mcp` is served at `/mcp`."""

    async def reload(_: Request) -> JSONResponse:
        outcome = live.reload()
        answer = {"changed": outcome.changed, "error": outcome.error, "at_next_start": outcome.at_next_start}
        return JSONResponse(answer, 400 if outcome.error else 200)

    async def status(_: Request) -> JSONResponse:
        return JSONResponse({"policies": in_use(live.routes)})

    own = [Route("/api/reload", reload, methods=["POST"]), Route("/api/status", status), *more]
    return Starlette(routes=[*own, Route("/mcp", mcp)] if mcp else own)
