"""What two runs of one client say: direct, and through Holdfast. Values and comparisons only.

Rules of this room: dollars and hit rates are of the simulated provider's bills; what the client sent is of the
wire tap, what arrived is of the provider's log. Cache markers are no part of a prompt, and requests beside the
main loop (titles, summaries) have no predecessor: they count in the bill alone.

What "at least its direct hit rate" means here. A plan may break a prefix where that pays (it has a price and is
named in the answer's header), and a shorter prompt has a lower rate even where it costs less. So it is judged turn by
turn: in a turn whose plan breaks nothing, the provider computes no more input anew than in the same turn of the
direct run; all together costs at most the planner's bound above direct, and the same where nothing was broken.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from proxy.simulator.paths import api_of
from proxy.simulator.records import Record
from tests.clients.client import Client
from tests.clients.run import Finished
from tests.clients.tap import Exchange
from tests.clients.task import EXPECTED, FINAL, MARKS
from tests.end_to_end.agents import cost, extends, hit_rate

MASKED = re.compile(r"\bmask:(\d+)")
UNEDITED = "applied=none; removed=0;"
SLACK = 400
"""Tokens: caches count in steps of up to 128, and a client's texts differ a little from run to run."""
BOUND = 1.09
"""The planner's worst case: an edit was paid for, and the run ended before it had paid back."""
EVEN = 1.005
"""Where no plan broke a prefix."""
COUNTING = ("/count_tokens", ":countTokens", "/input_tokens")


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
    def refused(self) -> list[str]:
        return [f"{record.status}: {record.error}" for record in self.log if record.api and record.status != 200]

    def faults(self) -> list[str]:
        """Why the client has not done its work."""
        ended, bodies = self.finished, "".join(record.body.decode() for record in self.main)
        unread = [mark for mark in MARKS if mark not in bodies]
        found = [
            ("exit status {}: {}", ended.status != 0, (ended.status, (ended.errors or ended.output)[-2000:])),
            ("its last word is not in its output: {}", FINAL not in ended.output, (ended.output[-500:],)),
            ("the files are not as they should be: {}", self.result != EXPECTED, (self.result,)),
            ("files never read: {}", unread, (unread,)),
            ("refused: {}", self.refused, (self.refused,)),
        ]
        return [text.format(*values) for text, wrong, values in found if wrong]


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
    anew_direct: int
    """The same in the direct run's request of this number."""

    @property
    def planned(self) -> bool:
        return "prefix=broken:policy_" in self.plan

    @property
    def fault(self) -> str:
        if not self.upstream and self.client and not self.planned:
            return f"request {self.number}: the prefix is broken, and no plan says so: {self.plan}"
        if UNEDITED in self.plan and not self.same:
            return f"request {self.number}: changed without an edit: {self.plan}"
        if not self.planned and self.anew > self.anew_direct + SLACK:
            return f"request {self.number}: {self.anew} tokens computed anew, {self.anew_direct} direct: {self.plan}"
        return ""


def is_main(client: Client, method: str, path: str, body: bytes) -> bool:
    """Whether this is a request of the main loop; counting tokens is none."""
    if api_of(method, path) is None or path.endswith(COUNTING):
        return False
    return client.main(json.loads(body))


def turns(main: Sequence[Exchange], arrived: Sequence[Record], direct: Sequence[Record]) -> list[Turn]:
    """What the client sent, beside what arrived, and what arrived in the direct run."""
    assert len(main) == len(arrived) == len(direct), (
        f"{len(main)} requests left the client, {len(arrived)} arrived, {len(direct)} direct"
    )
    both = pairwise(zip(main, arrived, direct, strict=True))
    return [
        Turn(
            number,
            extends(sent_before.body, sent.body),
            extends(got_before.body, got.body),
            sent.headers.get("x-holdfast-plan") or sent.headers.get("x-holdfast-passthrough", ""),
            sent.body == got.body,
            _anew(got),
            _anew(plain),
        )
        for number, ((sent_before, got_before, _), (sent, got, plain)) in enumerate(both, start=2)
    ]


def _anew(record: Record) -> int:
    return record.usage.input.total - record.usage.input.read if record.usage else 0


@dataclass(frozen=True)
class Comparison:
    """Everything that is said of one client."""

    client: str
    version: str
    model: str
    direct: Run
    through: Run
    turns: Sequence[Turn]
    exchanges: Sequence[Exchange]

    @property
    def masked(self) -> int:
        plans = (exchange.headers.get("x-holdfast-plan", "") for exchange in self.exchanges)
        return sum(int(found[1]) for plan in plans if (found := MASKED.search(plan)))

    @property
    def passed(self) -> list[str]:
        """Why requests passed through, in order."""
        reasons = (exchange.headers.get("x-holdfast-passthrough", "") for exchange in self.exchanges)
        return [reason for reason in reasons if reason]

    def faults(self) -> list[str]:
        found = [f"direct: {fault}" for fault in self.direct.faults()]
        found += [f"through: {fault}" for fault in self.through.faults()]
        found += [turn.fault for turn in self.turns if turn.fault]
        return found + ([] if found else self._dearer())

    def _dearer(self) -> list[str]:
        """Judged only where both runs are sound."""
        through, direct = cost(self.through.billed), cost(self.direct.billed)
        bound = BOUND if any(turn.planned for turn in self.turns) else EVEN
        return [f"{through:.4f} USD through, {direct:.4f} direct"] if through > bound * direct else []

    def figures(self) -> dict[str, Any]:
        """The row of the table, also for programs."""
        direct, through = self.direct.billed, self.through.billed
        return {
            "client": self.client,
            "version": self.version,
            "model": self.model,
            "steps": self.through.steps,
            "finished": not self.direct.faults() and not self.through.faults(),
            "requests": {"direct": len(direct), "through": len(through)},
            "with_predecessor": len(self.turns),
            "extends_client": sum(turn.client for turn in self.turns),
            "extends_upstream": sum(turn.upstream for turn in self.turns),
            "planned_breaks": sum(turn.planned and not turn.upstream for turn in self.turns),
            "hit_rate": {"direct": hit_rate(direct), "through": hit_rate(through)},
            "cost_usd": {"direct": cost(direct), "through": cost(through)},
            "masked": self.masked,
            "passed_through": {reason: self.passed.count(reason) for reason in sorted(set(self.passed))},
            "seconds": {"direct": self.direct.finished.seconds, "through": self.through.finished.seconds},
        }
