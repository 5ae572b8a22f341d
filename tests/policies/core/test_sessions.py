"""Whole sessions, turn by turn: what holds on every turn, whatever the sizes, pauses and prices.

Costs are worked out a second time here, by a provider whose cache is simulated on what was sent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.core.conversation import Conversation, Kind
from policies.core.edits import Edit, Placed, anchored, locate, merged
from policies.core.lineage import Lineage, with_fresh
from policies.core.minimum import cacheable
from policies.core.notes import Note, placed_notes, tail
from policies.core.plan import Marker, Plan
from policies.core.planner import WORST_CASE, Terms, plan
from policies.core.profile import MILLION, Breakpoints, LongestPrefix, Profile, TokenBlocks, Units
from policies.core.usage import Usage, output_cost
from policies.mask import Mask
from proxy.profiles import load_profiles, profile_for
from tests.policies.building import TENANT, after, as_sent, asked, conversation, marked_at, marked_at_the_end, steps

Client = Callable[[Conversation], Conversation]
PROFILES = load_profiles()
KEEP = 2


@dataclass(frozen=True)
class Step:
    """What follows a request: the answer, its observations, and the pause before the next request."""

    answer: int
    observation: int
    pause: float
    calls: int = 1


@dataclass(frozen=True)
class Course:
    """The sizes of a whole session."""

    head: int
    steps: list[Step]


@dataclass(frozen=True)
class Turn:
    """One turn as planned."""

    whole: Conversation
    lineage: Lineage
    proposals: tuple[Placed, ...]
    plan: Plan
    now: float

    @property
    def sent(self) -> list[tuple[bytes, int]]:
        return as_sent(self.whole, self.plan.in_force)


def unmarked(whole: Conversation) -> Conversation:
    return whole


def marked_at_the_front(whole: Conversation) -> Conversation:
    return replace(whole, head=replace(whole.head, markers=1))


def marked_late(whole: Conversation) -> Conversation:
    """The last marker stands five messages before the end, so what is newer is never written."""
    return marked_at(whole, max(0, len(whole.messages) - 5))


def first_edits(whole: Conversation, lineage: Lineage) -> tuple[Placed, ...]:
    """A third of each new observation goes, and every third turn has a note at its tail."""
    new = [one for one in anchored(whole.messages) if one[0] >= lineage.common and one[1].kind is Kind.OBSERVATION]
    shapes = [Placed(Edit("shape", anchor, "shaped", block.tokens // 3), n, block.index) for n, block, anchor in new]
    place, note = tail(whole, lineage.common), Note("recite", f"note {lineage.turn}", 80)
    notes = placed_notes(whole.messages, place, [note]) if place and lineage.turn % 3 == 2 else ()
    return merged(tuple(shapes), notes)


def session(
    profile: Profile, course: Course, client: Client, when: str = "pays", *, mark: bool = False, fresh: bool = False
) -> list[Turn]:
    """Every turn of a session whose client only ever appends. `fresh`: with shapes and notes."""
    mask, terms = Mask(keep_newest=KEEP), Terms(when=when, keep_newest=KEEP, mark=mark)
    messages, lineage, now, turns = [asked(tokens=400)], Lineage(TENANT), 1000.0, []
    for number, step in enumerate(course.steps):
        whole = client(conversation(*messages, tokens=course.head, tools=1, markable=mark))
        first, _ = cacheable(whole, lineage, first_edits(whole, lineage) if fresh else (), profile)
        proposals = mask.propose(whole, with_fresh(lineage, first))
        decided = plan(whole, lineage, proposals, profile, now, terms, fresh=first)
        turns.append(Turn(whole, lineage, proposals, decided, now))
        output = output_cost(profile, Usage(input=decided.sent.tokens, output=step.answer))
        lineage = after(decided, whole, number + 1, output)
        sizes = [step.observation // step.calls] * step.calls
        messages += steps(*sizes, first=100 * number, call=max(1, step.answer // step.calls))
        now += step.pause
    return turns


class Provider:
    """A provider's cache, as slow as it is plain: it remembers every prefix that it has written, by content."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.written: dict[tuple[bytes, ...], bool] = {}
        self.lives: dict[tuple[bytes, ...], float] = {}
        self.at = 0.0

    def serve(self, turn: Turn, sent: list[tuple[bytes, int]], markers: Sequence[Marker]) -> tuple[float, int]:
        """USD for the input, and tokens read."""
        gap, ours = turn.now - self.at, [marker.prefix for marker in markers]
        self.written = {key: at for key, at in self.written.items() if gap <= self.lives[key]}
        names, sizes = [name for name, _ in sent], [turn.whole.head.tokens]
        for _, tokens in sent:
            sizes.append(sizes[-1] + tokens)
        known = [n for n in range(len(sizes)) if tuple(names[:n]) in self.written]
        ends = self.ends(turn.whole)
        found = self.found(names, known, ends, ours)
        read = self.rounded(sizes[max(found)], sizes[-1]) if found else 0
        upto = max(found, default=-1) if read else -1
        long = [marker.prefix for marker in markers if marker.long]
        self.remember(names, ends, ours, [n for n in long if n > upto])
        self.at = turn.now
        b, c = (max((sizes[end] for end in each), default=0) for each in (long, [*ends, *ours]))
        return self.cost(sizes[-1], read, b, c), read

    def cost(self, total: int, a: int, b: int, c: int) -> float:
        """By the three positions of the price list: read up to A, written for long up to B, for short up to C."""
        prices = self.profile.prices_for(total)
        short = prices.input if prices.write is None else prices.write
        b = max(a, b)
        c = max(b, c)
        long = (b - a) * (prices.write_long or short)
        return (a * prices.read + long + (c - b) * short + (total - c) * prices.input) / MILLION

    def ends(self, whole: Conversation) -> list[int]:
        count = len(whole.messages)
        if isinstance(self.profile.cache, Breakpoints) and not self.profile.cache.automatic:
            marked = [n + 1 for n, message in enumerate(whole.messages) if message.blocks[-1].marked]
            return [*([0] if whole.head.markers else []), *marked]
        return [count]

    def found(self, names: list[bytes], known: list[int], ends: list[int], ours: list[int]) -> list[int]:
        rule, count = self.profile.cache, len(names)
        if not isinstance(rule, Breakpoints):
            return known
        if rule.automatic:
            near = [n for n in known if n >= count - rule.lookback]
            again = [n for n in known if n in ours and self.written[tuple(names[:n])]]
            return [*near, *again]
        # every message of these sessions is one block, and no two calls or observations stand side by side
        return [n for end in (*ends, *ours) for n in known if end - rule.lookback < n <= end]

    def remember(self, names: list[bytes], ends: list[int], ours: list[int], long: list[int]) -> None:
        rule = self.profile.cache
        everywhere = isinstance(rule, LongestPrefix | TokenBlocks)
        for n in range(len(names) + 1) if everywhere else [*ends, *ours]:
            key = tuple(names[:n])
            self.written[key] = self.written.get(key, False) or n in ours
            lasts = rule.long_ttl or 0.0 if isinstance(rule, Breakpoints) and n in long else rule.ttl
            self.lives[key] = max(self.lives.get(key, 0.0), lasts)

    def rounded(self, tokens: int, total: int) -> int:
        match self.profile.cache:
            case LongestPrefix() as rule:
                tokens = min(tokens, total - rule.holdback)
                return tokens - tokens % rule.step if tokens >= rule.minimum else 0
            case TokenBlocks() as rule:
                return min(tokens, total - 1) // rule.size * rule.size
            case Breakpoints() | Units() as rule:
                return tokens if tokens >= rule.minimum else 0


