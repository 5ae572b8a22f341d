"""The comparison in words: a table, what broke the prefix and why, and one sentence.

Rules of this room: text of at most 80 columns, from figures alone.
"""

import textwrap
from collections.abc import Iterator

from proxy.demo.figures import Comparison, Totals
from proxy.tables import WIDTH, render

HEADER = ("", "direct", "Holdfast", "change")


def report(comparison: Comparison, *, colour: bool = False) -> str:
    """Everything that is printed of a comparison."""
    table = render(HEADER, tuple(_rows(comparison.direct, comparison.holdfast)), colour=colour)
    return "\n".join((table, "", *_wrapped(_findings(comparison)), "", *_wrapped([conclusion(comparison)])))


def _rows(direct: Totals, ours: Totals) -> Iterator[tuple[str, str, str, str]]:
    yield _count("requests", direct.requests, ours.requests)
    yield _count("  refused by the provider", direct.refused, ours.refused)
    yield _count("input tokens", direct.input_tokens, ours.input_tokens)
    yield _count("  read from the cache", direct.cache_read_tokens, ours.cache_read_tokens)
    yield _count("  written to the cache", direct.cache_write_tokens, ours.cache_write_tokens)
    yield _count("  neither", direct.uncached_tokens, ours.uncached_tokens)
    points = (ours.hit_rate - direct.hit_rate) * 100
    yield "  hit rate", f"{direct.hit_rate:.1%}", f"{ours.hit_rate:.1%}", f"{points:+.1f}"
    yield _count("output tokens", direct.output_tokens, ours.output_tokens)
    yield _dollars("dollars", direct.cost_usd, ours.cost_usd)
    yield _dollars("  for input", direct.input_usd, ours.input_usd)
    yield _dollars("  for output", direct.output_usd, ours.output_usd)


def _count(name: str, direct: int, ours: int) -> tuple[str, str, str, str]:
    return name, f"{direct:,}", f"{ours:,}", _change(direct, ours)


def _dollars(name: str, direct: float, ours: float) -> tuple[str, str, str, str]:
    return name, f"${direct:.2f}", f"${ours:.2f}", _change(direct, ours)


def _change(direct: float, ours: float) -> str:
    return f"{ours / direct - 1:+.1%}" if direct and ours != direct else "-"


def _findings(comparison: Comparison) -> Iterator[str]:
    known = comparison.direct.requests - comparison.different_answers
    yield f"answers: {known} of {comparison.direct.requests} the same in both runs"
    yield (
        f"masked: {comparison.masked} old observations; the last request carried "
        f"{comparison.masked_tokens:,} tokens less than the agent sent"
    )
    planned = [found for found in comparison.breaks if found.explained]
    where = ", ".join(f"{found.turn} ({found.masked} masked)" for found in planned if found.cause == "policy_mask")
    again = sum(found.again_tokens for found in planned)
    yield f"planned breaks of the prefix: {len(planned)}, {again:,} tokens computed again" + (
        f"; at requests {where}" if where else ""
    )
    for found in planned:
        if found.cause != "policy_mask":
            yield f"at request {found.turn} the cause was {found.cause}"
    yield f"unexplained breaks: {comparison.unexplained}"


def conclusion(comparison: Comparison) -> str:
    """One sentence; the honest one also where nothing was saved."""
    direct, ours = comparison.direct, comparison.holdfast
    if not comparison.sound:
        return "Something went wrong: see the lines above."
    if ours.cost_usd >= direct.cost_usd:
        return f"Holdfast saved nothing here: ${direct.cost_usd:.2f} direct, ${ours.cost_usd:.2f} through it."
    share = 1 - ours.cost_usd / direct.cost_usd
    return (
        f"The same session with the same answers cost {share:.0%} less through Holdfast, "
        f"at a cache hit rate of {ours.hit_rate:.1%}."
    )


def _wrapped(lines: Iterator[str] | list[str]) -> list[str]:
    return [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in lines]
