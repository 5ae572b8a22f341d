"""`/mcp`: behind the admin port's checks, loaded by the first who asks, one tenant's where a tenant is named."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from mcp.server.lowlevel import Server

from proxy.admin import AdminApp
from proxy.archive import Found, Whose
from proxy.archive.memory import MemoryArchive
from proxy.cli import main
from proxy.errors import ConfigError, StoreError
from proxy.recall.library import tenant_name
from proxy.recall.server import Door, make_server
from tests.proxy.recall.shelf import ALICE, BOB, Shelf
from tests.proxy.running import scenario

ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


async def posted(door: Door, headers: Mapping[str, str], body: object, token: str = "") -> httpx.Response:
    app = AdminApp(lambda accept: (b"", accept), mounted=door, token=token)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8788") as client:
        return await client.post("/mcp", headers={**ACCEPT, **headers}, content=json.dumps(body))


def calling(tool: str, **arguments: object) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@scenario
async def test_a_client_that_names_a_tenant_reads_nobody_elses() -> None:
    shelf = Shelf()
    hers, his = await shelf.put(ALICE), await shelf.put(BOB)
    door = Door(lambda: make_server(shelf.library))
    serving = asyncio.get_running_loop().create_task(door.serve())
    alice = {"x-holdfast-tenant": tenant_name(ALICE)}
    for id, failed in ((hers, False), (his, True)):
        result = (await posted(door, alice, calling("recall", id=id))).json()["result"]
        assert result["isError"] is failed
    found = (await posted(door, alice, calling("search", text="output"))).json()["result"]["content"][0]["text"]
    assert hers in found and his not in found
    refused = (await posted(door, {}, calling("search", text="output"))).json()["result"]
    assert refused["isError"] and "2 credentials" in refused["content"][0]["text"]
    assert shelf.recalled == 1
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.test"}, 421),
        ({"origin": "http://evil.test"}, 403),
        ({}, 401),
        ({"authorization": "Bearer t0ke"}, 401),
    ],
)
@scenario
async def test_whoever_may_not_pass_the_admin_port_does_not_even_load_the_server(
    headers: dict[str, str], status: int
) -> None:
    def never() -> Server[Any]:
        raise AssertionError("loaded")

    door = Door(never)
    serving = asyncio.get_running_loop().create_task(door.serve())
    assert (await posted(door, headers, calling("notes"), token="t0ken")).status_code == status
    assert not serving.done()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


@scenario
async def test_without_the_package_it_says_what_to_install() -> None:
    def missing() -> Server[Any]:
        raise ConfigError("the package `mcp` is missing", help="pip install 'holdfast[mcp]'")

    door = Door(missing)
    serving = asyncio.get_running_loop().create_task(door.serve())
    answer = await posted(door, {}, calling("notes"))
    assert (answer.status_code, answer.text) == (501, "the package `mcp` is missing; pip install 'holdfast[mcp]'\n")
    await serving


@scenario
async def test_a_stream_of_its_own_is_refused_since_the_server_never_speaks_first() -> None:
    app = AdminApp(lambda accept: (b"", accept), mounted=Door(lambda: make_server(Shelf().library)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8788") as client:
        for method in ("GET", "DELETE"):
            answer = await client.request(method, "/mcp")
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


class Broken(MemoryArchive):
    async def search(self, whose: Whose, text: str, limit: int) -> Found:
        raise StoreError("/home/me/state.archive.db: the disk is gone")


@scenario
async def test_a_fault_of_the_archive_is_an_answer_that_tells_an_agent_nothing_of_the_machine() -> None:
    door = Door(lambda: make_server(Shelf(Broken()).library))
    serving = asyncio.get_running_loop().create_task(door.serve())
    result = (await posted(door, {}, calling("search", text="x"))).json()["result"]
    assert result["isError"] and result["content"][0]["text"] == "the archive cannot be read at the moment"
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


def test_a_store_in_memory_has_nothing_for_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp"], {"HOLDFAST_STORE": "memory:"}) == 2
    assert "connect to /mcp of the admin port" in capsys.readouterr().err
