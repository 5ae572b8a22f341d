"""Why cached input was lost, and whose doing it was: the closed lists, and which party a cause speaks of.

Rules of this room: words only. What decides between the causes is elsewhere; a word that is not here
does not reach a metric.
"""

from enum import StrEnum


class Party(StrEnum):
    """Who is answerable for a loss. Policy is Holdfast itself."""

    CLIENT = "client"
    POLICY = "policy"
    PROVIDER = "provider"


class Cause(StrEnum):
    """Why tokens that could have been read from the cache were not."""

    COLD_START = "cold_start"
    TTL_EXPIRED = "ttl_expired"
    MODEL_CHANGED = "model_changed"
    TOOLS_CHANGED = "tools_changed"
    SYSTEM_CHANGED = "system_changed"
    HISTORY_EDITED = "history_edited"
    PARAMETERS_CHANGED = "parameters_changed"
    POLICY_MASK = "policy_mask"
    POLICY_COMPACT = "policy_compact"
    POLICY_STABILIZE = "policy_stabilize"
    BELOW_MINIMUM = "below_minimum"
    LOOKBACK_EXCEEDED = "lookback_exceeded"
    TURN_BOUNDARY = "turn_boundary"
    PROVIDER_UNEXPLAINED = "provider_unexplained"


_OF_THE_CACHE = (
    Cause.TTL_EXPIRED,
    Cause.BELOW_MINIMUM,
    Cause.LOOKBACK_EXCEEDED,
    Cause.TURN_BOUNDARY,
    Cause.PROVIDER_UNEXPLAINED,
)


def usual_party(cause: Cause) -> Party:
    """Whose doing a cause is where nothing else is known: the request's is the client's, the cache's the provider's."""
    if cause in (Cause.POLICY_MASK, Cause.POLICY_COMPACT, Cause.POLICY_STABILIZE):
        return Party.POLICY
    if cause in _OF_THE_CACHE:
        return Party.PROVIDER
    return Party.CLIENT
