"""Turns of calls and their outputs, as the shape policy reads them."""

import hashlib
import re
from collections.abc import Mapping, Sequence

from policies.core.conversation import Act, Message
from policies.core.edits import Edit
from policies.core.index import Index, Observed
from policies.shape.repeats import Scene
from tests.policies.building import TENANT, asked, called, observed

REPORT = Act(b"")


def words(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def said(text: str) -> bytes:
    return hashlib.sha256(re.sub(r"\d\d:\d\d:\d\d", "", text).encode()).digest()


def scene(
    texts: Sequence[str], *, acts: Mapping[int, Act] = {}, edits: Mapping[int, Edit] = {}, editable: bool = True
) -> Scene:
    """One call after another, each with one of these outputs. `acts`, `edits`: by the place of the output."""
    messages: list[Message] = [asked()]
    for place, text in enumerate(texts):
        name = f"call {place}"
        content = hashlib.sha256(text.encode()).digest()
        messages += [
            called(name, tool="run", act=acts.get(place, REPORT)),
            observed(
                name,
                words(text) + 8,
                content=content,
                said=said(text),
                lines=text.count("\n") + 1,
                first_line=text.lstrip().partition("\n")[0],
                editable=editable,
            ),
        ]
    index = Index().extended(messages)
    by_call = {f"call {place}": text for place, text in enumerate(texts)}

    def text_of(one: Observed) -> str:
        return by_call[one.block.call_id]

    standing = {(one.message, 0): (edits[place],) for place, one in enumerate(index.observations) if place in edits}
    return Scene(index, TENANT, text_of, lambda one: one.act or REPORT, words, standing)
