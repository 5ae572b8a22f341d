"""Figures as a person reads them: a table of sessions, a line a turn, a screen for one turn.

Rules of this room: text in, text out, within the width of a terminal. Times are UTC.
"""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from policies.core.edits import FIRST_SENDING
from policies.core.health import Signal
from policies.core.outcome import Lost, Outcome, Story
from policies.core.plan import Break, Kept
from proxy.explain.figures import Line, Rewrite, Total, line_of, payback, rewrites_of, share, story_of
from proxy.explain.looking import Turn
from proxy.tables import render

WIDE = 100

MEANS = {
    "cold_start": "nothing of this conversation had passed here before",
    "ttl_expired": "the cache forgets what nobody reads for that long",
    "model_changed": "each model has a cache of its own",
    "tools_changed": "tools stand first, so all behind them is computed again",
    "system_changed": "all behind the change is computed again",
    "history_edited": "what had been sent before was changed",
    "parameters_changed": "this parameter is part of what the provider caches by",
    "below_minimum": "a shorter prefix than this model caches at all",
    "lookback_exceeded": "no marker stands near enough behind what was written",
    "turn_boundary": "the user has spoken again, and reasoning of the turn before is no longer shown to the model",
    "provider_unexplained": "by its rules the provider could have read it",
}

SIGNS = {
    "same_failure": "the same call has failed twice running in the same words",
    "full": "what is sent passes four fifths of the effective limit",
    "crowded": "nearly all of a context that is half full is observations",
    "unused_tools": "most of the tool definitions are of tools that were never called",
    "duplicate": "the last of these says again what the one before says",
    "file_written": "what was read of a file is still shown after it was written",
    "file_read_again": "what was read of a file is still shown after it was read anew",
    "masked_again": "the agent asks again for what was masked; what that tool says stays longer from now on",
    "same_call": "the same call has given another answer, and the one before is still shown",
}


def money(amount: float | None, unit: str) -> str:
    """Dollars, or the units of a model that has no price in dollars."""
    if amount is None:
        return "-"
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):.4f}" if unit == "usd" else f"{sign}{abs(amount):.4f}"


def percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.0f}%"


def count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def sessions(totals: Sequence[Total], colour: bool = False) -> str:
    if not totals:
        return "the store holds no session yet"
    header = ("session", "agent", "model", "turns", "input", "read", "saved", "last (UTC)")
    rows = [
        (
            total.session,
            total.agent,
            total.model,
            f"{total.turns:,}",
            f"{total.input:,}",
            percent(total.read),
            money(total.saved, total.unit),
            day(total.last),
        )
        for total in totals
    ]
    return render(header, rows, width=WIDE, colour=colour)


def session(name: str, turns: Sequence[Turn], total: Total, colour: bool = False) -> str:
    """A line a turn."""
    header = ("turn", "time", "input", "read", "could", "cost", "applied", "lost", "why and where")
    rows = [_row(line_of(turn)) for turn in turns]
    head = (
        f"session {name}: {total.agent}, {total.model}, {total.turns} turns from {day(turns[0].record.at)} UTC\n"
        f"{count(total.input)} input tokens, {percent(total.read)} read from the cache; "
        f"cost {money(total.cost, total.unit)}, saved {money(total.saved, total.unit)}\n"
    )
    return f"{head}\n{render(header, rows, width=WIDE, colour=colour)}"


def _row(line: Line) -> tuple[str, ...]:
    applied = ",".join(f"{kind}:{number}" for kind, number in line.applied.items()) or "-"
    why = " ".join(filter(None, (line.lost.cause if line.lost else "", line.place)))
    return (
        str(line.turn),
        clock(line.at),
        count(line.input),
        percent(line.read),
        percent(line.achievable),
        money(line.cost, line.unit),
        applied,
        count(line.lost.tokens) if line.lost else "-",
        why or ("first" if line.prefix == "first" else "-"),
    )


def turn(shown: Turn, of: int, colour: bool = False) -> str:
    """One screen for a turn."""
    record, story, outcome = shown.record, story_of(shown), shown.outcome or Outcome(0)
    parts = [
        f"session {record.session}, turn {shown.number} of {of}, {day(record.at)}:{clock(record.at)[6:]} UTC\n"
        f"{record.model} at `{story.upstream or 'unknown'}` for {story.agent or 'unknown'}, "
        f"policy {story.policy or 'unknown'} ({record.mode}), status {outcome.status or 'unknown'}",
        "\n".join(_figures(story, outcome)),
        *(_loss(lost, story) for lost in story.losses),
        *(_first_difference(found, "changed, at no loss") for found in _harmless(story)),
        *([f"the provider says: {story.diagnosis}"] if story.diagnosis else []),
        *map(_sign, story.health),
        *_planned(story, colour),
    ]
    return "\n\n".join(parts)


