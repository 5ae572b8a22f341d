"""What relaying a WebSocket costs: added time per message, against going direct.

    python -m bench.websocket          (about a minute; --quick for a smoke run)

The simulated provider and the proxy run in processes of their own on loopback. One agent asks the same turns direct
and through the proxy, in turn, so that other load on the machine falls on both; each turn holds only what is new, as
Codex sends it, and the whole conversation is followed. Figures are the machine's own; the ratios are what to compare.
"""

import argparse
import asyncio
import json
import multiprocessing
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from websockets.asyncio.client import ClientConnection, connect

from proxy.profiles import load_profiles
from proxy.simulator.app import create
from proxy.simulator.brains import Answer, script
from proxy.simulator.serve import listen, server

MODEL = "gpt-5.1-codex"
ITEM_BYTES = 4000


def provide(told: Connection) -> None:
    app = create(profiles=load_profiles(), brain=script((), Answer(text="a few words in answer " * 3)))
    with listen("127.0.0.1", 0) as bound:
        told.send(bound.getsockname()[1])
        server(app).run(sockets=[bound])


@contextmanager
def proxied(url: str) -> Iterator[str]:
    """The URL of a proxy before it."""
    command = [sys.executable, "-m", "proxy.cli", "serve", "--port", "0", "--admin-port", "0", "--store", "memory:"]
    with subprocess.Popen([*command, "--upstream", f"openai={url}"], stdout=subprocess.PIPE) as process:
        assert process.stdout
        found = re.search(r"http://\S+", process.stdout.readline().decode())
        assert found
        yield found[0]
        process.terminate()


class Caller:
    """One connection and the conversation on it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.answer = socket, ""
        self.first: list[float] = []
        self.last: list[float] = []

    async def turn(self, number: int) -> None:
        body = {"type": "response.create", "model": MODEL, "store": False}
        item = {"role": "user", "content": f"{number} " + "x" * ITEM_BYTES}
        before = {"previous_response_id": self.answer} if self.answer else {}
        message = json.dumps({**body, "input": [item], **before})
        began = time.perf_counter()
        await self.socket.send(message)
        await self.socket.recv()
        self.first.append(time.perf_counter() - began)
        while (event := json.loads(await self.socket.recv()))["type"] != "response.completed":
            pass
        self.last.append(time.perf_counter() - began)
        self.answer = event["response"]["id"]


async def compare(urls: dict[str, str], turns: int) -> dict[str, Caller]:
    callers = {}
    for name, url in urls.items():
        address = url.replace("http", "ws", 1) + "/v1/responses"
        headers = {"authorization": "Bearer k"}
        callers[name] = Caller(await connect(address, additional_headers=headers, proxy=None, max_size=None))
    for number in range(turns):
        for caller in callers.values():
            await caller.turn(number)
    for caller in callers.values():
        await caller.socket.close()
    return callers


def report(callers: dict[str, Caller]) -> None:
    for what in ("first", "last"):
        times: dict[str, list[float]] = {name: getattr(caller, what) for name, caller in callers.items()}
        direct, proxied = (statistics.median(times[name]) * 1000 for name in ("direct", "proxied"))
        print(
            f"to the {what} event of an answer: direct {direct:.2f} ms, through {proxied:.2f} ms"
            f"  ({proxied - direct:+.2f} ms, {proxied / direct:.2f}x; medians of {len(times['direct'])} turns)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the turns")
    turns = 20 if parser.parse_args().quick else 200
    ours, theirs = multiprocessing.Pipe()
    provider = multiprocessing.get_context("spawn").Process(target=provide, args=(theirs,), daemon=True)
    provider.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    with proxied(url) as proxy:
        report(asyncio.run(compare({"direct": url, "proxied": proxy}, turns)))
    provider.terminate()
    provider.join()


if __name__ == "__main__":
    main()
