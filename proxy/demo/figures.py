"""What the two runs cost, and what can be said of them: values only.

Rules of this room: tokens are those that the provider reported, dollars follow from them and the model's
profile. What was masked is known from the provider's log, not from the proxy.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from policies.core.profile import Profile
from policies.core.usage import Usage, input_cost, output_cost
from proxy.demo.agent import Answer
from proxy.demo.prefixes import Break


class Totals(Struct, frozen=True):
    """One run."""

    requests: int
    refused: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    uncached_tokens: int
    output_tokens: int
    hit_rate: float
    input_usd: float
    output_usd: float

    @property
    def cost_usd(self) -> float:
        return self.input_usd + self.output_usd


class Turn(Struct, frozen=True):
    """One request of the agent: as it sent it and as the provider got it, and the dollars spent so far."""

    received_tokens: int
    sent_tokens: int
    masked: int
    direct_usd: float
    holdfast_usd: float


class Comparison(Struct, frozen=True):
    """Everything that the demo has to say."""

    session: str
    model: str
    direct: Totals
    holdfast: Totals
    turns: tuple[Turn, ...]
    breaks: tuple[Break, ...]
    direct_breaks: int
    different_answers: int

    @property
    def masked(self) -> int:
        return sum(turn.masked for turn in self.turns)

    @property
    def masked_tokens(self) -> int:
        """Tokens that the last request no longer carried."""
        return self.turns[-1].received_tokens - self.turns[-1].sent_tokens

    @property
    def unexplained(self) -> int:
        return sum(not found.explained for found in self.breaks)

    @property
    def sound(self) -> bool:
        """Nothing was refused, lost without a reason, or answered differently."""
        return not (self.holdfast.refused or self.direct.refused or self.unexplained or self.different_answers)


def totals(answers: Sequence[Answer], profile: Profile) -> Totals:
    usages = [answer.usage for answer in answers]
    read, all_input = _sum(usages, "cache_read"), _sum(usages, "input")
    return Totals(
        requests=len(answers),
        refused=sum(answer.status != 200 for answer in answers),
        input_tokens=all_input,
        cache_read_tokens=read,
        cache_write_tokens=_sum(usages, "cache_write"),
        uncached_tokens=sum(usage.uncached or 0 for usage in usages),
        output_tokens=_sum(usages, "output"),
        hit_rate=read / all_input if all_input else 0.0,
        input_usd=sum(input_cost(profile, usage) for usage in usages),
        output_usd=sum(output_cost(profile, usage) for usage in usages),
    )


def turns(
    direct: Sequence[Answer], holdfast: Sequence[Answer], found: Sequence[Break], profile: Profile
) -> tuple[Turn, ...]:
    masked = {item.turn: item.masked for item in found}
    rows, one, other = [], 0.0, 0.0
    for number, (plain, ours) in enumerate(zip(direct, holdfast, strict=True), start=1):
        one, other = one + _cost(profile, plain.usage), other + _cost(profile, ours.usage)
        rows.append(Turn(plain.usage.input or 0, ours.usage.input or 0, masked.get(number, 0), one, other))
    return tuple(rows)


def document(comparison: Comparison) -> dict[str, Any]:
    """The form for programs."""
    plain: dict[str, Any] = msgspec.to_builtins(comparison)
    for name, run in (("direct", comparison.direct), ("holdfast", comparison.holdfast)):
        plain[name]["cost_usd"] = run.cost_usd
    plain["masked"] = comparison.masked
    plain["masked_tokens"] = comparison.masked_tokens
    plain["unexplained_breaks"] = comparison.unexplained
    return plain


def _cost(profile: Profile, usage: Usage) -> float:
    return input_cost(profile, usage) + output_cost(profile, usage)


def _sum(usages: Sequence[Usage], name: str) -> int:
    return sum(getattr(usage, name) or 0 for usage in usages)