def _figures(story: Story, outcome: Outcome) -> Iterator[str]:
    yield f"sent      {count(outcome.input)} tokens{_kept_out(story)}"
    if story.age is None:
        yield "cached    nothing of this conversation is known to be"
    else:
        yield f"cached    about {count(story.cached)} tokens, {story.age:.0f} s old; kept for {story.lives:.0f} s"
    if outcome.cache_read is not None:
        yield f"could be  {count(story.achievable)} tokens read ({percent(share(story.achievable, outcome.input))})"
    yield f"read      {count(outcome.cache_read)} tokens ({percent(share(outcome.cache_read, outcome.input))})"
    yield f"written   {count(outcome.cache_write)} tokens"
    if outcome.input is not None:
        direct = money(outcome.direct_usd, story.unit)
        yield f"cost      {money(outcome.cost_usd, story.unit)}, without Holdfast {direct}"


def _kept_out(story: Story) -> str:
    removed = story.received - story.tokens
    if removed < 0:
        return f", about {count(-removed)} added to it"
    return f", about {count(removed)} kept out of it" if removed else ""


def _loss(lost: Lost, story: Story) -> str:
    who = {"client": "by the client", "provider": "by the provider's rules"}.get(lost.party, f"by our {lost.party}")
    who = "not explained" if lost.cause == "provider_unexplained" else who
    text = f"lost {count(lost.tokens)} tokens, {money(lost.cost, story.unit)}: {lost.cause}, {who}"
    if lost.cause in MEANS:
        text += f"\n  {MEANS[lost.cause]}"
    found = next((each for each in story.breaks if each.cause == lost.cause), None)
    return f"{text}\n{_sides(found)}" if found else text


def _harmless(story: Story) -> list[Break]:
    """Changes that cost nothing: what they stand before was not cached."""
    causes = {lost.cause for lost in story.losses}
    return [found for found in story.breaks if found.cause not in causes]


def _first_difference(found: Break, what: str) -> str:
    return f"{found.cause} by {found.party}: {what}\n{_sides(found)}"


def _sides(found: Break) -> str:
    where = found.where
    only = ": nothing but what changes by itself, such as a date" if where.passing else ""
    lines = [f"  at  {where.place} ({where.way}{only})"]
    sides = [("was", where.before), ("is", where.after)]
    lines += [f"  {name:<3} {textwrap.shorten(text, WIDE - 6, placeholder='…')}" for name, text in sides if text]
    return "\n".join(lines)


def _sign(signal: Signal) -> str:
    """What began, what it means, and its evidence."""
    evidence = {"at": f"messages {', '.join(map(str, signal.messages))}", "of": ", ".join(filter(None, signal.tools))}
    return "\n".join(
        [
            f"{signal.sign}: {signal.what}, about {count(signal.tokens)} tokens",
            f"  {SIGNS[signal.what]}",
            *(
                f"  {name}  {textwrap.shorten(text, WIDE - 6, placeholder='…')}"
                for name, text in evidence.items()
                if text
            ),
        ]
    )


def _planned(story: Story, colour: bool) -> Iterator[str]:
    yield from map(_head, story.heads)
    if story.replayed:
        yield f"{story.replayed} messages went out in the bytes of their first sending"
    if not story.tallies:
        yield "no rewrite was proposed"
        return
    yield "\n".join(_batches(story))
    header = ("rewrite", "message", "tool", "removes", "price", "a turn", "pays in", "verdict")
    rows = [_rewrite(rewrite, story.unit) for rewrite in rewrites_of(story)]
    more = sum(tally.count for tally in story.tallies) - len(rows)
    yield render(header, rows, width=WIDE, colour=colour) + (f"\nand {more:,} more" if more else "")


def _head(kept: Kept) -> str:
    if kept.verdict == "applied":
        saved = f", about {count(kept.tokens)} tokens kept" if kept.tokens else ""
        return f"{kept.part} went out as before ({kept.kind}: {kept.reason}){saved}"
    return f"{kept.part} went out as the client has it now ({kept.kind}: {kept.reason})"


def _batches(story: Story) -> Iterator[str]:
    """What was taken, what waits and why, and the figures of the batch that was priced."""
    for tally in story.tallies:
        yield f"{tally.count} {tally.kind} {tally.verdict}: {tally.reason}, {count(tally.removes)} tokens"
    if all(tally.reason == FIRST_SENDING for tally in story.tallies):
        return
    sums = story.arithmetic
    turns = payback(sums.price_usd, sums.saving_usd)
    after = "never pays" if turns is None else f"pays in {turns:.1f} turns" if turns else "pays at once"
    yield (
        f"price {money(sums.price_usd, story.unit)} once, saves {money(sums.saving_usd, story.unit)} a turn: {after}; "
        f"{story.turns:.0f} more expected,\n{money(sums.rent_usd, story.unit)} forgone so far by waiting"
    )


def _rewrite(rewrite: Rewrite, unit: str) -> tuple[str, ...]:
    step = rewrite.step
    return (
        step.kind,
        str(step.message) if step.message >= 0 else "-",
        step.tool or "-",
        count(step.removes),
        money(rewrite.price, unit),
        money(rewrite.saving, unit),
        "-" if rewrite.payback is None else f"{rewrite.payback:.1f}",
        f"{step.verdict}: {step.reason}",
    )
