"""Restate at the tail what a long context hides: the task, the newest instruction, what is still to be done.

Models attend least to the middle of a long context ("Lost in the Middle", Liu et al., 2023), and there the task
stands. A recitation repeats what was said, marked as the proxy's doing; it asks for nothing new. The same goes for the
note on a call that keeps failing. Both are opt-in: they add tokens that the agent did not send.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from policies.core.conversation import Conversation
from policies.core.edits import Edit, Placed
from policies.core.health import failed_again
from policies.core.index import Index, Observed, force_of
from policies.core.lineage import Lineage

BEGINNING = "[context note, added by a proxy: "
RECITED = f"{BEGINNING}to keep in view, "
FAILING = (
    f"{BEGINNING}this call has now failed 2 times running with the same result; repeating it unchanged will not help]"
)
LABELS = 40
"""Tokens of a recitation besides what it quotes."""
LETTERS = 20
"""Characters that no token of a text is longer than, so that no more than needed is counted."""


class Memory(Struct, frozen=True):
    """What there is to restate; empty where it is not known, or stands at the tail anyway."""

    task: str = ""
    """The user's first words."""
    newest: str = ""
    """Their newest, if others."""
    open: tuple[str, ...] = ()
    """What the agent itself last listed as not done."""


class Recite(Struct, frozen=True, forbid_unknown_fields=True):
    """Restate the goal at the tail, and say when a call keeps failing."""

    enabled: bool = False
    """Restate the task, the newest instruction and the open to-do items."""
    every: int = 30_000
    """Tokens by which the context grows from one recitation to the next."""
    at: float = 0.3
    """Share of the effective limit from which the first is made."""
    max_tokens: int = 300
    """Tokens of one recitation."""
    failing_calls: bool = False
    """Say so at an observation with which the same call has failed for the second time in the same words."""

    def due(self, conversation: Conversation, lineage: Lineage, index: Index, limit: int) -> bool:
        """Whether the context, as it is sent, is large enough, and has grown enough since the last recitation."""
        if not self.enabled:
            return False
        force = lineage.force or force_of(lineage.placed)
        if conversation.head.tokens + index.tokens[-1] - force.total < self.at * limit:
            return False
        recited = (placed.message for placed in reversed(lineage.placed) if placed.edit.text.startswith(RECITED))
        last = next(recited, -1)
        grown = index.tokens[-1] - index.tokens[last + 1] - force.removed_behind(last + 1)
        return last < 0 or grown >= self.every

    def words(self, memory: Memory, count: Callable[[str], int]) -> str:
        """The recitation; empty where there is nothing to restate. `count`: estimated tokens of a text."""
        room = max(0, self.max_tokens - LABELS)
        task, newest = _cut(memory.task, room // 2, count), _cut(memory.newest, room // 4, count)
        items = _cut("; ".join(memory.open), room // 4, count)
        parts = (("the task as first stated", _quoted(task)), ("the newest instruction", _quoted(newest)))
        said = [f"{label}: {text}" for label, text in (*parts, ("open items", items)) if text]
        return f"{RECITED}{'; '.join(said)}]" if said else ""

    def failing(self, index: Index, new: Iterable[Observed], count: Callable[[str], int]) -> tuple[Placed, ...]:
        """A note at each of the new observations with which a call has failed again."""
        if not self.failing_calls:
            return ()
        found = (one for one in new if one.block.editable and failed_again(index, one))
        return tuple(
            Placed(Edit("recite", one.anchor, FAILING, -count(FAILING), way="append"), one.message, one.block.index)
            for one in found
        )


def _quoted(text: str) -> str:
    return f'"{text}"' if text else ""


def _cut(text: str, most: int, count: Callable[[str], int]) -> str:
    """The beginning of a text, on one line, in so many tokens."""
    whole = " ".join(text.split())
    kept = whole[: most * LETTERS]
    while kept and (size := count(kept)) > most:
        kept = kept[: min(len(kept) - 1, len(kept) * most // size)]
    return kept if kept == whole else f"{kept}…" if kept else ""
