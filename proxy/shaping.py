"""What the shape policy needs to read of a turn: the new observations, and what asked for each.

Where an agent has no native tools, its command stands in the text before, in a fence. Where nothing says what was
asked, the answer may be the text of a file, and is treated as one.

Rules of this room: nothing is decided here. Only what stands behind the newest answer is new: what is before it may
have been sent by other ways, and reasoning may be bound to it.
"""

import re
from collections.abc import Mapping, Sequence

from policies.core.conversation import Act, Kind, Message, Role
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
    policy, new = opening.policy, _unanswered(opening)
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


def _unanswered(opening: Opening) -> tuple[Observed, ...]:
    last = _last_answer(opening.seen.trail.messages)
    return tuple(one for one in opening.new if one.message > last)


def _last_answer(messages: Sequence[Message]) -> int:
    return next((n for n in range(len(messages) - 1, -1, -1) if messages[n].role is Role.ASSISTANT), -1)


def _standing(placed: Sequence[Placed]) -> Mapping[tuple[int, int], Sequence[Edit]]:
    found: dict[tuple[int, int], list[Edit]] = {}
    for item in placed:
        found.setdefault((item.message, item.block), []).append(item.edit)
    return found


def _untyped(opening: Opening, one: Observed) -> Act:
    """What the text before an observation without a call asked for."""
    messages = opening.seen.trail.messages
    before = messages[_last_answer(messages[: one.message])]
    texts = [
        opening.seen.dialect.original(before.raw, block.index)
        for block in before.blocks
        if before.role is Role.ASSISTANT and block.kind is Kind.TEXT
    ]
    commands = [command for text in texts for command in _FENCED.findall(text)]
    if one.tool or not commands:
        return UNKNOWN
    shown = [of_command(command) for command in commands]
    return Act(
        b"",
        shows=any(each.files for each in shown),
        numbers=any(each.numbered for each in shown),
        places=any(each.placed for each in shown),
        recalls=any(each.recalled for each in shown),
    )
