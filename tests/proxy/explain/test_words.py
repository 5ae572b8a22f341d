"""Everything that explains a turn is on one screen, in words, and within its width."""

from msgspec.structs import replace

from metrics.loss import Cause
from policies.core.edits import FIRST_SENDING
from policies.core.outcome import Lost, Step, Story, Tally
from policies.core.plan import Break, Kept
from proxy.explain import words
from proxy.explain.figures import line_of, total_of
from proxy.explain.looking import Turn
from tests.proxy.explain.building import CHANGED, MASKING, WHERE, turn
from tests.proxy.store.records import record

SCREEN = """\
session session-x, turn 1 of 9, 2027-01-15 08:00:01 UTC
claude-sonnet-4-5 at `anthropic` for claude-code, policy default (enforce), status 200

sent      10,000 tokens, about 1,000 kept out of it
cached    about 8,000 tokens, 12 s old; kept for 300 s
could be  1,000 tokens read (10%)
read      1,000 tokens (10%)
written   9,000 tokens
cost      $0.0500, without Holdfast $0.0700

lost 7,000 tokens, $0.0200: system_changed, by the client
  all behind the change is computed again
  at  system[1].text (changed)
  was It is one o'clock
  is  It is two o'clock

no rewrite was proposed"""

REWRITES = """\
1 mask rejected: bound_reasoning, 50 tokens
2 mask applied: pays, 400 tokens
price $0.0800 once, saves $0.0200 a turn: pays in 4.0 turns; 14 more expected,
$0.0300 forgone so far by waiting

rewrite  message  tool       removes    price   a turn  pays in  verdict
mask           -  -               50        -        -        -  rejected: bound_reasoning
mask           7  read_file      100  $0.0200  $0.0050      4.0  applied: pays
mask           9  run            300  $0.0600  $0.0150      4.0  applied: pays"""


def test_a_turn_is_explained_on_one_screen() -> None:
    assert words.turn(turn(), 9) == SCREEN


def test_each_planned_rewrite_is_shown_with_its_price_and_payback() -> None:
    assert words.turn(turn(story=MASKING), 9).endswith(REWRITES)


def test_what_is_listed_no_more_is_counted() -> None:
    (rejected, applied) = MASKING.tallies
    many = replace(MASKING, tallies=(rejected, replace(applied, count=1_002)), replayed=3)
    text = words.turn(turn(story=many), 9)
    assert text.endswith("\nand 1,000 more") and "3 messages went out in the bytes of their first sending" in text


def test_a_note_is_shown_with_what_it_adds_and_without_figures_of_a_batch() -> None:
    story = Story(
        tokens=1_090,
        received=1_000,
        tallies=(Tally("recite", "applied", FIRST_SENDING, 1, -90),),
        steps=(Step("recite", "applied", FIRST_SENDING, -90, 3),),
    )
    text = words.turn(turn(story=story), 9)
    assert ", about 90 added to it\n" in text
    assert "1 recite applied: first_sending, -90 tokens\n\nrewrite" in text


def test_a_head_that_was_kept_is_shown_with_what_it_saved_and_one_that_was_not_with_the_reason() -> None:
    heads = (
        Kept("stabilize", "system", "applied", "reworded", 24_760),
        Kept("tools", "tools", "rejected", "no_restriction"),
        Kept("tools", "tools", "applied", "catalogue"),
    )
    shown = turn(story=Story(heads=heads))
    text = words.turn(shown, 9)
    assert "system went out as before (stabilize: reworded), about 24,760 tokens kept" in text
    assert "tools went out as the client has it now (tools: no_restriction)" in text
    assert "tools went out as before (tools: catalogue)\n" in text
    assert line_of(shown).applied == {"stabilize": 1, "tools": 1}


def test_a_turn_of_which_little_is_known_says_what_it_knows() -> None:
    text = words.turn(Turn(1, record(), None), 1)
    assert "at `unknown` for unknown, policy unknown (enforce), status unknown" in text
    assert "cached    nothing of this conversation is known to be" in text
    assert "read      - tokens (-)" in text and "cost" not in text


def test_whose_doing_a_loss_is_stands_in_words() -> None:
    def said(cause: str, party: str) -> str:
        lost = Lost(cause, party, 5, 0.001)
        return words.turn(turn(story=replace(CHANGED, losses=(lost,), breaks=())), 1)

    assert "policy_mask, by our mask\n" in said("policy_mask", "mask")
    assert "ttl_expired, by the provider's rules\n" in said("ttl_expired", "provider")
    assert "provider_unexplained, not explained\n" in said("provider_unexplained", "provider")


def test_every_cause_that_is_not_ours_is_explained() -> None:
    ours = {cause for cause in Cause if cause.startswith("policy_")}
    assert words.MEANS.keys() == set(Cause) - ours


def test_a_change_at_no_loss_and_what_the_provider_says_are_shown() -> None:
    text = words.turn(turn(story=replace(CHANGED, losses=(), diagnosis="tools_changed")), 1)
    assert "system_changed by client: changed, at no loss\n  at  system[1].text" in text
    assert "the provider says: tools_changed" in text


def test_a_change_of_nothing_but_a_date_is_said_to_be_one() -> None:
    passing = Break("system_changed", "client", replace(WHERE, passing=True))
    text = words.turn(turn(story=replace(CHANGED, breaks=(passing,))), 1)
    assert "  at  system[1].text (changed: nothing but what changes by itself, such as a date)\n" in text


def test_a_session_is_a_line_a_turn_within_its_width() -> None:
    turns = [turn(1, replace(CHANGED, prefix="first", losses=(), breaks=())), turn(2), turn(3, MASKING)]
    text = words.session("s", turns, total_of("s", turns))
    lines = text.splitlines()
    assert lines[0] == "session s: claude-code, claude-sonnet-4-5, 3 turns from 2027-01-15 08:00 UTC"
    assert lines[1] == "30,000 input tokens, 10% read from the cache; cost $0.1500, saved $0.0600"
    assert lines[4].split() == "1 08:00:01 10,000 10% 10% $0.0500 - - first".split()
    assert lines[5].split() == "2 08:00:02 10,000 10% 10% $0.0500 - 7,000 system_changed system[1].text".split()
    assert lines[6].split() == "3 08:00:03 10,000 10% 0% $0.0500 mask:2 4,000 policy_mask".split()
    assert max(map(len, lines)) <= words.WIDE


def test_sessions_are_a_line_each() -> None:
    text = words.sessions(
        [total_of("s" * 90, [turn()]), total_of("t", [turn(story=replace(CHANGED, unit="relative"))])]
    )
    lines = text.splitlines()
    assert max(map(len, lines)) <= words.WIDE
    assert lines[2].split()[:7] == ["t", "claude-code", "claude-sonnet-4-5", "1", "10,000", "10%", "0.0200"]
    assert words.sessions([]) == "the store holds no session yet"


def test_money_that_is_not_known_or_is_won_is_said_so() -> None:
    assert (words.money(None, "usd"), words.money(-0.5, "usd"), words.money(-0.5, "relative")) == (
        "-",
        "-$0.5000",
        "-0.5000",
    )
