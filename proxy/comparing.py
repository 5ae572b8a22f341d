"""What differs between the head received and the one that the provider holds, part by part.

Rules of this room: nothing is decided here: a part can be sent as before or cannot, and why. What the client
withdraws must be disallowed. It must not know prices.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from policies.core.conversation import Role
from policies.core.heads import Part, Tool, reworded_system, reworded_tools
from policies.core.lineage import PARTS, Lineage
from policies.policy import Policy
from policies.stabilize import drift, steady, system_refusal, tools_refusal
from policies.tools import Change, Growth, change_of
from proxy.dialects.canonical import decode
from proxy.dialects.head_bytes import part_values
from proxy.dialects.head_choice import choice_of, no_tools, only_tools, with_added, with_own
from proxy.dialects.head_tools import is_marked, named_tools
from proxy.dialects.slices import Path
from proxy.diverging import parts_of, prompt_of
from proxy.lineages import Place
from proxy.memo import News, Turn, bounded
from proxy.reading import Reader, Seen

COMPARED = 256
"""Pairs of heads whose comparison is remembered."""

Parts = Mapping[str, bytes]
"""Of a head, by name, as they are kept."""


@dataclass(frozen=True, slots=True, repr=False)
class Taught:
    """What other sessions of an agent teach one that begins."""

    head: Parts = field(default_factory=dict)
    """As the newest of them was sent it, while that is cached."""
    tools: bytes = b""
    """All that it came to list."""
    growth: Growth = Growth()


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
    taught: Taught = Taught()

    @property
    def turn(self) -> Turn | None:
        """The one that says what the provider holds."""
        return self.place.retry or self.place.parent

    @property
    def held(self) -> Parts:
        """What the provider holds."""
        return self.turn.sent_as(self.mode) if self.turn else self.taught.head


def differing(asked: Asked, received: Parts) -> tuple[Part, ...]:
    """What differs of tools and system, compared once for each pair of heads."""
    memo, held, policy = asked.reader.memo, asked.held, asked.policy
    names = (asked.seen.dialect.name, repr(policy.stabilize), repr(policy.tools), asked.seen.conversation.head.model)
    sides = (*(held.get(name, b"") for name in PARTS), *received.values(), asked.seen.cut.rest)
    key = memo.hashes([*map(str.encode, names), *sides])
    found = memo.compared.get(key)
    return bounded(memo.compared, key, tuple(_differing(asked, received, held)) if found is None else found, COMPARED)


def _differing(asked: Asked, received: Parts, held: Parts) -> Iterator[Part]:
    settings, lists = asked.policy.stabilize, asked.policy.tools.append_only
    wanted = {"tools": settings.replay or settings.pin_tools or lists, "system": settings.replay or settings.pin_system}
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
        return _listed(asked, change, before, now, drift(texts))
    if not texts and [name for name, _ in old] == [name for name, _ in new]:
        return _respelled(asked, "tools", before, now)
    if not asked.policy.stabilize.pin_tools and not asked.policy.tools.append_only:
        return None
    said, word = drift(texts), "reworded" if texts else "reordered"
    return Part("tools", word=word, target=before, volatile=steady(texts), drift=said)


def _listed(asked: Asked, change: Change, before: bytes, now: bytes, said: str) -> Part:
    """A list of other tools: those before stay where they are, and what comes in stands behind them."""
    if not asked.policy.tools.append_only:
        return Part("tools", "other_tools")
    values = _restricted(asked, change, now) if change.withdrawn else {}
    if values is None:
        return Part("tools", "no_restriction", kind="tools")
    if not change.added:
        return Part("tools", "", "withdrawn", "tools", before, False, said, change.withdrawn, values)
    names = asked.seen.dialect.fields.tools
    new = [name for name, _ in named_tools(names, now) or ()]
    target = with_added(names, before, now, [new.index(name) for name in change.added])
    if target is None:
        return Part("tools", "several_lists", kind="tools")
    return Part("tools", "", "added", "tools", target, False, said, change.withdrawn, values)


def catalogued(asked: Asked) -> Part | None:
    """All tools that the agent came to list before; None where it does not begin with a part of them."""
    names, known, now = asked.seen.dialect.fields.tools, asked.taught.tools, parts_of(asked.seen)["tools"]
    change, old, new = _change(names, known, now)
    if change is None or change.added or not change.withdrawn:
        return None
    values = _restricted(asked, change, now)
    if values is None:
        return Part("tools", "no_restriction", kind="tools")
    target = with_own(names, known, now, [new.index(name) if name in change.stay else None for name in old])
    if target is None:
        return Part("tools", "several_lists", kind="tools")
    return Part("tools", "", "catalogue", "tools", target, withdrawn=change.withdrawn, values=values)


def news_of(asked: Asked) -> tuple[News, frozenset[str]]:
    """What this turn says of the tools that its agent lists, and all that the client has listed up to now."""
    seen, parent = asked.seen, asked.place.parent
    now = parts_of(seen)["tools"]
    if parent is None:
        return "begun" if begins(seen, asked.place) else "", _names(seen, now)
    before = parent.listed or _names(seen, parent.said.get("tools", b""))
    names = before if now == parent.said.get("tools") else _names(seen, now)
    return "grown" if before and names - before else "", before | names


def _names(seen: Seen, part: bytes) -> frozenset[str]:
    return frozenset(name for name, _ in _named(seen.dialect.fields.tools, part) or ())


def _named(names: Sequence[str], part: bytes) -> tuple[Tool, ...] | None:
    """The tools of a part of a head; None where it is not kept in bytes, or cannot be told apart by names."""
    return named_tools(names, part) if part.startswith(b"{") else None


def begins(seen: Seen, place: Place) -> bool:
    """Whether this is the first request of an agent with tools: without any it may be a title, or a question."""
    head = seen.conversation.head
    answered = any(message.role is Role.ASSISTANT for message in seen.conversation.messages)
    return bool(head.tools) and not (answered or place.parent or place.retry or head.stand_down)


def _change(names: Sequence[str], before: bytes, now: bytes) -> tuple[Change | None, list[str], list[str]]:
    """What became of a list, and both by names; None where either is not known, or says nothing."""
    old, new = (_named(names, part) for part in (before, now))
    if old is None or new is None:
        return None, [], []
    return change_of(old, new), [name for name, _ in old], [name for name, _ in new]


def _restricted(asked: Asked, change: Change, now: bytes) -> dict[Path, bytes] | None:
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
        return _respelled(asked, "system", before, now)
    if not asked.policy.stabilize.pin_system:
        return None
    refusal, said = system_refusal(texts, len(before.decode(errors="replace"))), drift(texts)
    word = "reworded" if said else "harmless"
    return Part("system", refusal, word, target=before, volatile=steady(texts), drift=said)


def _respelled(asked: Asked, name: str, before: bytes, now: bytes) -> Part | None:
    """The same in other bytes."""
    if not asked.policy.stabilize.replay or is_marked(before) or is_marked(now):
        return None
    return Part(name, word="respelled", target=before)


def listed_again(asked: Asked, sent: bytes, received: bytes) -> Part:
    """The tools as a first try sent them."""
    change, _, _ = _change(asked.seen.dialect.fields.tools, sent, received)
    gone = change.withdrawn if change else ()
    values = _restricted(asked, change, received) if change and gone else {}
    return Part("tools", kind="tools" if gone else "stabilize", target=sent, withdrawn=gone, values=values or {})
