"""The causes of a loss are the design's, and each has somebody who answers for it."""

from metrics.loss import Cause, Party, usual_party

DESIGN = (
    "cold_start, ttl_expired, model_changed, tools_changed, system_changed, history_edited, parameters_changed, "
    "policy_mask, policy_compact, policy_stabilize, below_minimum, lookback_exceeded, turn_boundary, "
    "provider_unexplained"
)


def test_the_causes_are_the_closed_list_of_the_design() -> None:
    assert ", ".join(Cause) == DESIGN
    assert list(Party) == ["client", "policy", "provider"]


def test_what_a_policy_broke_is_charged_to_policy_and_nothing_else_is() -> None:
    assert {c for c in Cause if usual_party(c) is Party.POLICY} == {c for c in Cause if c.startswith("policy_")}


def test_the_provider_answers_for_its_cache_and_the_client_for_its_request() -> None:
    of_provider = {c.value for c in Cause if usual_party(c) is Party.PROVIDER}
    assert of_provider == {"ttl_expired", "below_minimum", "lookback_exceeded", "turn_boundary", "provider_unexplained"}
    assert usual_party(Cause.HISTORY_EDITED) is Party.CLIENT
