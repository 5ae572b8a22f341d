"""A session is found by its name, by the beginning of it, or as the newest; a wrong name leads to the right one."""

import pytest

from policies.core.lineage import Record
from policies.core.outcome import Outcome
from proxy.errors import StoreError
from proxy.explain.looking import find, newest, turns
from proxy.store.memory import MemoryStore
from tests.proxy.driving import run
from tests.proxy.store.records import ALICE, record


async def _store(*names: str) -> MemoryStore:
    store = MemoryStore()
    for number, name in enumerate(names):
        await store.put(record(lineage=name, at=float(number)))
    return store


def _found(name: str, *names: str) -> str:
    async def main() -> str:
        return (await find(await _store(*names), name)).name

    return run(main())


def test_without_a_name_it_is_the_newest() -> None:
    assert _found("", "a", "b") == "session-b"


def test_a_name_may_be_begun() -> None:
    assert _found("session-a", "abc", "b") == "session-abc"
    assert _found("session-a", "abc", "a") == "session-a"


@pytest.mark.parametrize(
    ("name", "names", "says"),
    [
        ("", (), "the store holds no session yet; send a request through Holdfast first"),
        ("sessoin-abc", ("abc", "b"), "there is no session `sessoin-abc`; the nearest is `session-abc`"),
        ("zzz", ("abc",), "there is no session `zzz`; `holdfast sessions` lists them"),
        ("session-a", ("ab", "ac"), "`session-a` is the beginning of 2 sessions; write more of the name"),
    ],
)
def test_what_is_not_one_session_is_said_so(name: str, names: tuple[str, ...], says: str) -> None:
    with pytest.raises(StoreError) as caught:
        _found(name, *names)
    assert str(caught.value) == says


def test_turns_are_numbered_by_the_time_at_which_they_began() -> None:
    async def main() -> list[tuple[int, Record, Outcome | None]]:
        store = MemoryStore()
        for turn in (2, 0, 1):
            await store.put(record(turn))
        await store.put_outcome(ALICE, record(1).key, Outcome(200))
        (session,) = await newest(store, 5)
        return [(turn.number, turn.record, turn.outcome) for turn in await turns(store, session)]

    assert run(main()) == [(1, record(0), None), (2, record(1), Outcome(200)), (3, record(2), None)]
