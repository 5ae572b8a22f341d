"""An observation that an earlier one says already: a pointer to that one, with what differs.

The rule: a pointer is only set where the earlier text stands whole in what is sent: neither masked nor cut nor itself
a pointer. So nobody is sent from pointer to pointer, and an agent that asks a third time gets the whole text:
it wants to see it. The original is in the archive under the id that the pointer names, whatever becomes of the text
that it points to; and `Edit.needs` says which that is, so that masking takes it for as new as the pointer.

A file's text is only pointed to where it is the very same and near, for an agent quotes it when it edits; never as a
difference.

Rules of this room: values in, values out. A difference is never longer than a part of the text.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import unified_diff
from itertools import islice

from msgspec import Struct

from policies.core.conversation import Act
from policies.core.edits import Edit, archive_id
from policies.core.index import Index, Key, Observed
from policies.shape.gutter import narrowed
from policies.shape.headings import headed

NEAR = 10
"""Observations between, at most, for the text of a file: as many as masking leaves alone."""
SHARE = 0.4
"""Of the text's length that a difference may have."""
LINES = 1_000
"""Lines of a text that is compared: it takes more than linear time."""
BEGINNING = 60
"""Characters shown of the earlier one."""
CONTEXT = 1
"""Lines shown around each difference."""


class Scene(Struct, frozen=True):
    """What is read of a turn."""

    index: Index
    tenant: bytes
    text: Callable[[Observed], str]
    """An observation, as it came."""
    act: Callable[[Observed], Act]
    """What asked for it."""
    count: Callable[[str], int]
    """Tokens of a text."""
    standing: Mapping[tuple[int, int], Sequence[Edit]]
    """Edits in force, by message and block."""


class Earlier(Struct, frozen=True):
    """An observation that stands whole in what is sent."""

    one: Observed
    text: str
    """As it is sent."""
    ago: int
    """How many observations before the one that is looked at."""


def pointer(tenant: bytes, one: Observed, earlier: Earlier) -> Edit:
    """In place of an observation that says the same as an earlier one."""
    return _edit(tenant, one, earlier, f"[same output as {_named(earlier)}; to read it again: ", "]")


def difference(tenant: bytes, one: Observed, text: str, earlier: Earlier) -> Edit | None:
    """In place of an observation whose text says nearly the same; None where that would not be short."""
    changes = _changes(earlier.text.split("\n"), text.split("\n"))
    if changes is None or len(changes) > SHARE * len(text):
        return None
    words = f"[output of {_named(earlier)}, with these changes; to read it whole: "
    return _edit(tenant, one, earlier, words, f"]\n{changes}")


def same(scene: Scene, place: int) -> Earlier | None:
    """The newest observation before the one at `place` that says the very same, if it stands whole."""
    one = scene.index.observations[place]
    earlier = _newest(scene, place, ("text", one.block.said))
    if earlier is None or earlier.one.block.content != one.block.content:
        return None
    if scene.act(one).shows and not (earlier.ago <= NEAR and _stands_to_the_letter(scene, earlier)):
        return None
    return earlier


def _stands_to_the_letter(scene: Scene, earlier: Earlier) -> bool:
    """What stands is what the file says; what a tool wrote around it aside."""
    original = scene.text(earlier.one)
    return earlier.text in (original, narrowed(original), headed(original))


def alike(scene: Scene, place: int) -> Earlier | None:
    """The newest observation before that says nearly the same, else that answers the same call, if it stands whole."""
    one = scene.index.observations[place]
    if one.block.lines > LINES or scene.act(one).shows:
        return None
    keys = [("text", one.block.said), *([("call", one.act.identity)] if one.act else [])]
    return next(filter(None, (_newest(scene, place, key) for key in keys)), None)


def _newest(scene: Scene, place: int, key: Key) -> Earlier | None:
    """The newest observation before that has this key, if it stands whole."""
    before = dict(scene.index.observations[place].links).get(key, -1)
    if before < 0:
        return None
    one = scene.index.observations[before]
    edits = scene.standing.get((one.message, one.block.index), ())
    if not one.block.editable or any(edit.kind == "mask" or edit.archive_id for edit in edits):
        return None
    shaped = [edit.text for edit in edits if edit.way == "replace"]
    return Earlier(one, shaped[0] if shaped else scene.text(one), place - before)


def _changes(old: Sequence[str], new: Sequence[str]) -> str | None:
    """A unified difference without its head; None where there is too much to compare."""
    if len(old) > LINES or len(set(new) - set(old)) > SHARE * len(new):
        return None
    return "\n".join(islice(unified_diff(old, new, n=CONTEXT, lineterm=""), 2, None))


def _named(earlier: Earlier) -> str:
    """Where the earlier one stands, and how it reads there."""
    lines = earlier.text.strip().split("\n")
    ago = "the tool result before this one" if earlier.ago == 1 else f"{earlier.ago} tool results before this one"
    return f'{ago} ({len(lines)} lines, beginning "{lines[0][:BEGINNING]}")'


def _edit(tenant: bytes, one: Observed, earlier: Earlier, words: str, end: str) -> Edit:
    identity, needs = (archive_id(tenant, each.block.content) for each in (one, earlier.one))
    return Edit("shape", one.anchor, f"{words}holdfast archive get {identity}{end}", 0, identity, needs=needs)
