"""Whether what the provider received was an extension of what it had received before, request by request.

Rules of this room: the provider's log decides, not the proxy's word. Cache markers are no part of a prompt,
and a message of one text says the same as a string and as a block.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from proxy.demo.agent import Answer
from proxy.simulator.records import Record

PLAN = re.compile(r"(\w+)=([^;]+)")
MASKED = re.compile(r"\bmask:(\d+)")


class Said(Struct, frozen=True):
    """What Holdfast says that it did in one turn (the header x-holdfast-plan)."""

    masked: int = 0
    prefix: str = ""
    """"first", "kept" or "broken:CAUSE@PLACE"; empty where there is no such header."""

    @property
    def cause(self) -> str:
        return self.prefix.partition(":")[2].partition("@")[0]


class Break(Struct, frozen=True):
    """One request that did not continue the one before."""

    turn: int
    changed: int
    """Blocks that the provider knew and now received with other content."""
    again_tokens: int
    """Input that the provider had computed before and had to compute again, as reported."""
    masked: int
    cause: str
    """As Holdfast said in that turn's answer; empty where it said nothing."""

    @property
    def explained(self) -> bool:
        return bool(self.cause) and self.changed == self.masked


def said(answer: Answer) -> Said:
    fields = dict(PLAN.findall(answer.headers.get("x-holdfast-plan", "")))
    masked = MASKED.search(fields.get("applied", ""))
    return Said(int(masked[1]) if masked else 0, fields.get("prefix", ""))


def breaks(records: Sequence[Record], answers: Sequence[Answer], added: Sequence[int]) -> tuple[Break, ...]:
    """Every break of one run, from the log of the provider and the answers to the same requests.

    `added`: tokens of the agent's own request that were not in the one before.
    """
    return tuple(_breaks(records, answers, added))


def _breaks(records: Sequence[Record], answers: Sequence[Answer], added: Sequence[int]) -> Iterator[Break]:
    before: tuple[str, ...] = ()
    cached = 0
    for turn, (record, answer, new) in enumerate(zip(records, answers, added, strict=True), start=1):
        blocks = tuple(_blocks(json.loads(record.body)))
        known = zip(before, blocks, strict=False)
        changed = sum(old != new for old, new in known) + max(0, len(before) - len(blocks))
        usage, plan = answer.usage, said(answer)
        if changed or (usage.cache_read or 0) < cached:
            again = max(0, (usage.input or 0) - (usage.cache_read or 0) - new)
            yield Break(turn, changed, again, plan.masked, plan.cause)
        before, cached = blocks, (usage.cache_read or 0) + (usage.cache_write or 0)


def _blocks(body: dict[str, Any]) -> Iterator[str]:
    """The prompt in the provider's order, one text for each block."""
    yield from (_text("tool", tool) for tool in body.get("tools", ()))
    yield from (_text("system", block) for block in _listed(body.get("system", ())))
    for message in body["messages"]:
        yield from (_text(message["role"], block) for block in _listed(message["content"]))


def _listed(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(role: str, block: dict[str, Any]) -> str:
    return json.dumps([role, {key: value for key, value in block.items() if key != "cache_control"}], sort_keys=True)
