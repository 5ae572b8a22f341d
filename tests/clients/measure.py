"""What the runs of one client say: direct, through Holdfast, and through Holdfast while it masks all it may.

Rules of this room: dollars and hit rates are of the simulated provider's bills; what the client sent is of the
wire tap, what arrived is of the provider's log. Cache markers are no part of a prompt, and requests beside the
main loop (titles, summaries) have no predecessor: they count in the bill alone.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from policies.core.profile import find_profile
from proxy.simulator.paths import api_of
from proxy.simulator.records import Record
from proxy.simulator.sockets import METHOD as WEBSOCKET
from tests.clients.client import Client
from tests.clients.run import Finished
from tests.clients.tap import Exchange
from tests.clients.task import EXPECTED, FINAL, MARKS
from tests.end_to_end.agents import PROFILES, cost, hit_rate

MASKED = re.compile(r"\bmask:(\d+)")
UNEDITED = "applied=none; removed=0;"
COUNTING = ("/count_tokens", ":countTokens", "/input_tokens")


@dataclass(frozen=True)
class Tokens:
    """Of all requests of a run."""

    input: int
    read: int
    output: int


@dataclass(frozen=True)
class Run:
    """One run of a client, as its provider saw it."""

    finished: Finished
    result: Mapping[str, str]
    """The files that the work left behind."""
    log: tuple[Record, ...]
    main: tuple[Record, ...]
    """The requests of the main loop."""

    @property
    def steps(self) -> int:
        return len(self.main) - 1

    @property
    def billed(self) -> list[Record]:
        return [record for record in self.log if record.usage]

    @property
    def tokens(self) -> Tokens:
        bills = [record.usage for record in self.log if record.usage]
        return Tokens(
            sum(bill.input.total for bill in bills),
            sum(bill.input.read for bill in bills),
            sum(bill.output for bill in bills),
        )

    @property
    def hit_rate(self) -> float:
        return hit_rate(self.billed) if self.billed else 0.0

    @property
    def cost(self) -> float:
        return cost(self.billed)

    def faults(self) -> Iterator[str]:
        """Why the client has not done its work."""
        ended = self.finished
        if ended.status != 0:
            yield f"exit status {ended.status}: {(ended.errors or ended.output)[-1500:]}"
        if FINAL not in ended.output:
            yield f"its last word is not in its output: {ended.output[-500:]}"
        if self.result != EXPECTED:
            yield f"the files are not as they should be: {self.result}"
        if self.unread:
            yield f"files that it never read: {self.unread}"
        yield from (f"refused: {each.error}" for each in self.log if each.api and each.status != 200)

    @property
    def unread(self) -> list[str]:
        bodies = "".join(record.body.decode() for record in self.main)
        return [mark for mark in MARKS if mark not in bodies]


@dataclass(frozen=True)
class Turn:
    """One request of the main loop that had a predecessor, on both sides of Holdfast."""

    number: int
    client: bool
    """Extends its predecessor as the client sent it."""
    upstream: bool
    """Extends its predecessor as the provider got it."""
    plan: str
    same: bool
    """Holdfast sent the very bytes that it got."""
    anew: int
    """Input tokens that the provider had to compute."""
    told: bool = True
    """Its answer has a head, where the plan is told; a message of a WebSocket has none."""

    @property
    def planned(self) -> bool:
        """The plan breaks the prefix, and says so."""
        return "prefix=broken:policy_" in self.plan

    @property
    def edited(self) -> bool:
        """The plan names an edit that is new; where nothing is cached, it breaks nothing."""
        return MASKED.search(self.plan) is not None

    def faults(self) -> Iterator[str]:
        if not self.told:
            return
        if self.client and not self.upstream and not self.planned and not self.edited:
            yield f"request {self.number}: the prefix is broken, and no plan says so: {self.plan}"
        if not self.same and (not self.plan or UNEDITED in self.plan):
            yield f"request {self.number}: changed without an edit: {self.plan}"


@dataclass(frozen=True)
class Through:
    """One run through Holdfast, on both its sides."""

    run: Run
    exchanges: Sequence[Exchange]
    """All that passed the wire tap."""
    turns: Sequence[Turn]
    counted: Tokens
    """What Holdfast's metrics say, also of WebSockets, whose messages have no head for a plan."""
    masked: int
    """Observations, as the metrics say."""

    @property
    def passed(self) -> dict[str, int]:
        """How many requests passed through, by reason."""
        reasons = [exchange.headers.get("x-holdfast-passthrough", "") for exchange in self.exchanges]
        return {reason: reasons.count(reason) for reason in sorted(set(reasons)) if reason}

    def faults(self) -> Iterator[str]:
        yield from self.run.faults()
        if len(self.turns) != self.run.steps:
            yield f"{len(self.turns) + 1} requests left the client, {self.run.steps + 1} arrived"
        for turn in self.turns:
            yield from turn.faults()
            if not (turn.told or turn.same or self.masked):
                yield f"request {turn.number}: changed, though nothing was edited"
        if self.passed:
            yield f"passed through: {self.passed}"
        if self.counted != self.run.tokens:
            yield f"counted {self.counted}, billed {self.run.tokens}"


