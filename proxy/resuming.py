"""A session that its client has resumed: what was lost on the way is sent again as it was first, or is named.

Rules of this room: only a dialect says what a client may lose, and only what one turn was sent before is put back,
to the model that it was sent to. A request that is relayed as it came is compared as it came.
"""

import dataclasses

from msgspec.structs import replace

from policies.core.conversation import Message
from proxy.lineages import Place, remembered
from proxy.memo import Memo
from proxy.reading import Seen


def resumed(seen: Seen, place: Place, memo: Memo, *, replayed: bool) -> Place:
    """Where the request stands once its messages are taken for those that they restate. `replayed`: those are sent."""
    if not replayed:
        return _as_it_came(seen, place)
    meant = _restated(seen, place)
    if not meant:
        return place
    seen.trail = memo.taken_for(seen.tree, seen.trail, meant)
    seen.conversation = replace(seen.conversation, messages=seen.trail.messages)
    return remembered(seen, memo)


def _restated(seen: Seen, place: Place) -> dict[int, Message]:
    """What the turn before was sent where this request only restates it. Signatures are of one model (T5)."""
    turn = place.parent
    if turn is None or turn.end is None or turn.record.model != seen.conversation.head.model:
        return {}
    sent = reversed(list(turn.end.back(max(0, turn.record.count - place.common))))
    pairs = enumerate(zip(sent, seen.trail.messages[place.common :], strict=False), place.common)
    restates = seen.dialect.restates
    return {index: node.message for index, (node, now) in pairs if restates(node.message.raw, now.raw)}


def _as_it_came(seen: Seen, place: Place) -> Place:
    """Without what was only taken for what had been sent before, on a turn that was sent so."""
    trail = seen.trail
    lost = (index for index in trail.variants if trail.keys[index] not in trail.nodes[index].variants)
    return dataclasses.replace(place, common=min(place.common, next(lost, place.common)))
