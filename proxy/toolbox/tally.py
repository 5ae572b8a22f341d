"""From sessions to toolsets: what each definition took, how often it was called, and what it cost.

Rules of this room: pure. Tokens are estimates, so costs are; which part of a request was read from the
cache is as reported, else assumed. Calls of tools that leave no trace in a request are not counted as none.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from msgspec import Struct

from policies.core.profile import MILLION, Profile
from policies.core.usage import Usage
from proxy.dialects.definitions import Definition

KINSHIP = 0.5
"""Share of names in common from which the tools of two sessions are one toolset: an agent, a server more or less."""


class Request(Struct, frozen=True):
    """One model call."""

    definitions: tuple[Definition, ...]
    head: int
    """Tokens of tools and system."""
    usage: Usage | None = None
    whole: bool = True
    """Its history is in it, and not with the provider: calls can be seen."""


class Session(Struct, frozen=True):
    """One recorded session."""

    id: str
    model: str
    """As requests name it."""
    profile: Profile
    requests: tuple[Request, ...]
    calls: tuple[tuple[str, int], ...] = ()
    """Name of each tool called, and the turn that called it, from 1; 0 is before the recording."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(one.label for request in self.requests for one in request.definitions)


class Used(Struct, frozen=True):
    """One tool of a toolset."""

    definition: Definition
    """As last sent."""
    requests: int
    """That carried it in the prompt."""
    share: float | None
    """Of the head, over these requests."""
    cost: float
    """Estimated, in the profile's unit."""
    calls: int
    countable: bool
    """Its calls would have been seen: none is then none."""
    last: tuple[str, int, int] | None = None
    """The last session that called it, its last turn that did, and of how many turns."""
    changed: int = 0
    """How often a session sent it in another form than the request before."""

    @property
    def idle(self) -> bool:
        """In the prompt, and never called."""
        return self.countable and not self.definition.deferred and not self.calls


class Toolset(Struct, frozen=True):
    """The tools of one agent, as far as names tell, on one model."""

    model: str
    profile: Profile
    sessions: int
    requests: int
    """That carry tools."""
    head: float
    """Mean tokens of tools and system."""
    tools: tuple[Used, ...]
    """The largest first."""
    undefined: tuple[tuple[str, int], ...] = ()
    """Calls of tools that no request defines."""
    partial: int = 0
    """Requests whose history the provider keeps."""

    @property
    def idle(self) -> tuple[Used, ...]:
        return tuple(one for one in self.tools if one.idle)


def toolsets(sessions: Iterable[Session]) -> tuple[Toolset, ...]:
    """The sessions that have tools, by model and kinship of names."""
    groups: list[list[Session]] = []
    for session in sessions:
        if session.names:
            kin = (group for group in groups if _kin(group[0], session))
            group = next(kin, None)
            if group is None:
                groups.append([session])
            else:
                group.append(session)
    return tuple(map(_toolset, groups))


def head_price(profile: Profile, usage: Usage | None, head: int, *, first: bool) -> float:
    """USD for a token of the head of one request. Caches hold prefixes, so what was read is the front.

    Nothing reported: assumed to be written by a session's first request and read by each later one.
    """
    prices = profile.prices_for((usage.input if usage else None) or 0)
    write = prices.input if prices.write is None else prices.write
    if usage is None or usage.input is None:
        return (write if first else prices.read) / MILLION
    read = min(1.0, (usage.cache_read or 0) / head) if head else 0.0
    long = (usage.cache_write_long or 0) / usage.cache_write if usage.cache_write else 0.0
    write_long = write if prices.write_long is None else prices.write_long
    fresh = (1 - long) * write + long * write_long if usage.cache_write else prices.input
    return (read * prices.read + (1 - read) * fresh) / MILLION


def _kin(one: Session, other: Session) -> bool:
    union = one.names | other.names
    return one.model == other.model and len(one.names & other.names) >= KINSHIP * len(union)


def _toolset(group: Sequence[Session]) -> Toolset:
    requests = [request for session in group for request in session.requests if request.definitions]
    labels = dict.fromkeys(one.label for request in requests for one in request.definitions)
    tools = sorted((_used(label, group) for label in labels), key=lambda one: -one.definition.tokens)
    known = {one.definition.name for one in tools}
    undefined = Counter(name for session in group for name, _ in session.calls if name not in known)
    return Toolset(
        model=group[0].model,
        profile=group[0].profile,
        sessions=len(group),
        requests=len(requests),
        head=fmean(request.head for request in requests),
        tools=tuple(tools),
        undefined=tuple(undefined.most_common()),
        partial=sum(not request.whole for session in group for request in session.requests),
    )


def _used(label: str, group: Sequence[Session]) -> Used:
    carried = [one for session in group for one in _carried(label, session)]
    shown = [(one, request, price) for one, request, price in carried if not one.deferred]
    heads = sum(request.head for _, request, _ in shown)
    name = carried[-1][0].name
    called = [(session, turn) for session in group for called, turn in session.calls if called == name]
    return Used(
        definition=carried[-1][0],
        requests=len(shown),
        share=sum(one.tokens for one, _, _ in shown) / heads if heads else None,
        cost=sum(one.tokens * price for one, _, price in shown),
        calls=len(called),
        countable=carried[-1][0].countable and all(request.whole for session in group for request in session.requests),
        last=_last(called),
        changed=sum(_changes(label, session) for session in group),
    )


def _carried(label: str, session: Session) -> Iterator[tuple[Definition, Request, float]]:
    """Each request with the definition, and what a token of its head cost."""
    first = True
    for request in session.requests:
        one = next((one for one in request.definitions if one.label == label), None)
        if one is not None:
            yield one, request, head_price(session.profile, request.usage, request.head, first=first)
            first = False


def _changes(label: str, session: Session) -> int:
    forms = [one for one, _, _ in _carried(label, session)]
    return sum(one != other for one, other in zip(forms, forms[1:], strict=False))


def _last(called: Sequence[tuple[Session, int]]) -> tuple[str, int, int] | None:
    if not called:
        return None
    session = called[-1][0]
    return session.id, max(turn for one, turn in called if one is session), len(session.requests)
