"""What a turn could have read of the provider's cache, what it lost, to what cause, and what that cost.

Rules of this room: pure. What the provider reported is never mixed with what was estimated: an estimate is
scaled to the reported size before the two are compared, and what then remains unread is the provider's to
explain, not hidden. A read that is partly there is partly lost.
"""

from msgspec import Struct
from msgspec.structs import replace

from metrics.loss import Cause, usual_party
from policies.core.outcome import Lost
from policies.core.plan import Plan
from policies.core.prefix_cache import rounded
from policies.core.profile import MILLION, LongestPrefix, Profile, TokenBlocks
from policies.core.usage import Usage

TOLERANCE = 0.02
"""Share of the input by which an estimate may exceed a reported read before it is called unexplained."""


class Reckoned(Struct, frozen=True):
    """In tokens at the size that the provider reported."""

    achievable: int
    losses: tuple[Lost, ...]


def reckon(plan: Plan, profile: Profile, usage: Usage, before: int | None = None) -> Reckoned | None:
    """None where the provider did not say what it read.

    `before`: the input that it reported for the turn before, where that is known: no more of it can be read.
    """
    if not usage.input or usage.cache_read is None or not plan.sent.tokens:
        return None
    scale = usage.input / plan.sent.tokens
    most = usage.input if before is None else min(usage.input, before)
    # a provider that reads in steps reports whole ones, of its own tokens
    achievable = rounded(profile.cache, round(min(plan.achievable_tokens * scale, most)), usage.input)
    found = [(Cause(loss.cause), round(loss.tokens * scale)) for loss in plan.losses]
    unread = achievable - usage.cache_read
    if unread > TOLERANCE * usage.input + _step(profile):
        found.append((Cause.PROVIDER_UNEXPLAINED, unread))
    parties = {str(each.cause): each.party for each in plan.breaks}
    losses = (Lost(cause, parties.get(cause, usual_party(cause)), tokens, 0.0) for cause, tokens in found)
    return Reckoned(achievable, tuple(replace(lost, cost=_cost(lost, plan, profile, usage, scale)) for lost in losses))


def _step(profile: Profile) -> int:
    """By how much an estimate that is hardly wrong may still end in another step than what was read."""
    match profile.cache:
        case LongestPrefix(step=step) | TokenBlocks(size=step):
            return step - 1
        case _:
            return 0


def _cost(lost: Lost, plan: Plan, profile: Profile, usage: Usage, scale: float) -> float:
    """Above what reading would have cost. What a rewrite, or the client, took out altogether is not paid again."""
    if lost.cause.startswith("policy_"):
        return plan.arithmetic.price_usd * scale
    prices = profile.prices_for(usage.input or 0)
    paid = prices.write if prices.write is not None and usage.cache_write else prices.input
    again = min(lost.tokens, (usage.input or 0) - (usage.cache_read or 0))
    return again * (paid - prices.read) / MILLION
