"""Which session is meant, and its turns: by name, by the beginning of a name, or the newest.

Rules of this room: the person who asks may read the whole store, so all tenants are looked through.
"""

from difflib import get_close_matches

from msgspec import Struct

from policies.core.lineage import Record
from policies.core.outcome import Outcome
from proxy.errors import StoreError
from proxy.store import Looked, Session

SESSIONS = 10_000
"""Sessions that are looked through, newest first."""


class Turn(Struct, frozen=True):
    """One turn as it is kept. `outcome` None: no answer to it was seen."""

    number: int
    """Of the session, from 1, by the time at which it began."""
    record: Record
    outcome: Outcome | None


async def newest(store: Looked, limit: int) -> tuple[Session, ...]:
    """The sessions used last, newest first."""
    return await store.sessions(limit)


async def find(store: Looked, name: str) -> Session:
    """Raises StoreError, which names the nearest one where there is one. `name` empty: the newest."""
    sessions = await store.sessions(SESSIONS)
    if not sessions:
        raise StoreError("the store holds no session yet; send a request through Holdfast first")
    named = [session for session in sessions if session.name == name]
    begun = named or [session for session in sessions if session.name.startswith(name)]
    if not begun:
        raise StoreError(_unknown(name, [session.name for session in sessions]))
    if name and len({session.name for session in begun}) > 1:
        raise StoreError(f"`{name}` is the beginning of {len(begun)} sessions; write more of the name")
    return begun[0]


async def turns(store: Looked, session: Session) -> tuple[Turn, ...]:
    """All turns of a session."""
    kept = await store.turns(session.tenant, session.name)
    return tuple(Turn(number, *pair) for number, pair in enumerate(kept, start=1))


def _unknown(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=1, cutoff=0.4)
    nearest = f"the nearest is `{near[0]}`" if near else "`holdfast sessions` lists them"
    return f"there is no session `{name}`; {nearest}"
