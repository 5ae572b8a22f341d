"""`holdfast explain` and `holdfast sessions`: what was done in each turn, what it cost, and what was lost to what.

Rules of this room: from the store's file on this machine; whoever may read the file may read what is in it.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from proxy.commands.terminal import Terminal
from proxy.config import Settings
from proxy.errors import ConfigError, StoreError
from proxy.explain import figures, looking, words
from proxy.store.open import store_path
from proxy.store.sqlite import SqliteStore, open_sqlite

T = TypeVar("T")


def explain(settings: Settings, session: str, turn: int | None, terminal: Terminal) -> int:
    """A line for each turn of a session, or a screen for one of them."""

    async def read(store: SqliteStore) -> tuple[looking.Turn, ...]:
        return await looking.turns(store, await looking.find(store, session))

    turns = _with_store(settings, read)
    name = turns[0].record.session
    if turn is None:
        total = figures.total_of(name, turns)
        document = {**_plain(total), "lines": [_plain(figures.line_of(each)) for each in turns]}
        _say(terminal, document, words.session(name, turns, total, terminal.colour))
        return 0
    if not 1 <= turn <= len(turns):
        raise StoreError(f"session `{name}` has no turn {turn}; it has {len(turns)}")
    shown = turns[turn - 1]
    _say(terminal, _document(shown), words.turn(shown, len(turns), terminal.colour))
    return 0


def sessions(settings: Settings, limit: int, terminal: Terminal) -> int:
    """The sessions used last, newest first."""

    async def read(store: SqliteStore) -> list[figures.Total]:
        found = await looking.newest(store, limit)
        return [figures.total_of(one.name, await looking.turns(store, one)) for one in found]

    totals = _with_store(settings, read)
    _say(terminal, [_plain(total) for total in totals], words.sessions(totals, terminal.colour))
    return 0


def _with_store(settings: Settings, read: Callable[[SqliteStore], Awaitable[T]]) -> T:
    path = store_path(settings.store)
    if path is None:
        raise ConfigError("the store `memory:` keeps nothing on disk", help="give the URL of another with --store")
    if not path.exists():
        raise StoreError(f"there is no store `{path}`; `holdfast serve` makes one, --store names another")

    async def main() -> T:
        store = open_sqlite(path)
        try:
            return await read(store)
        finally:
            await store.close()

    return asyncio.run(main())


def _document(turn: looking.Turn) -> dict[str, Any]:
    """Everything that is known of a turn but the messages themselves."""
    record, outcome = turn.record, _plain(turn.outcome) if turn.outcome else {}
    rewrites = [_plain(rewrite) for rewrite in figures.rewrites_of(figures.story_of(turn))]
    named = {"session": record.session, "turn": turn.number, "at": record.at, "model": record.model}
    return {**named, "mode": record.mode, "messages": record.count, **outcome, "rewrites": rewrites}


def _plain(value: Any) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(value)
    return document


def _say(terminal: Terminal, document: Any, text: str) -> None:
    terminal.text(json.dumps(document, indent=2) if terminal.json else text)
