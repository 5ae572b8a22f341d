"""What a replay found, as a document for programs and as a table for people.

Rules of this room: the names of the document are fixed; a share that has nothing to be a share of is
null, and `-` in the table.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from proxy.replay.figures import Series, totals
from proxy.replay.session import DIRECT, Played
from proxy.tables import render

WIDTH = 100
HEADER = ("", "cost", "ratio", "hit", "read", "written", "uncached", "removed", "evidence", "at risk")
NOTE = (
    "ratio: cost against direct. removed: tokens taken out, each counted once. evidence: values that the\n"
    "agent used next and could still see; at risk: those in observations older than the newest ten only."
)


def document(played: Sequence[Played]) -> dict[str, Any]:
    """Everything, under the documented names."""
    direct = [one.baselines[DIRECT] for one in played]
    return {
        "model": ", ".join(dict.fromkeys(one.model for one in played)),
        "unit": played[0].unit if played else "usd",
        "policies": _summed([one.policies for one in played], direct),
        "baselines": _summed([one.baselines for one in played], direct),
        "sessions": [_session(one) for one in played],
    }


def table(found: Mapping[str, Any], *, colour: bool = False) -> str:
    """The totals, one line for each policy and baseline."""
    rows = [row(name, one, found["unit"]) for name, one in every(found)]
    return f"{render(HEADER, rows, width=WIDTH, colour=colour)}\n\n{summary(found)}\n{NOTE}"


def summary(found: Mapping[str, Any]) -> str:
    """How much was played, and what went wrong."""
    some: dict[str, Any] = next((one for _, one in every(found)), {"sessions": 0, "requests": 0})
    wrong = {name: one["violations"] for name, one in every(found) if one["violations"]}
    told = "; ".join(f"{name}: {words}" for name, words in wrong.items())
    return (
        f"{some['sessions']:,} sessions, {some['requests']:,} calls, {found['model'] or 'no model'}; "
        f"rule violations: {told or 'none'}"
    )


def _summed(passes: Sequence[dict[str, tuple[Any, ...]]], direct: Sequence[Series]) -> dict[str, Any]:
    names = dict.fromkeys(name for one in passes for name in one)
    return {name: totals([one[name] for one in passes], direct) for name in names}


def _session(one: Played) -> dict[str, Any]:
    direct = [one.baselines[DIRECT]]
    return {
        "id": one.id,
        "model": one.model,
        "turns": len(direct[0]),
        "policies": _summed([one.policies], direct),
        "baselines": _summed([one.baselines], direct),
        "optimum_moments": list(one.moments),
    }


def every(found: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and totals of each policy, then of each baseline."""
    yield from found["policies"].items()
    yield from found["baselines"].items()


def row(name: str, one: dict[str, Any], unit: str = "usd") -> tuple[str, ...]:
    """One line of the table."""
    return (
        name,
        money(one["cost_usd"], unit),
        _ratio(one["cost_ratio"]),
        share(one["hit_rate"]),
        tokens(one["cache_read_tokens"]),
        tokens(one["cache_write_tokens"]),
        tokens(one["uncached_tokens"]),
        tokens(one["removed_tokens"]),
        share(one["evidence_retained"]),
        share(one["evidence_at_risk_retained"]),
    )


def money(cost: float, unit: str = "usd") -> str:
    """Dollars, or relative units without a sign; with digits where small amounts differ."""
    sign = "$" if unit == "usd" else ""
    return f"{sign}{cost:,.2f}" if cost >= 10 else f"{sign}{cost:.4f}"


def tokens(count: float) -> str:
    """A count in at most six characters."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.1f}{letter}"
    return f"{count:g}"


def share(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.1f}%"


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3f}"
