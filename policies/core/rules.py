"""Is a rewritten request still legal? Checked on what will be sent, read back, before it leaves.

Rules of this room: an edit may change the content of observations, add a note behind the text of an observation or
of a user's, and add cache markers, nothing else: same messages, same blocks in the same order, same calls and
answers, reasoning untouched.
So whatever was paired, signed or alternating before still is. A violation is a short fixed word.
"""

from collections.abc import Collection

from policies.core.conversation import Block, Conversation, Kind, Message, Role
from policies.core.index import Index
from policies.core.plan import Marker
from policies.core.prefix_cache import boundaries, lasting
from policies.core.profile import Breakpoints, CacheRule


def message_violations(
    before: Message, after: Message, replaced: Collection[int], noted: Collection[int] = ()
) -> tuple[str, ...]:
    """What a rewritten message breaks. `replaced`: indices of the blocks whose content was meant to change.

    `noted`: of those behind whose text a note was to stand.
    """
    if before.role is not after.role:
        return ("role_changed",)
    if len(before.blocks) != len(after.blocks):
        return ("blocks_changed",)
    found = (
        _block_violation(before.role, old, new, old.index in replaced, old.index in noted)
        for old, new in zip(before.blocks, after.blocks, strict=True)
    )
    return tuple(dict.fromkeys(word for word in found if word))


def marker_violations(rule: CacheRule, client: int, markers: Collection[Marker]) -> tuple[str, ...]:
    """Too many markers, or any where the model takes none. `client`: how many the client has placed."""
    if not markers:
        return ()
    if not isinstance(rule, Breakpoints):
        return ("marker_not_allowed",)
    automatic = 1 if rule.automatic else 0
    over = client + len(markers) + automatic > rule.limit
    return ("too_many_markers",) if over else ()


def order_violations(
    rule: CacheRule, conversation: Conversation, index: Index, markers: Collection[Marker]
) -> tuple[str, ...]:
    """A marker with the long time to live behind one with the short one (T8)."""
    if not markers or not isinstance(rule, Breakpoints) or rule.automatic:
        return ()
    ends, long = boundaries(rule, conversation, index), lasting(conversation, index)
    lives = [*((end, end in long) for end in ends), *((marker.prefix, marker.long) for marker in markers)]
    last = max((end for end, lives_long in lives if lives_long), default=-1)
    return ("marker_order",) if any(end < last for end, lives_long in lives if not lives_long) else ()


def _block_violation(role: Role, old: Block, new: Block, replaced: bool, noted: bool) -> str:
    if replaced:
        same = old.kind is Kind.OBSERVATION and old.call_id == new.call_id
        return "" if same and new.kind in (Kind.OBSERVATION, Kind.TEXT) else "pairing_broken"
    if noted:
        bears = old.kind is Kind.OBSERVATION or (old.kind is Kind.TEXT and role is Role.USER)
        return "" if bears and (old.kind, old.call_id) == (new.kind, new.call_id) else "note_misplaced"
    if old.hash == new.hash:
        return ""
    return "reasoning_changed" if old.kind is Kind.REASONING else "content_changed"
