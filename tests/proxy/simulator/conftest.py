"""The application on a loopback port, for real clients."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette

from proxy.simulator.serve import listen, server


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listener:
        web = server(app)
        thread = threading.Thread(target=web.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        web.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serves an application until the test ends, and gives its URL."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(serving(app))


@pytest.fixture
def until_closed() -> Iterator[Callable[[Any], Any]]:
    """Closes a client when the test ends: a socket left to the collector fails whichever test runs then."""
    with ExitStack() as stack:

        def keep(client: Any) -> Any:
            stack.callback(client.close)
            return client

        yield keep
