"""The proxy as users start it: `holdfast serve` in a process of its own, on free ports of this machine.

Rules of this room: default policy, state in a file of the demo's own, no configuration of the user's: neither a
file nor a variable may change what the demo shows. The process ends with the demo, by its own id.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

READY = re.compile(r"holdfast serves (\S+) \(admin (\S+)\)")
PATIENCE = 30.0  # seconds to start, and to end


class Proxy(Struct, frozen=True):
    """A running proxy: where agents find it, and where its metrics are."""

    url: str
    admin: str


@asynccontextmanager
async def proxy(upstream: str, environ: Mapping[str, str], state: Path) -> AsyncIterator[Proxy]:
    """Serves until left. `state`: the store's file, made anew. Raises OSError where it does not start."""
    for file in state.parent.glob(f"{state.stem}*{state.suffix}*"):  # the archive beside it as well
        file.unlink()
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as folder, (Path(folder) / "log").open("w+b") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy.cli", "serve", "--port", "0", "--admin-port", "0"),
            *("--store", f"sqlite:///{state.absolute()}", "--policy", "default", "--upstream", f"anthropic={upstream}"),
            env=_environment(environ, folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C ends the demo, which ends the proxy
        )
        try:
            yield await _started(process, Path(log.name))
        finally:
            await _end(process)


def _environment(environ: Mapping[str, str], home: str) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not name.startswith(("HOLDFAST_", "XDG_"))}
    return {**kept, "HOME": home}


async def _started(process: asyncio.subprocess.Process, log: Path) -> Proxy:
    assert process.stdout
    try:
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
    except TimeoutError:
        line = ""
    found = READY.match(line)
    if found is None:
        said = log.read_text(errors="replace").strip().splitlines()
        raise OSError(f"the proxy did not start: {said[-1] if said else 'it said nothing'}")
    return Proxy(found[1], found[2])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(PATIENCE):
            await process.communicate()  # reads what is left, so that it never waits for a reader
    except TimeoutError:
        process.kill()
        await process.wait()
