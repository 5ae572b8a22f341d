"""What a replay found, as one HTML page: the table, plots of the dearest sessions, and every session to be sorted.

Rules of this room: one file, nothing loaded from anywhere; the browser is told so, with the digest of the one style
and the one script. Without the script all is there, in the order of the input. Readable without colours, in dark and
light, on a telephone, by keyboard. Whatever came out of a trace is escaped.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import accumulate
from typing import Any

from proxy.plots.charts import STYLE as PLOTS
from proxy.plots.charts import Chart, lines, sheet, stacked
from proxy.replay.figures import Figures
from proxy.replay.report import HEADER, NOTE, every, money, row, share, summary, tokens
from proxy.replay.session import DIRECT, Played

DEAREST = 3
"""Sessions that are plotted."""

STYLE = f"""
:root{{color-scheme:light dark;--ink:#222;--paper:#fff;--line:#ccc;--soft:#595959;--focus:#0072b2}}
@media(prefers-color-scheme:dark){{:root{{--ink:#e6e6e6;--paper:#16181c;--line:#444;--soft:#aaa;--focus:#56b4e9}}}}
body{{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;padding:12px}}
body{{max-width:1000px}}
h1{{font-size:1.4em}}h2{{font-size:1.1em;overflow-wrap:anywhere}}p{{color:var(--soft)}}
.wide{{overflow-x:auto}}table{{border-collapse:collapse;font-variant-numeric:tabular-nums;white-space:nowrap}}
th,td{{padding:3px 10px;text-align:right;border-bottom:1px solid var(--line);font-weight:inherit}}
th:first-child,td:first-child{{text-align:left;max-width:40vw;overflow:hidden;text-overflow:ellipsis}}
thead th,button{{font:inherit;font-weight:600}}
button{{color:inherit;background:none;border:0;padding:6px 0;cursor:pointer;text-decoration:underline dotted}}
[aria-sort=ascending] button::after{{content:" ↑"}}[aria-sort=descending] button::after{{content:" ↓"}}
:focus-visible{{outline:2px solid var(--focus);outline-offset:2px}}
svg{{margin:10px 0}}
{PLOTS}
"""

SCRIPT = """
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.parentElement, heads = [...head.parentElement.children], place = heads.indexOf(head);
  const up = head.getAttribute("aria-sort") !== "ascending", body = head.closest("table").tBodies[0];
  for (const other of heads) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = row => row.cells[place].dataset.value;
  const order = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
  body.append(...[...body.rows].sort((a, b) => order(value(a), value(b)) * (up ? 1 : -1)));
});
"""
"""Sorts the table of sessions by the column whose head is pressed."""


def page(found: Mapping[str, Any], played: Sequence[Played]) -> str:
    """The whole page."""
    totals = [row(name, one, found["unit"]) for name, one in every(found)]
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_allowed()}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1"><title>Holdfast replay</title>',
            f"<style>{STYLE}</style></head><body><main>",
            "<h1>Holdfast replay</h1>",
            f"<p>{escape(summary(found))}</p>",
            _table("Totals", HEADER, [[(cell, None) for cell in cells] for cells in totals]),
            f"<p>{escape(NOTE)}</p>",
            *(part for one in _dearest(played) for part in _plots(one)),
            f"<h2>All {len(played):,} sessions</h2>",
            _table("Sessions", *_sessions(found), sortable=True),
            f"</main><script>{SCRIPT}</script></body></html>",
        )
    )


def _allowed() -> str:
    """What the page may load and run: its own style and script, told by their digests."""
    style, script = (b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (STYLE, SCRIPT))
    return f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'"


def _dearest(played: Sequence[Played]) -> list[Played]:
    ranked = sorted(played, key=lambda one: -sum(call.usd for call in one.baselines[DIRECT]))
    return [one for one in ranked if one.baselines[DIRECT]][:DEAREST]


def _plots(one: Played) -> Iterator[str]:
    passes: dict[str, tuple[Figures, ...]] = {**one.policies, **one.baselines}
    dollars = _dollars if one.unit == "usd" else _units
    costs = {name: list(accumulate(call.usd for call in calls)) for name, calls in passes.items()}
    yield f"<h2>{escape(one.id)}</h2>"
    for name, calls in one.policies.items():
        yield sheet([_context(name, calls)], styled=False)
    cost = lines(
        {f"{name} {money(values[-1], one.unit)}": values for name, values in costs.items()},
        title="Cumulative cost",
        across="turn",
        label=dollars,
    )
    hits = lines(
        {name: [_hit(call) for call in calls] for name, calls in passes.items()},
        title="Hit rate per turn",
        across="turn",
        label=_percent,
        top=1.0,
    )
    yield sheet([cost], styled=False)
    yield sheet([hits], styled=False)


def _context(name: str, calls: Sequence[Figures]) -> Chart:
    """What was sent, and on top of it what was kept out, by state; a state that never occurs is left out."""
    sent = {"cached": [call.read for call in calls], "new": [call.input_tokens - call.read for call in calls]}
    kept_out = {
        "masked": [max(0, call.states.masked) for call in calls],
        "shaped": [max(0, call.states.shaped) for call in calls],
        "compacted": [max(0, call.states.compacted) for call in calls],
    }
    layers = {**sent, **{state: values for state, values in kept_out.items() if any(values)}}
    return stacked(layers, title=f"Context per turn, {name}", across="turn", label=_thousands)


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


Cell = tuple[str, float | None]
"""What is shown, and the number to sort by; None: the text itself."""


def _sessions(found: Mapping[str, Any]) -> tuple[list[str], list[list[Cell]]]:
    names = [name for name, _ in every(found) if name != DIRECT]
    policies = list(found["policies"])
    header = ["session", "turns", DIRECT, *(f"{name}, ratio" for name in names)]
    header += [f"{name}, {what}" for name in policies for what in ("hit", "removed")]
    return header, [_session(one, names, policies, found["unit"]) for one in found["sessions"]]


def _session(one: Mapping[str, Any], names: Sequence[str], policies: Sequence[str], unit: str) -> list[Cell]:
    passes = {**one["policies"], **one["baselines"]}
    cost, ratios = passes[DIRECT]["cost_usd"], [passes[name]["cost_ratio"] for name in names]
    cells: list[Cell] = [(one["id"], None), (str(one["turns"]), one["turns"]), (money(cost, unit), cost)]
    cells += [("-" if ratio is None else f"{ratio:.3f}", ratio or 0.0) for ratio in ratios]
    for total in (passes[name] for name in policies):
        cells.append((share(total["hit_rate"]), total["hit_rate"] or 0.0))
        cells.append((tokens(total["removed_tokens"]), total["removed_tokens"]))
    return cells


def _table(name: str, header: Sequence[str], rows: Sequence[Sequence[Cell]], *, sortable: bool = False) -> str:
    """A table that scrolls sideways by itself, also by keyboard."""
    heads = (f'<button type="button">{escape(cell)}</button>' if sortable else escape(cell) for cell in header)
    head = "".join(f'<th scope="col">{cell}</th>' for cell in heads)
    body = "\n".join(f"<tr>{''.join(_cell(cell, sortable) for cell in cells)}</tr>" for cells in rows)
    scrolls = f'<div class="wide" tabindex="0" role="region" aria-label="{name}">'
    return f"{scrolls}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell(cell: Cell, sortable: bool) -> str:
    text, number = cell
    value = f' data-value="{escape(text if number is None else repr(number))}"' if sortable else ""
    return f"<td{value}>{escape(text)}</td>"
