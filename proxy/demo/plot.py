"""The picture of a comparison: dollars spent and context sent, request by request, as one SVG.

Rules of this room: values in, text out. It reads on light and on dark ground (the viewer's own preference
decides), and every colour is named beside its line.
"""

from collections.abc import Callable, Sequence
from html import escape

from msgspec import Struct

from proxy.demo.figures import Comparison

WIDTH, PANEL = 640, 270
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 56, 30
STYLE = """
text { font: 15px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 }
.soft { fill: #57606a; font-size: 13px }
.grid { stroke: #d0d7de; stroke-width: 1 }
.direct { stroke: #8c959f } .ours { stroke: #0a6e5c } .mask { stroke: #bc4c00 }
text.direct { fill: #6e7781 } text.ours { fill: #0a6e5c } text.mask { fill: #bc4c00 }
text.direct, text.ours, text.mask { stroke: #ffffff; stroke-width: 4; paint-order: stroke }
polyline { fill: none; stroke-width: 2.5; stroke-linejoin: round }
line.mask { stroke-width: 1; stroke-dasharray: 3 3 }
.ground { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #30363d } .ground { fill: #0d1117 }
  .direct { stroke: #8b949e } .ours { stroke: #3fb99f } .mask { stroke: #f0883e }
  text.direct { fill: #9198a1 } text.ours { fill: #3fb99f } text.mask { fill: #f0883e }
  text.direct, text.ours, text.mask { stroke: #0d1117 }
}
"""


class Panel(Struct, frozen=True):
    """One pair of axes: the upper edge of it, and how values become places."""

    above: float
    count: int
    top_value: float

    @property
    def floor(self) -> float:
        return self.above + PANEL - BOTTOM

    def x(self, number: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (number - 1) / max(1, self.count - 1)

    def y(self, value: float) -> float:
        return self.floor - (PANEL - TOP - BOTTOM) * value / self.top_value


def svg(comparison: Comparison) -> str:
    """The whole picture."""
    turns = comparison.turns
    costs = ([turn.direct_usd for turn in turns], [turn.holdfast_usd for turn in turns])
    sizes = ([turn.received_tokens for turn in turns], [turn.sent_tokens for turn in turns])
    masks = tuple(number for number, turn in enumerate(turns, start=1) if turn.masked)
    spent = f"${comparison.direct.cost_usd:.2f} direct, ${comparison.holdfast.cost_usd:.2f} through Holdfast"
    summary = f"{comparison.model}, {len(turns)} requests: {spent}"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {2 * PANEL}" role="img">',
            f"<title>{escape(summary)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{2 * PANEL}" rx="6"/>',
            *_panel("Dollars spent", 0, costs, (), _dollars),
            *_panel("Context tokens of each request", PANEL, sizes, masks, _thousands),
            "</svg>\n",
        )
    )


def _panel(
    title: str,
    above: float,
    lines: tuple[Sequence[float], Sequence[float]],
    masks: Sequence[int],
    shown: Callable[[float], str],
) -> list[str]:
    top = max(map(max, lines)) or 1.0
    step = _step(top)
    panel = Panel(above, len(lines[0]), step * (int(top / step) + 1))
    parts = [_text(LEFT, above + 26, title, "title"), *_grid(panel, step, shown)]
    for number in masks:
        x = panel.x(number)
        parts.append(f'<line class="mask" x1="{x:.1f}" x2="{x:.1f}" y1="{above + TOP:g}" y2="{panel.floor:g}"/>')
    for values, name in zip(lines, ("direct", "ours"), strict=True):
        points = " ".join(f"{panel.x(at):.1f},{panel.y(value):.1f}" for at, value in enumerate(values, start=1))
        parts.append(f'<polyline class="{name}" points="{points}"/>')
    direct, ours = ("direct", "Holdfast") if not masks else ("received", "sent")
    for values, said, name, away in ((lines[0], direct, "direct", -10), (lines[1], ours, "ours", 42)):
        parts.append(_text(WIDTH - RIGHT - 4, panel.y(values[-1]) + away, f"{said} {shown(values[-1])}", name, "end"))
    if masks:
        parts.append(_text(panel.x(masks[0]), above + TOP - 6, "old observations masked", "mask"))
    return parts


def _grid(panel: Panel, step: float, shown: Callable[[float], str]) -> list[str]:
    parts = []
    for number in range(int(panel.top_value / step) + 1):
        y = panel.y(number * step)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(LEFT - 8, y + 4, shown(number * step), "soft", "end"))
    parts.append(_text(LEFT, panel.floor + 19, "request 1", "soft"))
    parts.append(_text(WIDTH - RIGHT, panel.floor + 19, f"{panel.count}", "soft", "end"))
    return parts


def _text(x: float, y: float, text: str, name: str, anchor: str = "start") -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _step(top: float) -> float:
    """A round step that makes three to six lines."""
    size = 1.0
    while size * 10 <= top:
        size *= 10
    while size > top:
        size /= 10
    return next(size * part for part in (0.25, 0.5, 1, 2, 2.5) if top / (size * part) < 6)


def _dollars(value: float) -> str:
    return f"${value:.2f}"


def _thousands(value: float) -> str:
    return f"{value / 1000:.0f}k"
