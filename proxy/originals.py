"""What is known of an observation beside its text, for whoever looks for it once it is elided.

Rules of this room: from the conversation as it was read; nothing here is looked at when a request is planned.
"""

from collections.abc import Iterator, Sequence

from policies.core.edits import Placed
from policies.core.index import Observed
from proxy.archive import About
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
