"""What a call that was dropped beside the agent's own asked for: said at the tail of the next request.

Rules of this room: the note is sticky like any other, and what was read is in it, so the archive is not asked again.
What is owed lives in this process only: after a restart the model asks once more.
"""

from collections.abc import Iterator, Sequence

from policies.core.notes import Note
from policies.recite import BEGINNING
from proxy.answering.calls import Called
from proxy.opening import Opening

MAX_CHARACTERS = 60_000
"""Of one note, some 15,000 tokens."""


def owed(opening: Opening) -> Iterator[Note]:
    """Where the turn before has left something to say, and this request goes on from it."""
    parent = opening.place.parent
    if parent is not None and parent.owed and opening.lineage.complete:
        yield Note("recall", parent.owed, opening.count(parent.owed))


def words(called: Sequence[Called], texts: Sequence[str]) -> str:
    """The note."""
    said = "\n".join(f"{one.name} {one.arguments} gave:\n{text}" for one, text in zip(called, texts, strict=True))
    return f"{BEGINNING}what you asked for beside the calls above]\n{said[:MAX_CHARACTERS]}"
