"""How a run is known by its end, where its beginning has changed.

Rules of this room: pure, over messages; it must not know what is remembered of a run.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

from policies.core.conversation import Kind, Message

LAST = 8
"""Messages at the end of a request among which its last answer of a tool is looked for."""


def endings(messages: Sequence[Message]) -> Iterator[bytes]:
    """What tells each of the last answers of tools from those of any other run, newest first.

    What they say, the ids of the calls, and what was asked before. Calls without an id are known by their tool's name.
    """
    for before, message in reversed(list(pairwise(messages[-LAST:]))):
        answers = {(block.call_id, block.content) for block in message.blocks if block.kind is Kind.OBSERVATION}
        if any(name and name not in {block.tool for block in message.blocks} for name, _ in answers):
            asked = [block.act.identity for block in before.blocks if block.act]
            parts = (*(name.encode() + content for name, content in sorted(answers)), *asked)
            yield hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