@dataclass(frozen=True)
class Comparison:
    """Everything that is said of one client."""

    client: Client
    direct: Run
    through: Through
    masking: Through

    def figures(self) -> dict[str, Any]:
        """The row of the table, also for programs."""
        return {
            "client": self.client.name,
            "version": self.client.version(),
            "model": self.client.model,
            "steps": self.through.run.steps,
            "finished": not any(
                [*self.direct.faults(), *self.through.run.faults(), *self.masking.run.faults()],
            ),
            "direct": _bill(self.direct),
            "through": _bill(self.through.run) | _prefixes(self.through),
            "masking": _bill(self.masking.run) | _prefixes(self.masking),
        }

    @property
    def maskable(self) -> bool:
        """Whether there is history that may be edited at all."""
        profile = find_profile(PROFILES, self.client.model)
        return profile is not None and profile.binds_reasoning == "no" and self.client.observations


def _bill(run: Run) -> dict[str, Any]:
    seconds = round(run.finished.seconds, 2)
    return {"requests": len(run.billed), "hit_rate": run.hit_rate, "cost_usd": run.cost, "seconds": seconds}


def _prefixes(through: Through) -> dict[str, Any]:
    return {
        "with_predecessor": len(through.turns),
        "extends_client": sum(turn.client for turn in through.turns),
        "extends_upstream": sum(turn.upstream for turn in through.turns),
        "planned_breaks": sum(turn.planned and not turn.upstream for turn in through.turns),
        "masked": through.masked,
        "passed_through": through.passed,
    }


def is_main(client: Client, method: str, target: str, body: bytes) -> bool:
    """Whether this is a request of the main loop; counting tokens is none."""
    path = target.partition("?")[0]
    if api_of("POST" if method == WEBSOCKET else method, path) is None or path.endswith(COUNTING):
        return False
    return client.main(json.loads(body))


def turns(client: Client, exchanges: Sequence[Exchange], arrived: Sequence[Record]) -> list[Turn]:
    """What the client sent, beside what arrived."""
    main = [each for each in exchanges if is_main(client, each.method, each.target, each.body)]
    both = pairwise(zip(main, arrived, strict=False))
    return [
        Turn(
            number=number,
            client=client.extends(sent_before.body, sent.body),
            upstream=client.extends(got_before.body, got.body),
            plan=sent.headers.get("x-holdfast-plan", ""),
            told=sent.method != WEBSOCKET,
            same=sent.body == got.body,
            anew=anew(got),
        )
        for number, ((sent_before, got_before), (sent, got)) in enumerate(both, start=2)
    ]


def anew(record: Record) -> int:
    return record.usage.input.total - record.usage.input.read if record.usage else 0
