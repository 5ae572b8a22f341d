"""Originals on their way into the archive: what is known of them beside their text, and where they can be read.

Rules of this room: from the conversation as it was read. The same edit names the same place for as long as the
configuration does, and an edit that is in force names what it always named (STICKY).
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from policies.core.edits import Placed
from policies.core.index import Observed
from proxy.archive import About, file_name
from proxy.reading import Seen

PATHS = 4
"""Of one call, at most."""
LONGEST = 200
"""Characters of a name or a path."""


def abouts(seen: Seen, taken: Sequence[Placed], session: str) -> Iterator[About]:
    """Of each observation that an edit takes something from."""
    places = {(placed.message, placed.block) for placed in taken}
    found = {
        (one.message, one.block.index): one
        for one in seen.trail.index.observations
        if (one.message, one.block.index) in places
    }
    for placed in taken:
        one = found.get((placed.message, placed.block))
        yield _about(one, session) if one else About(session=session)


def _about(one: Observed, session: str) -> About:
    files = one.act.files[:PATHS] if one.act else ()
    paths = tuple(path[:LONGEST] for path in files)
    return About(one.tool[:LONGEST], one.block.first_line, paths, session, one.block.tokens)


def in_folder(proposed: Iterable[Placed], folder: str) -> tuple[Placed, ...]:
    """With a path in the place of the command, where originals are files on the agent's own machine."""
    return tuple(_naming_file(placed, folder) if folder else placed for placed in proposed)


def _naming_file(placed: Placed, folder: str) -> Placed:
    """The ids that the edit's own words name, and no others: its text may hold some of the observation's."""
    text = placed.edit.text
    for id in (placed.edit.archive_id, placed.edit.needs):
        text = text.replace(f"holdfast archive get {id}", f"{folder}/{file_name(id)}") if id else text
    return replace(placed, edit=replace(placed.edit, text=text))
