"""From URL to store."""

import asyncio
from pathlib import Path

import pytest

from proxy.errors import ConfigError
from proxy.store.bounds import Bounds
from proxy.store.memory import MemoryStore
from proxy.store.open import open_store, store_path
from proxy.store.sqlite import SqliteStore
from tests.proxy.store.records import ALICE, START, record


def test_each_kind_of_url_opens_its_store(tmp_path: Path) -> None:
    assert isinstance(open_store("memory:"), MemoryStore)
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    assert isinstance(store, SqliteStore)
    assert (tmp_path / "state.db").exists()
    asyncio.run(store.close())


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_bounds_reach_the_store(kind: str, tmp_path: Path) -> None:
    url = "memory:" if kind == "memory" else f"sqlite:///{tmp_path / 'state.db'}"

    async def main() -> None:
        store = open_store(url, Bounds(max_bytes=10**9, max_age=5.0))
        await store.put(record())
        assert await store.prune(START + 5) == 0
        assert await store.prune(START + 6) == 1
        assert await store.find(ALICE, (record().prefix,)) == ()
        await store.close()

    asyncio.run(main())


def test_everything_behind_three_slashes_is_the_path() -> None:
    assert store_path("memory:") is None
    assert store_path("sqlite:///state.db") == Path("state.db")
    assert store_path("sqlite:////var/lib/state.db") == Path("/var/lib/state.db")


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///~/state.db"])
def test_a_url_without_a_usable_path_says_how_to_write_one(url: str) -> None:
    with pytest.raises(ConfigError, match="does not name a file; write sqlite:////absolute"):
        open_store(url)


@pytest.mark.parametrize("url", ["mysql://u:canary@h/db", "sqlite://canary", "memory:canary"])
def test_an_unknown_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="use memory: or sqlite:///FILE") as caught:
        open_store(url)
    assert "canary" not in str(caught.value)
