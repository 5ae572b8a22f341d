"""Change an observation before its first sending, when it costs no cache: what is saved is saved at full price.

Two kinds. Lossless: what a terminal shows, JSON in less room, lists of like objects as tables, repeats counted; the
text itself says all that it said. With the original in the archive: a repeat of an earlier observation as a pointer
to it, and, where asked for, too long an output as head and tail.

Rules of this room: pure, text in and text out. The text of files is left alone but for a pointer to the very same
text, and for what the tool wrote around it: an agent that edits by exact replacement quotes it letter by letter.
What was taken away and read back is never touched again. A shape is proposed only where it is worth it.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from policies.core.conversation import Act
from policies.core.edits import Edit, Placed, archive_id
from policies.core.index import Observed
from policies.shape.ceiling import cut
from policies.shape.documents import compacted
from policies.shape.folds import folded
from policies.shape.gutter import narrowed
from policies.shape.headings import headed
from policies.shape.repeats import Scene, alike, difference, pointer, same
from policies.shape.series import thinned
from policies.shape.terminal import displayed

FEWEST = 60
"""Tokens of an observation that is looked at."""
WORTH_TOKENS = 20
"""Tokens that a shape must save."""
WORTH_SHARE = 0.03
"""Share of the observation that it must save."""
LONGEST = 4_000_000
"""Characters of a text that is written otherwise: that takes up to a fifth of a second for each million."""
STRUCTURE = 8
"""Tokens of an observation that are not its text, at most."""


class Shape(Struct, frozen=True, forbid_unknown_fields=True):
    """Change an observation before its first sending."""

    lossless: bool = True
    """Show it as a terminal would, write JSON in less room and as tables, count repeated lines."""
    numbers: bool = True
    """Before the text of files, numbers lose the blanks that align them, and names stand once above their lines."""
    repeats: bool = True
    """A repeat of an earlier observation becomes a pointer to it, with what differs."""
    max_tokens: int | None = None
    """Longer ones keep their head and tail."""

    def propose(
        self, new: Sequence[Observed], scene: Scene, settings_for: Callable[[Observed], "Shape"] | None = None
    ) -> tuple[Placed, ...]:
        """The shapes of observations that were never sent: the last ones of the index, in order.

        `settings_for`: of one observation, where they differ.
        """
        standing, first = dict(scene.standing), len(scene.index.observations) - len(new)
        scene = replace(scene, standing=standing)
        made: list[Placed] = []
        for place, one in enumerate(new, first):
            edit = (settings_for(one) if settings_for else self)._shape(scene, place)
            if edit:
                made.append(Placed(edit, one.message, one.block.index))
                standing[one.message, one.block.index] = [edit]
        return tuple(made)

    def _shape(self, scene: Scene, place: int) -> Edit | None:
        """One observation in its shape; None where it stays as it is."""
        one = scene.index.observations[place]
        if not one.block.editable or one.block.tokens < FEWEST or scene.act(one).recalls:
            return None
        return next(filter(None, (_worth(scene, one, edit) for edit in self._ways(scene, place))), None)

    def _ways(self, scene: Scene, place: int) -> Iterator[Edit]:
        """What may stand in an observation's place, what is shortest first."""
        one = scene.index.observations[place]
        if self.repeats and (earlier := same(scene, place)):
            yield pointer(scene.tenant, one, earlier)
        original = scene.text(one)
        text = self._written(original, scene.act(one))
        if self.repeats and (earlier := alike(scene, place)) and (edit := difference(scene.tenant, one, text, earlier)):
            yield edit
        short = self._within(scene, one, text, text == original)
        if short != original:
            identity = archive_id(scene.tenant, one.block.content) if short is not text else ""
            yield Edit("shape", one.anchor, short, 0, identity)

    def _written(self, text: str, act: Act) -> str:
        """The text in less room, saying the same."""
        if len(text) > LONGEST:
            return text
        if self.numbers and act.numbers:
            text = narrowed(text)
        if self.numbers and act.places:
            text = headed(text)
        return lossless(text) if self.lossless else text

    def _within(self, scene: Scene, one: Observed, text: str, unchanged: bool) -> str:
        """The text in at most the tokens that it may have."""
        if self.max_tokens is None or one.block.tokens <= self.max_tokens:
            return text
        tokens = one.block.tokens - STRUCTURE if unchanged else scene.count(text)
        if tokens <= self.max_tokens:
            return text
        identity = archive_id(scene.tenant, one.block.content)
        thin = thinned(text, identity)
        tokens = tokens if thin == text else scene.count(thin)
        return thin if tokens <= self.max_tokens else cut(thin, tokens, self.max_tokens, identity, scene.count)


class ShapeForTool(Struct, frozen=True, forbid_unknown_fields=True):
    """Shape settings of one tool; null takes the policy's."""

    lossless: bool | None = None
    numbers: bool | None = None
    repeats: bool | None = None
    max_tokens: int | None = None


def lossless(text: str) -> str:
    """The text in less room; it says the same."""
    return folded(headed(compacted(displayed(text))))


def _worth(scene: Scene, one: Observed, edit: Edit) -> Edit | None:
    """The edit with what it saves, where that is worth it."""
    tokens = one.block.tokens - STRUCTURE
    removes = tokens - scene.count(edit.text)
    return replace(edit, removes=removes) if removes >= max(WORTH_TOKENS, WORTH_SHARE * tokens) else None
