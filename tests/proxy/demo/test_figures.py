"""What a comparison says: figures worked out by hand."""

import pytest
from msgspec.structs import replace

from proxy.demo.figures import document, totals
from tests.proxy.demo.building import DIRECT, GOOD, PLANNED, PROFILE, answer, comparison


def test_the_totals_of_a_run_are_sums_of_what_was_reported() -> None:
    # written: 10,000 + 20,000 + 30,000 at 1.25; read: 40,000 at 0.1; output: 30 at 5
    run = totals(DIRECT, PROFILE)
    assert (run.requests, run.refused, run.hit_rate) == (3, 0, 0.4)
    assert (run.input_tokens, run.cache_read_tokens, run.cache_write_tokens) == (100_000, 40_000, 60_000)
    assert (run.uncached_tokens, run.output_tokens) == (0, 30)
    assert run.input_usd == pytest.approx(0.079)
    assert run.output_usd == pytest.approx(0.00015)


def test_a_run_without_a_token_has_a_hit_rate_of_nothing() -> None:
    assert totals((answer(0, 0, status=400),), PROFILE).hit_rate == 0.0


def test_what_was_masked_is_counted_once_and_measured_at_the_end() -> None:
    assert (GOOD.masked, GOOD.masked_tokens) == (3, 18_000)
    assert [turn.masked for turn in GOOD.turns] == [0, 3, 0]


def test_dollars_add_up_from_request_to_request() -> None:
    assert GOOD.turns[-1].direct_usd == pytest.approx(GOOD.direct.cost_usd)
    assert GOOD.turns[-1].holdfast_usd == pytest.approx(GOOD.holdfast.cost_usd)


def test_a_comparison_is_sound_only_if_nothing_was_refused_changed_or_lost_without_a_reason() -> None:
    assert GOOD.sound
    assert not replace(GOOD, different_answers=1).sound
    assert not replace(GOOD, breaks=(replace(PLANNED, cause=""),)).sound
    assert not replace(GOOD, direct=replace(GOOD.direct, refused=1)).sound
    assert not comparison(*DIRECT[:2], answer(0, 0, status=400)).sound


def test_the_document_holds_what_the_table_says() -> None:
    plain = document(GOOD)
    assert plain["holdfast"]["cost_usd"] == GOOD.holdfast.cost_usd
    assert (plain["masked"], plain["unexplained_breaks"], len(plain["turns"])) == (3, 0, 3)
