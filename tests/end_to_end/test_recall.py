"""An elided observation is listed, found, searched by pattern and read back: over MCP, HTTP, and as a plain file."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from proxy.simulator.brains import script
from tests.end_to_end.agents import KINDS, PROFILES, counted, turns
from tests.end_to_end.running import PATIENCE, ROOT, Holdfast, Stage, environment, holdfast

POLICY = """
name: eager
mask: {keep_newest: 1, min_tokens: 100, when: always}
"""
FILE = re.compile(rb"to read them: (/\S+/hf-[a-z2-7]{16}\.txt)")
TURNS = 8

pytestmark = pytest.mark.slow


class Elided:
    """A proxy behind which observations were elided."""

    def __init__(self, folder: Path, proxy: Holdfast, sent: bytes, texts: list[str]) -> None:
        self.folder, self.proxy, self.texts = folder, proxy, texts
        self.files = [Path(file.decode()) for file in FILE.findall(sent)]
        self.id, self.text = self.files[0].stem, texts[0]


@pytest.fixture(scope="module")
def elided(staged: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elided]:
    folder = tmp_path_factory.mktemp("recall")
    (folder / "eager.yaml").write_text(POLICY)
    log = staged.simulate(script(turns(60)), PROFILES, count=counted("gpt-5.1"))
    kind, model = KINDS["chat"]
    environ = {"HOLDFAST_ARCHIVE__MIRROR": str(folder / "mirror")}
    with (
        httpx.Client(timeout=PATIENCE) as client,
        holdfast(folder, staged.urls, "--policy", str(folder / "eager.yaml"), environ=environ) as proxy,
    ):
        agent = kind(proxy.url, client, model, lines=(40, 60))
        agent.run(TURNS)
        assert len(log) == TURNS
        texts = [message["content"] for message in agent.history if message["role"] == "tool"]
        yield Elided(folder, proxy, log[-1].body, texts)


@asynccontextmanager
async def over_http(elided: Elided) -> AsyncIterator[ClientSession]:
    async with (
        streamable_http_client(f"{elided.proxy.admin}/mcp") as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.discover()
        yield session


@asynccontextmanager
async def over_http_as_of_2025(elided: Elided) -> AsyncIterator[ClientSession]:
    """With a handshake, as agents do that have an older library."""
    async with (
        streamable_http_client(f"{elided.proxy.admin}/mcp") as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


@asynccontextmanager
async def over_stdio(elided: Elided) -> AsyncIterator[ClientSession]:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "proxy.cli", "mcp", "--store", f"sqlite:///{elided.folder}/state.db"],
        env=environment(elided.folder, {}),
        cwd=ROOT,
    )
    async with stdio_client(command) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        yield session


async def said(session: ClientSession, tool: str, **arguments: object) -> str:
    result = await session.call_tool(tool, arguments)
    assert not result.is_error, result
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize("door", [over_http, over_http_as_of_2025, over_stdio])
def test_a_real_mcp_client_finds_and_reads_back_what_was_elided(elided: Elided, door: object) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(30), door(elided) as session:  # type: ignore[operator]
            assert [tool.name for tool in (await session.list_tools()).tools] == ["recall", "search", "note", "notes"]
            assert await said(session, "recall", id=elided.id) == elided.text
            lines = elided.text.splitlines()
            assert await said(session, "recall", id=elided.id, lines="2:3") == f"2: {lines[1]}\n3: {lines[2]}"
            assert f"5: {lines[4]}" in await said(session, "recall", id=elided.id, grep=re.escape(lines[4][:30]))
            assert elided.id in await said(session, "search", text=lines[4][:40])
            missing = await session.call_tool("recall", {"id": "hf-aaaaaaaaaaaaaaaa"})
            assert missing.is_error
            note = (await said(session, "note", text="the port is 8443", title="ports")).split()[0]
            assert note in await said(session, "notes")
            assert "8443" in await said(session, "notes", id=note)

    asyncio.run(scenario())
    if door is over_http:
        assert elided.proxy.numbers().total("holdfast_recalls_total", via="mcp") == 3
        url = f"{elided.proxy.admin}/api/archive/{elided.id}"
        assert httpx.get(url).text == elided.text
        assert elided.proxy.numbers().total("holdfast_recalls_total", via="http") == 1


def test_what_is_kept_is_measured_and_what_fails_would_be(elided: Elided) -> None:
    assert httpx.get(f"{elided.proxy.admin}/readyz").status_code == 200
    numbers = elided.proxy.numbers()
    assert numbers.total("holdfast_archive_bytes") > 1_000
    assert numbers.total("holdfast_store_operations_seconds_count", operation="archive_put") >= 1
    assert numbers.total("holdfast_store_errors_total") == 0


def test_a_masked_file_is_read_back_by_path_from_the_mirror_folder(elided: Elided) -> None:
    assert len(elided.files) >= TURNS // 2
    for file, text in zip(elided.files, elided.texts, strict=False):
        assert file.parent == elided.folder / "mirror"
        assert file.read_text() == text
        assert file.stat().st_mode & 0o777 == 0o600
