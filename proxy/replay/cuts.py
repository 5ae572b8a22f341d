"""What a cut needs to know of one request: where its markers go, what is bound, whether history stands as it stood.

Rules of this room: pure, and of the baselines: it shares nothing with the planner, which places markers by itself.
"""

from collections.abc import Sequence

from policies.core.conversation import Kind, Message
from policies.core.profile import Breakpoints, CacheRule
from proxy.replay.cache import Prompt
from proxy.replay.prompts import Sent


def markers(rule: CacheRule, received: Sent, first: int, newest: int) -> list[int]:
    """Cache markers for a cut from message `first` on, by blocks: where the unchanged part ends, and where the next
    cut may begin. `newest`: observations that are never masked."""
    if not isinstance(rule, Breakpoints):
        return []
    client = received.prompt.marks
    last = len(received.prompt.chain) - 1 if rule.automatic else max(client, default=-1)
    places = (_markable(received, first), _markable(received, _frontier(received, newest)))
    wanted = dict.fromkeys(place for place in places if 0 <= place < last and place not in client)
    return list(wanted)[: max(0, rule.limit - rule.automatic - received.markers)]


def _frontier(received: Sent, newest: int) -> int:
    """The message of the oldest observation that is still too new to be masked."""
    kinds = ((number, block.kind) for number, message in enumerate(received.messages) for block in message.blocks)
    observed = [number for number, kind in kinds if kind is Kind.OBSERVATION]
    return observed[-newest] if 0 < newest <= len(observed) else 0


def marked(sent: Prompt, client: Prompt, ours: Sequence[int]) -> Prompt:
    """What is sent, with the client's markers and these: long-lived where one that is stands behind (T8)."""
    marks, last = tuple(sorted({*client.marks, *ours})), max(client.long, default=-1)
    long = tuple(sorted({*client.long, *(place for place in ours if place < last)}))
    return Prompt(sent.chain, sent.tokens, sent.places, sent.ends, marks, long)


def _markable(received: Sent, before: int) -> int:
    """The last block in front of a message that may carry a marker and ends its message, or -1."""
    for number in range(before - 1, -1, -1):
        blocks = received.messages[number].blocks
        if blocks and blocks[-1].markable:
            return received.prompt.ends[number + 1]
    return -1


def bound(messages: Sequence[Message]) -> int:
    """The last message with reasoning that may be bound to what stands before it, or -1."""
    numbered = enumerate(messages)
    return max((n for n, message in numbered if any(block.bound for block in message.blocks)), default=-1)


def moved(last: Sent, now: Sent) -> bool:
    """Whether a request does not go on from all of the one before it, markers left aside."""
    pairs = zip(last.messages, now.messages, strict=False)
    same = all(one is other or _hashes(one) == _hashes(other) for one, other in pairs)
    return not same or len(now.messages) < len(last.messages)


def _hashes(message: Message) -> list[bytes]:
    return [block.hash for block in message.blocks]