def grain(profile: Profile) -> int:
    """Reads are in steps of so many tokens, and what is cut off differs between what is edited and what is not."""
    match profile.cache:
        case LongestPrefix(step=step):
            return step
        case TokenBlocks(size=size):
            return size
        case _:
            return 1


CASES = [
    ("gpt-5.1", unmarked),
    ("gpt-5.5", unmarked),
    ("gpt-4o", unmarked),
    ("gpt-5.6-sol", unmarked),
    ("claude-sonnet-4-5", marked_at_the_end),
    ("claude-sonnet-4-5", marked_at_the_front),
    ("claude-sonnet-4-5", marked_late),
    ("claude-sonnet-4-5", unmarked),
    ("deepseek-v4-pro", unmarked),
    ("vllm", unmarked),
    ("llama.cpp", unmarked),
    ("gemini-3.8-flash", unmarked),
    ("gemini-3.1-pro", unmarked),
    ("claude-opus-4-5", marked_at_the_end),
]
MARKABLE = [case for case in CASES if case[0] in ("claude-sonnet-4-5", "gpt-5.6-sol")]
every_case = pytest.mark.parametrize(("model", "client"), CASES, ids=[f"{m}-{c.__name__}" for m, c in CASES])
COURSES = st.builds(
    Course,
    st.integers(0, 5000),
    st.lists(
        st.builds(
            Step,
            st.integers(10, 600),
            st.one_of(st.integers(20, 500), st.integers(500, 6000)),
            st.sampled_from([5.0] * 12 + [400.0, 4000.0]),
            st.sampled_from([1] * 6 + [2, 5]),
        ),
        min_size=1,
        max_size=40,
    ),
)
few = settings(max_examples=30)


