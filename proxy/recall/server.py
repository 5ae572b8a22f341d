"""The MCP server: the tools of `tools.py` over streamable HTTP at `/mcp` of the admin port, and over stdio.

Rules of this room: of an optional package, so it is imported where a server is made and nowhere else. Without state
of its own: every request stands alone, so any worker and any restart will do. Who may connect over HTTP (Host, Origin,
token) is the admin port's to say, before anything arrives here; whose originals a client sees, it says with
`x-holdfast-tenant`, and a client of stdio with its command line.
"""

import asyncio
import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from proxy.errors import AskedError, ConfigError, StoreError
from proxy.recall.library import Library
from proxy.recall.tools import TOOLS, call

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams

log = logging.getLogger("holdfast.recall")

TENANT = "x-holdfast-tenant"
BODY = 1_000_000
"""Bytes of a request."""
INSTRUCTIONS = (
    "Long tool results may be elided from the conversation to save space; a placeholder names an id (hf-...). "
    "Read them back with `recall` and find them with `search`."
)
MISSING = "the package `mcp` is missing"
INSTALL = "pip install 'holdfast[mcp]'"


def make_server(library: Library, tenant: str = "") -> "Server[Any]":
    """`tenant`: for clients that do not say. Raises ConfigError where the package is missing."""
    try:
        from mcp.server.lowlevel import Server
    except ImportError:
        raise ConfigError(MISSING, help=INSTALL) from None
    from mcp.types import CallToolResult, ListToolsResult, TextContent, Tool

    listed = ListToolsResult(
        tools=[Tool(name=tool.name, description=tool.description, input_schema=tool.schema) for tool in TOOLS]
    )

    async def list_tools(
        context: "ServerRequestContext[Any]", params: "PaginatedRequestParams | None"
    ) -> "ListToolsResult":
        return listed

    async def call_tool(context: "ServerRequestContext[Any]", params: "CallToolRequestParams") -> "CallToolResult":
        text, failed = await _answer(library, _tenant_of(context) or tenant, params.name, params.arguments or {})
        return CallToolResult(content=[TextContent(text=text)], is_error=failed)

    return Server(
        "holdfast",
        version=version("holdfast"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _answer(library: Library, tenant: str, name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    """The text, and whether it says what went wrong: a model can act on that."""
    try:
        return await call(library, await library.reader(tenant), name, arguments), False
    except AskedError as error:
        return str(error), True
    except StoreError as error:
        log.warning("a tool call cannot be answered: %s", error)
        return "the archive cannot be read at the moment", True


def _tenant_of(context: "ServerRequestContext[Any]") -> str:
    """Empty over stdio, where there is no request."""
    return str(context.request.headers.get(TENANT, "")) if context.request is not None else ""


class Door:
    """`/mcp` as an ASGI application. The package is loaded by the first who knocks: it takes a second, and 55 MB."""

    def __init__(self, make: "Callable[[], Server[Any]]") -> None:
        self._make = make
        self._knocked = asyncio.Event()
        self._opened: asyncio.Future[ASGIApp] = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        """Until cancelled. In one task, as the sessions' task group asks for."""
        await self._knocked.wait()
        try:
            manager = await asyncio.to_thread(_sessions, self._make)
        except ConfigError as error:
            self._opened.set_result(PlainTextResponse(f"{error}\n", 501))
            return
        async with manager.run():
            self._opened.set_result(manager.handle_request)
            await asyncio.Event().wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            # a stream in which the server speaks of its own accord: this one never does
            refusal = PlainTextResponse("only POST is served here\n", 405, headers={"allow": "POST"})
            return await refusal(scope, receive, send)
        self._knocked.set()
        await (await asyncio.shield(self._opened))(scope, receive, send)


def _sessions(make: "Callable[[], Server[Any]]") -> "StreamableHTTPSessionManager":
    server = make()
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    return StreamableHTTPSessionManager(server, json_response=True, stateless=True, max_request_body_size=BODY)


async def serve_stdio(library: Library, tenant: str) -> None:
    """Until standard input ends."""
    server = make_server(library, tenant)
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
