"""What differs between the head received and the one that the provider holds, part by part.

Rules of this room: nothing is decided here: a part can be sent as before or cannot, and why. What the client
withdraws must be disallowed. It must not know prices.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec import Struct

from policies.core.edits import EditKind
from policies.core.heads import Rewording, reworded_system, reworded_tools
from policies.core.lineage import Lineage
from policies.policy import Policy
from policies.stabilize import harmless, system_refusal, tools_refusal
from policies.tools import Change, change_of
from proxy.dialects.canonical import decode
from proxy.dialects.head_bytes import part_values
from proxy.dialects.head_choice import choice_of, no_tools, only_tools, with_added
from proxy.dialects.head_tools import is_marked, named_tools
from proxy.dialects.slices import Path
from proxy.diverging import prompt_of
from proxy.lineages import Place
from proxy.memo import Turn
from proxy.reading import Reader, Seen

Parts = Mapping[str, bytes]
"""Of a head, by name, as they are kept."""


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """A turn whose head is to be chosen."""

    reader: Reader
    seen: Seen
    place: Place
    lineage: Lineage
    policy: Policy
    mode: str
    body: bytes
    path: str
    now: float

    @property
    def turn(self) -> Turn | None:
        """The one that says what the provider holds."""
        return self.place.retry or self.place.parent

    @property
    def held(self) -> Parts:
        """What that one sent."""
        return self.turn.sent_as(self.mode) if self.turn else {}


class Part(Struct, frozen=True):
    """One part that differs from what the provider holds."""

    name: str
    refusal: str = ""
    """Why it cannot be sent as before; empty where it can."""
    texts: tuple[Rewording, ...] = ()
    word: str = ""
    """How it differs, where it can."""
    kind: EditKind = "stabilize"
    target: bytes = b""
    """What to send of it."""


def differing(asked: Asked, received: Parts, held: Parts) -> Iterator[Part]:
    """What differs of tools and system, compared."""
    policy = asked.policy
    wanted = {"tools": policy.stabilize.pin_tools or policy.tools.append_only, "system": policy.stabilize.pin_system}
    for name, compare in (("tools", _tools), ("system", _system)):
        now, before = received[name], held.get(name, b"")
        if wanted[name] and now != before:
            known = now.startswith(b"{") and before.startswith(b"{")
            found = compare(asked, before, now) if known else Part(name, "unknown")
            if found is not None:
                yield found


def _tools(asked: Asked, before: bytes, now: bytes) -> Part | None:
    """None where there is nothing to keep: the client's markers have moved, and are no part of the prompt."""
    names = asked.seen.dialect.fields.tools
    old, new = (named_tools(names, part) for part in (before, now))
    change = None if old is None or new is None else change_of(old, new)
    if old is None or new is None or change is None:
        return Part("tools", "unknown")
    stay = set(change.stay)
    texts = reworded_tools(*([tool for tool in tools if tool[0] in stay] for tools in (old, new)))
    refusal = "other_tools" if texts is None else tools_refusal(texts)
    if refusal or texts is None:
        return Part("tools", refusal)
    if texts and not asked.policy.stabilize.pin_tools:
        return None
    if change.withdrawn or change.added:
        return _listed(asked, change, before, now, texts)
    if not texts and [name for name, _ in old] == [name for name, _ in new]:
        return None if is_marked(before) or is_marked(now) else Part("tools", word="respelled", target=before)
    return Part("tools", "", texts, "reworded" if texts else "reordered", target=before)


def _listed(asked: Asked, change: Change, before: bytes, now: bytes, texts: tuple[Rewording, ...]) -> Part | None:
    """A list of other tools: those before stay where they are, and what comes in stands behind them."""
    if not asked.policy.tools.append_only:
        return Part("tools", "other_tools")
    if change.withdrawn and restricted(asked, change, now) is None:
        return Part("tools", "no_restriction", kind="tools")
    if not change.added:
        return Part("tools", "", texts, "withdrawn", "tools", before)
    names = asked.seen.dialect.fields.tools
    new = [name for name, _ in named_tools(names, now) or ()]
    target = with_added(names, before, now, [new.index(name) for name in change.added])
    if target is None:
        return Part("tools", "several_lists", kind="tools")
    return Part("tools", "", texts, "added", "tools", target)


def restricted(asked: Asked, change: Change, now: bytes) -> dict[Path, bytes] | None:
    """Members that disallow what the client has withdrawn; None where there is no way."""
    seen, dialect = asked.seen, asked.seen.dialect.name
    if not change.stay and not change.added:
        parameters = (seen.dialect.prompt(seen.cut.rest).parameters, _parameters(asked.held))
        return no_tools(dialect, *parameters)
    if dialect not in seen.profile.takes_allowed_tools:
        return None
    lists = (decode(raw) for raw in part_values(seen.dialect.fields.tools, now).values())
    tools = [tool for listed in lists if isinstance(listed, list) for tool in listed]
    return only_tools(dialect, tools, choice_of(seen.cut.rest))


def _parameters(held: Parts) -> Mapping[str, object]:
    known = decode(held.get("parameters") or b"{}")
    return known if isinstance(known, dict) else {}


def _system(asked: Asked, before: bytes, now: bytes) -> Part | None:
    """Likewise."""
    texts = reworded_system(*(prompt_of(asked.seen.dialect, "system", part).system for part in (before, now)))
    if texts is None:
        return Part("system", "other_blocks")
    if not texts:
        return None if is_marked(before) or is_marked(now) else Part("system", word="respelled", target=before)
    refusal = system_refusal(texts, len(before.decode(errors="replace")))
    return Part("system", refusal, texts, "harmless" if harmless(texts) else "reworded", target=before)


def withdrawn(asked: Asked, sent: bytes, received: bytes) -> Change | None:
    """What is listed although the client no longer lists it."""
    old, new = (named_tools(asked.seen.dialect.fields.tools, part) for part in (sent, received))
    change = None if old is None or new is None else change_of(old, new)
    return change if change and change.withdrawn else None