@every_case
@few
@given(course=COURSES)
def test_bound_a_session_never_costs_more_than_the_worst_case_above_direct(
    model: str, client: Client, course: Course
) -> None:
    profile = profile_for(PROFILES, model)
    step = (grain(profile) - 1) * (profile.prices.input - profile.prices.read) / MILLION
    for number, turn in enumerate(session(profile, course, client)):
        ledger = turn.plan.ledger
        actual, direct = ledger.actual_usd + ledger.output_usd, ledger.direct_usd + ledger.output_usd
        assert actual <= (1 + WORST_CASE) * direct + number * step + 1e-12


@every_case
@settings(max_examples=15)
@given(course=COURSES)
def test_bound_notes_cost_what_they_cost_beside_it(model: str, client: Client, course: Course) -> None:
    profile = profile_for(PROFILES, model)
    noted, plain = Provider(profile), Provider(profile)
    dearest = max(profile.prices.input, profile.prices.write or 0.0) - profile.prices.read
    slack = grain(profile) * dearest / MILLION
    notes = 0.0
    for number, turn in enumerate(session(profile, course, client, fresh=True), 1):
        added = [placed for placed in turn.plan.in_force if placed.edit.way == "append"]
        usd, _ = noted.serve(turn, as_sent(turn.whole, added), [])
        notes += usd - plain.serve(turn, as_sent(turn.whole, ()), [])[0]
        ledger = turn.plan.ledger
        actual, direct = ledger.actual_usd + ledger.output_usd, ledger.direct_usd + ledger.output_usd
        assert actual <= (1 + WORST_CASE) * direct + notes + number * slack + 1e-12


@every_case
@settings(max_examples=20)
@given(course=COURSES, fresh=st.booleans())
def test_costs_and_reads_are_those_of_a_cache_simulated_on_what_was_sent(
    model: str, client: Client, course: Course, fresh: bool
) -> None:
    profile = profile_for(PROFILES, model)
    edited, plain = Provider(profile), Provider(profile)
    actual = direct = 0.0
    for turn in session(profile, course, client, fresh=fresh):
        usd, read = edited.serve(turn, turn.sent, turn.plan.markers)
        bare, _ = plain.serve(turn, as_sent(turn.whole, ()), [])
        actual, direct = actual + usd, direct + bare
        assert (turn.plan.actual_usd, turn.plan.direct_usd) == pytest.approx((usd, bare))
        assert turn.plan.achievable_tokens == read
        assert (turn.plan.ledger.actual_usd, turn.plan.ledger.direct_usd) == pytest.approx((actual, direct))


@pytest.mark.parametrize(("model", "client"), MARKABLE, ids=[f"{m}-{c.__name__}" for m, c in MARKABLE])
@few
@given(course=COURSES)
def test_with_markers_of_ours_costs_and_reads_are_those_of_a_simulated_cache(
    model: str, client: Client, course: Course
) -> None:
    profile = profile_for(PROFILES, model)
    edited, marked, plain = Provider(profile), Provider(profile), Provider(profile)
    unedited = 0.0
    for turn in session(profile, course, client, mark=True):
        always = [marker for marker in turn.plan.markers if marker.reason not in ("cut", "frontier")]
        usd, read = edited.serve(turn, turn.sent, turn.plan.markers)
        without, _ = marked.serve(turn, as_sent(turn.whole, ()), always)
        bare, _ = plain.serve(turn, as_sent(turn.whole, ()), [])
        unedited += without
        ledger = turn.plan.ledger
        assert (turn.plan.actual_usd, turn.plan.direct_usd) == pytest.approx((usd, bare))
        assert turn.plan.achievable_tokens == read
        assert ledger.direct_usd + ledger.markers_usd == pytest.approx(unedited)


