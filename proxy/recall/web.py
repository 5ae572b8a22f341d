"""The archive over HTTP, on the admin port: for people, and for agents that have `curl` and no MCP client.

Rules of this room: who may call is the admin port's to say; who may, sees everybody's, as with `holdfast explain`.
An original is sent as plain text that no browser takes for anything else.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from proxy.archive import Entry, Hit
from proxy.errors import AskedError, StoreError
from proxy.recall.choosing import Asked
from proxy.recall.library import EVERYBODY, Library, tenant_name

MOST = 200
"""Originals in one list."""
SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cache-control": "no-store",
}

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(library: Library) -> list[Route]:
    """`/api/archive/{id}?lines=A:B&grep=RE&context=N`; `/api/archive?search=TEXT`, without a text the newest."""

    async def get(request: Request) -> Response:
        query = request.query_params
        reader = await library.reader(query.get("tenant", EVERYBODY))
        asked = Asked(query.get("lines", ""), query.get("grep", ""), _number(request, "context", 0))
        recalled = await library.recall(reader, request.path_params["id"], asked)
        if "application/json" in request.headers.get("accept", ""):
            lines = msgspec.to_builtins(recalled.lines)
            return JSONResponse({"id": recalled.id, "total": recalled.total, "lines": lines}, headers=SAFE)
        text = recalled.text if asked == Asked() else "".join(f"{line.text}\n" for line in recalled.lines)
        return PlainTextResponse(text, headers=SAFE)

    async def find(request: Request) -> Response:
        reader = await library.reader(request.query_params.get("tenant", EVERYBODY))
        limit = min(MOST, _number(request, "limit", 20))
        text = request.query_params.get("search", "")
        if not text:
            newest = await library.newest(reader, limit)
            return JSONResponse({"originals": [plain(entry) for entry in newest]}, headers=SAFE)
        found = await library.search(reader, text, limit)
        hits = [plain_hit(hit) for hit in found.hits]
        return JSONResponse({"originals": hits, "complete": found.complete}, headers=SAFE)

    return [Route("/api/archive/{id}", _answered(get)), Route("/api/archive", _answered(find))]


def plain(entry: Entry) -> dict[str, Any]:
    """An entry as JSON has it."""
    about: dict[str, Any] = msgspec.structs.asdict(entry.about)
    return {"id": entry.id, "tenant": tenant_name(entry.tenant), "at": entry.at, "bytes": entry.size, **about}


def plain_hit(hit: Hit) -> dict[str, Any]:
    return {**plain(hit.entry), "excerpts": msgspec.to_builtins(hit.excerpts)}


def _answered(endpoint: Endpoint) -> Endpoint:
    """What cannot be given is said in one line."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except AskedError as error:
            return PlainTextResponse(f"{error}\n", 404 if error.missing else 400, headers=SAFE)
        except StoreError as error:
            return PlainTextResponse(f"{error}\n", 503, headers=SAFE)

    return answer


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise AskedError(f"`{name}` is `{text[:20]}`; a whole number is allowed")
    return int(text)
