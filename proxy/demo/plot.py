"""The picture of a comparison: dollars spent and context sent, request by request, as one SVG.

Rules of this room: values in, text out.
"""

from proxy.demo.figures import Comparison
from proxy.plots.charts import lines, sheet


def svg(comparison: Comparison) -> str:
    """The whole picture."""
    turns = comparison.turns
    direct, ours = [turn.direct_usd for turn in turns], [turn.holdfast_usd for turn in turns]
    received, sent = [turn.received_tokens for turn in turns], [turn.sent_tokens for turn in turns]
    spent = lines(
        {f"direct {_dollars(direct[-1])}": direct, f"Holdfast {_dollars(ours[-1])}": ours},
        title="Dollars spent",
        across="request",
        label=_dollars,
    )
    masks = [number for number, turn in enumerate(turns) if turn.masked]
    context = lines(
        {f"received {_thousands(received[-1])}": received, f"sent {_thousands(sent[-1])}": sent},
        title="Context tokens" + (" (upright lines: observations masked)" if masks else ""),
        across="request",
        label=_thousands,
        marks=masks,
    )
    cost = f"${comparison.direct.cost_usd:.2f} direct, ${comparison.holdfast.cost_usd:.2f} through Holdfast"
    return sheet([spent, context], title=f"{comparison.model}, {len(turns)} requests: {cost}") + "\n"


def _dollars(value: float) -> str:
    return f"${value:.2f}"


def _thousands(value: float) -> str:
    return f"{value / 1000:.0f}k"