@pytest.mark.parametrize(("model", "client"), MARKABLE, ids=[f"{m}-{c.__name__}" for m, c in MARKABLE])
@few
@given(course=COURSES)
def test_bound_and_stake_with_markers_of_ours_at_most_one_fee_more_is_at_risk(
    model: str, client: Client, course: Course
) -> None:
    profile = profile_for(PROFILES, model)
    prices = profile.prices
    dearest = max(prices.write or prices.input, prices.write_long or 0.0) - prices.input
    for turn in session(profile, course, client, mark=True):
        ledger = turn.plan.ledger
        direct = ledger.direct_usd + ledger.output_usd
        unedited = direct + ledger.markers_usd
        fee = turn.plan.sent.received_tokens * dearest / MILLION
        assert ledger.actual_usd + ledger.output_usd <= (1 + WORST_CASE) * unedited + 1e-12
        assert unedited <= (1 + WORST_CASE) * direct + fee + 1e-12
        assert ledger.actual_usd + ledger.output_usd <= (1 + WORST_CASE) * direct + fee + 1e-12


@every_case
@few
@given(course=COURSES)
def test_sticky_an_edit_in_force_stays_in_force_on_every_later_turn(model: str, client: Client, course: Course) -> None:
    turns = session(profile_for(PROFILES, model), course, client)
    for before, now in zip(turns, turns[1:], strict=False):
        assert set(before.plan.in_force) <= set(now.plan.in_force)
        assert locate(now.whole.messages, [placed.edit for placed in now.plan.in_force]) == now.plan.in_force


@every_case
@few
@given(course=COURSES)
def test_append_only_what_is_cached_of_one_turn_begins_the_next_unless_the_plan_says_broken(
    model: str, client: Client, course: Course
) -> None:
    turns = session(profile_for(PROFILES, model), course, client)
    assert turns[0].plan.prefix == "first"
    for before, now in zip(turns, turns[1:], strict=False):
        assert now.plan.prefix == "kept" or now.plan.prefix.startswith("broken:")
        if now.plan.prefix == "kept":
            size, whole = before.whole.head.tokens, 0
            for _, tokens in before.sent:
                size += tokens
                whole += size <= before.plan.sent.written
            assert now.sent[:whole] == before.sent[:whole]
        if not now.plan.applied:
            assert now.sent[: len(before.sent)] == before.sent


@every_case
@few
@given(course=COURSES)
def test_no_more_is_read_than_was_sent_before(model: str, client: Client, course: Course) -> None:
    turns = session(profile_for(PROFILES, model), course, client)
    assert turns[0].plan.achievable_tokens == 0
    for before, now in zip(turns, turns[1:], strict=False):
        assert 0 <= now.plan.achievable_tokens <= before.plan.sent.written <= before.plan.sent.tokens


@pytest.mark.parametrize("when", ["pays", "always", "on_pressure"])
@few
@given(course=COURSES)
def test_every_proposal_gets_one_verdict_and_those_applied_are_the_last_ones(when: str, course: Course) -> None:
    for turn in session(profile_for(PROFILES, "gpt-5.1"), course, unmarked, when):
        assert [decision.edit for decision in turn.plan.decisions] == [placed.edit for placed in turn.proposals]
        verdicts = [decision.verdict for decision in turn.plan.decisions]
        assert verdicts == sorted(verdicts, key=["rejected", "deferred", "applied"].index)


@every_case
@few
@given(course=COURSES)
def test_a_plan_follows_from_its_arguments_alone(model: str, client: Client, course: Course) -> None:
    profile = profile_for(PROFILES, model)
    assert [turn.plan for turn in session(profile, course, client)] == [
        turn.plan for turn in session(profile, course, client)
    ]
