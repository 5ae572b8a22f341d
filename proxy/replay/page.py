"""What a replay found, as one HTML page: the table, and plots of the dearest sessions.

Rules of this room: one file, nothing loaded from anywhere, nothing runs; readable without colours, in
dark and light, on a telephone. Whatever came out of a trace is escaped.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import accumulate
from typing import Any

from proxy.replay.figures import Figures
from proxy.replay.plot import lines, stacked
from proxy.replay.report import HEADER, NOTE, every, money, row, summary
from proxy.replay.session import DIRECT, Played

DEAREST = 3
"""Sessions that are plotted."""

STYLE = """
:root{color-scheme:light dark;--ink:#222;--paper:#fff;--line:#ccc;--soft:#666}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#16181c;--line:#444;--soft:#aaa}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;padding:12px}
body{max-width:1000px}
h1{font-size:1.4em}h2{font-size:1.1em;overflow-wrap:anywhere}p{color:var(--soft)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;white-space:nowrap}
th,td{padding:3px 10px;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}
svg{margin:10px 0}
"""


def page(found: Mapping[str, Any], played: Sequence[Played]) -> str:
    """The whole page."""
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><title>Holdfast replay</title>',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<style>{STYLE}</style></head><body>",
            "<h1>Holdfast replay</h1>",
            f"<p>{escape(summary(found))}</p>",
            _table(HEADER, [row(name, one, found["unit"]) for name, one in every(found)]),
            f"<p>{escape(NOTE)}</p>",
            *(part for one in _dearest(played) for part in _plots(one)),
            f"<details><summary>All {len(played):,} sessions</summary>",
            _table(*_sessions(found)),
            "</details></body></html>",
        )
    )


def _dearest(played: Sequence[Played]) -> list[Played]:
    ranked = sorted(played, key=lambda one: -sum(call.usd for call in one.baselines[DIRECT]))
    return [one for one in ranked if one.baselines[DIRECT]][:DEAREST]


def _plots(one: Played) -> Iterator[str]:
    passes: dict[str, tuple[Figures, ...]] = {**one.policies, **one.baselines}
    yield f"<h2>{escape(one.id)}</h2>"
    for name, calls in one.policies.items():
        yield stacked(
            {
                "cached": [call.read for call in calls],
                "new": [call.input_tokens - call.read for call in calls],
                "masked": [max(0, call.removed_tokens) for call in calls],
            },
            title=f"Context per turn, {name}",
            across="turn",
            label=_thousands,
        )
    yield lines(
        {name: list(accumulate(call.usd for call in calls)) for name, calls in passes.items()},
        title="Cumulative cost",
        across="turn",
        label=_dollars if one.unit == "usd" else _units,
    )
    yield lines(
        {name: [_hit(call) for call in calls] for name, calls in passes.items()},
        title="Hit rate per turn",
        across="turn",
        label=_percent,
        top=1.0,
    )


def _thousands(value: float) -> str:
    return f"{value / 1000:g}k"


def _dollars(value: float) -> str:
    return f"${value:,.6g}"


def _units(value: float) -> str:
    return f"{value:,.6g}"


def _percent(value: float) -> str:
    return f"{100 * value:g}%"


def _hit(call: Figures) -> float | None:
    return call.read / call.input_tokens if call.input_tokens else None


def _sessions(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    names = [name for name, _ in every(found)]
    rows = []
    for one in found["sessions"]:
        ratios = [total["cost_ratio"] for _, total in every(one)]
        cost = one["baselines"][DIRECT]["cost_usd"]
        rows.append(
            [
                one["id"],
                str(one["turns"]),
                money(cost, found["unit"]),
                *("-" if r is None else f"{r:.3f}" for r in ratios),
            ]
        )
    return ["session", "turns", DIRECT, *(f"{name}, ratio" for name in names)], rows


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>" for cells in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
