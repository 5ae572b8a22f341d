"""An offline provider's prompt cache: what a request reads of what earlier ones left, and what it writes.

Kept from what was really sent: a chain of block hashes, the markers as they stand, the time. Nothing
here comes from the planner, and the two agree only as far as both follow the model's rule.

Rules of this room: values only, so a cache can be tried without being changed. Assumptions where no
provider says: a read keeps every shorter prefix on its path alive, each for its own time to live; an
answer is not cached as input.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from policies.core.profile import Breakpoints, CacheRule, LongestPrefix, TokenBlocks, Units


class Prompt(Struct, frozen=True):
    """A request as the cache sees it, block by block. Index 0 is the head: tools and system."""

    chain: tuple[bytes, ...]
    """Identity of everything up to and including a block."""
    tokens: tuple[int, ...]
    """Up to and including a block."""
    places: tuple[int, ...]
    """Positions up to and including a block; a run of calls or of observations is one."""
    ends: tuple[int, ...]
    """ends[m]: the last block of the first m messages; ends[0] is the head."""
    marks: tuple[int, ...] = ()
    """Blocks that carry a cache marker, ascending."""
    long: tuple[int, ...] = ()
    """Those of them whose marker asks for the long time to live."""

    @property
    def total(self) -> int:
        return self.tokens[-1]


class Branch(Struct, frozen=True):
    """One request that was served, as far as no later one has gone on from it."""

    chain: tuple[bytes, ...]
    at: float
    entries: tuple[int, ...]
    """Where a prefix was written, ascending; empty where every prefix counts."""
    long: tuple[int, ...] = ()
    """Those of them that were written for long."""


class Served(Struct, frozen=True):
    """Tokens of one request; what is neither read nor written was computed without being kept."""

    total: int
    read: int
    written: int
    """For either time to live."""
    written_long: int = 0


Cache = tuple[Branch, ...]
"""Newest first."""


def serve(rule: CacheRule, cache: Cache, prompt: Prompt, now: float) -> tuple[Served, Cache]:
    """Serve one request; the cache that it leaves."""
    alive = [left for branch in cache if (left := _left(rule, branch, now - branch.at)) is not None]
    shared = [common(branch.chain, prompt.chain) for branch in alive]
    found = [_found(rule, branch, prompt, count) for branch, count in zip(alive, shared, strict=True)]
    best = max(found, default=-1)
    read = _rounded(rule, prompt.tokens[best], prompt.total) if best >= 0 else 0
    written = _written(rule, prompt)
    upto = max(read, prompt.tokens[written[-1]] if written else 0)
    lasting = [end for end in written if end in prompt.long and end > best]
    long = max(0, prompt.tokens[lasting[-1]] - read) if lasting else 0
    entries, kept = _carried(rule, alive, shared, best)
    branch = Branch(prompt.chain, now, _ascending(entries, written), _ascending(kept, lasting))
    rest = [one for one, count in zip(alive, shared, strict=True) if not _contained(one, count, best)]
    return Served(prompt.total, read, upto - read, long), (branch, *rest)


def _left(rule: CacheRule, branch: Branch, age: float) -> Branch | None:
    """What is alive of a branch so long after its request; None where nothing is."""
    if age <= rule.ttl:
        return branch
    long_ttl = (rule.long_ttl if isinstance(rule, Breakpoints) else None) or 0.0
    return replace(branch, entries=branch.long) if branch.long and age <= long_ttl else None


def _ascending(one: Iterable[int], other: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted({*one, *other}))


def common(one: Sequence[bytes], other: Sequence[bytes]) -> int:
    """How many links two chains share; equal links mean equal chains up to there."""
    low, high = 0, min(len(one), len(other))
    if high and one[high - 1] == other[high - 1]:
        return high
    while low < high:
        middle = (low + high) // 2
        if one[middle] == other[middle]:
            low = middle + 1
        else:
            high = middle
    return low


def _found(rule: CacheRule, branch: Branch, prompt: Prompt, shared: int) -> int:
    """The last block of the longest prefix that this branch lets the request read, or -1."""
    match rule:
        case LongestPrefix() | TokenBlocks():
            return shared - 1
        case Units():
            return _newest(branch.entries, shared - 1)
        case Breakpoints(automatic=True):
            return max(_implicit(rule, branch, prompt, shared), _explicit(branch, prompt, shared))
        case Breakpoints():
            return max((_behind(rule, branch, prompt, mark, shared) for mark in prompt.marks), default=-1)


def _newest(entries: Sequence[int], upto: int) -> int:
    """The last entry at or before this block, or -1."""
    place = bisect_right(entries, upto)
    return entries[place - 1] if place else -1


def _behind(rule: Breakpoints, branch: Branch, prompt: Prompt, mark: int, shared: int) -> int:
    """The nearest entry that a marker finds within its lookback, its own position being the first."""
    entry = _newest(branch.entries, min(mark, shared - 1))
    return entry if entry >= 0 and prompt.places[mark] - prompt.places[entry] < rule.lookback else -1


def _implicit(rule: Breakpoints, branch: Branch, prompt: Prompt, shared: int) -> int:
    """The provider's own marker at the end finds entries among the latest message endings."""
    earliest = prompt.ends[max(0, len(prompt.ends) - 1 - rule.lookback)]
    entry = _newest(branch.entries, shared - 1)
    return entry if entry >= earliest else -1


def _explicit(branch: Branch, prompt: Prompt, shared: int) -> int:
    written = set(branch.entries)
    return max((mark for mark in prompt.marks if mark in written and mark < shared), default=-1)


def _written(rule: CacheRule, prompt: Prompt) -> tuple[int, ...]:
    """Blocks behind which a prefix is written."""
    last = len(prompt.chain) - 1
    match rule:
        case LongestPrefix():
            return (last,) if prompt.total >= rule.minimum else ()
        case TokenBlocks():
            return (last,)
        case Units(minimum=minimum):
            ends: tuple[int, ...] = (last,)
        case Breakpoints(automatic=True, minimum=minimum):
            ends = tuple(sorted({*prompt.marks, last}))
        case Breakpoints(minimum=minimum):
            ends = prompt.marks
    return tuple(end for end in ends if prompt.tokens[end] >= minimum)


def _rounded(rule: CacheRule, tokens: int, total: int) -> int:
    """Tokens that are really read of a prefix that is found."""
    match rule:
        case LongestPrefix():
            usable = max(0, min(tokens, total - rule.holdback))
            return usable // rule.step * rule.step if usable >= rule.minimum else 0
        case TokenBlocks():
            return max(0, min(tokens, total - 1)) // rule.size * rule.size
        case _:
            return tokens


def _carried(
    rule: CacheRule, branches: Sequence[Branch], shared: Sequence[int], best: int
) -> tuple[set[int], set[int]]:
    """Entries on the path of this request that its read keeps alive, and those of them that live long."""
    if isinstance(rule, LongestPrefix | TokenBlocks):
        return set(), set()
    entries: set[int] = set()
    long: set[int] = set()
    for branch, count in zip(branches, shared, strict=True):
        end = min(count, best + 1)
        entries.update(branch.entries[: bisect_left(branch.entries, end)])
        long.update(branch.long[: bisect_left(branch.long, end)])
    return entries, long


def _contained(branch: Branch, shared: int, best: int) -> bool:
    """Everything that this branch could give, the new request gives as well."""
    return shared == len(branch.chain) and best >= (branch.entries[-1] if branch.entries else -1)
