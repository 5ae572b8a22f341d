"""The provider's side: the strict simulator, playing the recorded answers, on a free port of this machine.

Rules of this room: one price list, one cache rule, one tokenizer, those of the session's model; the cache
of each API key is its own. Tokens are counted once for each text, since a session repeats them on every turn.
"""

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct
from uvicorn import Config

from policies.core.profile import Profile
from proxy.demo.session import Session
from proxy.server import Listener, address, listen
from proxy.simulator.app import create
from proxy.simulator.brains import Answer, ToolCall, script
from proxy.simulator.records import Log
from proxy.tokens import Counters

HOST = "127.0.0.1"


class Provider(Struct, frozen=True):
    """A running simulator."""

    url: str
    log: Log


@asynccontextmanager
async def provider(session: Session, profile: Profile) -> AsyncIterator[Provider]:
    """Serves until left."""
    count = functools.cache(Counters().counter(profile))
    app = create(profiles=(profile,), brain=script(tuple(map(_turn, session.answers))), count=count)
    with listen(HOST, 0) as bound:
        listener = Listener(Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1))
        serving = asyncio.get_running_loop().create_task(listener.serve(sockets=[bound]))
        try:
            yield Provider(address(bound).url, app.state.log)
        finally:
            listener.should_exit = True
            await serving


def _turn(blocks: tuple[dict[str, Any], ...]) -> Answer:
    """A recorded answer, as the simulated model says it."""
    calls = tuple(
        ToolCall(block["name"], json.dumps(block["input"], ensure_ascii=False), block["id"])
        for block in blocks
        if block["type"] == "tool_use"
    )
    return Answer("".join(block["text"] for block in blocks if block["type"] == "text"), calls=calls)
