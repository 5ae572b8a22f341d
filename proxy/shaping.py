"""What the shape policy needs to read of a turn: the new observations, and what asked for each.

Where an agent has no native tools, its command stands in the text before, in a fence. Where nothing says what was
asked, the answer may be the text of a file, and is treated as one.

Rules of this room: nothing is decided here.
"""

import re
from collections.abc import Mapping, Sequence

from policies.core.conversation import Act, Kind, Role
from policies.core.edits import Edit, Placed
from policies.core.index import Observed
from policies.routes import shape_for, shapes
from policies.shape.repeats import Scene
from proxy.dialects.showing import of_command
from proxy.opening import Opening

UNKNOWN = Act(b"", shows=True)

_FENCED = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)


def shaped(opening: Opening) -> tuple[Placed, ...]:
    """The shapes of what was never sent."""
    policy, new = opening.policy, opening.new
    if not new or not shapes(policy):
        return ()
    scene = Scene(
        opening.seen.trail.index,
        opening.lineage.tenant,
        opening.text,
        lambda one: one.act or _untyped(opening, one),
        opening.count,
        _standing(opening.lineage.placed),
    )
    return policy.shape.propose(new, scene, lambda one: shape_for(policy, one.tool, shows=scene.act(one).shows))


def _standing(placed: Sequence[Placed]) -> Mapping[tuple[int, int], Sequence[Edit]]:
    found: dict[tuple[int, int], list[Edit]] = {}
    for item in placed:
        found.setdefault((item.message, item.block), []).append(item.edit)
    return found


def _untyped(opening: Opening, one: Observed) -> Act:
    """What the text before an observation without a call asked for."""
    before = reversed(opening.seen.trail.messages[: one.message])
    answer = next((message for message in before if message.role is Role.ASSISTANT), None)
    if one.tool or answer is None:
        return UNKNOWN
    texts = [
        opening.seen.dialect.original(answer.raw, block.index) for block in answer.blocks if block.kind is Kind.TEXT
    ]
    commands = [command for text in texts for command in _FENCED.findall(text)]
    if not commands:
        return UNKNOWN
    shown = of_command("\n".join(commands))
    return Act(b"", shows=shown.files, numbers=shown.numbered, places=shown.placed, recalls=shown.recalled)
