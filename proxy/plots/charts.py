"""Charts as SVG text: lines, and stacked areas. Light and dark, legible on a telephone.

Rules of this room: a chart is text and a height, so that several fit on one sheet. Lines differ in dashes as well as
in colour. It must not know what the numbers mean.
"""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import accumulate
from math import floor, log10

from msgspec import Struct

WIDTH, LEFT, RIGHT, TOP, HEIGHT, BELOW = 400.0, 46.0, 10.0, 26.0, 150.0, 34.0
"""In units of the drawing; at 360 pixels a unit is nine tenths of one, so letters stay readable."""
ROW = 15.0
"""Of the legend."""
LETTER = 6.8
"""Width of a letter of the legend, roughly."""
TICKS = 4
TINY = 1e-12
"""What is not above it is nothing."""
POINTS = 500
"""More are thinned out: a screen shows no more."""

COLOURS = (
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#e69f00"),
    ("#009e73", "#2fd0a5"),
    ("#aa3377", "#ee8fc0"),
    ("#666666", "#aaaaaa"),
    ("#8a7000", "#f0e442"),
)
"""On light and on dark; told apart also by most colour-blind people (after Okabe and Ito)."""
DASHES = ("", "5 3", "2 2", "8 3 2 3", "1 3", "10 4")

Values = Sequence[float | None]
"""One for each turn; None where there is nothing to show."""
Label = Callable[[float], str]
"""What to write beside a value of the upright axis."""


class Chart(Struct, frozen=True):
    """A drawing, to be put on a sheet."""

    title: str
    parts: tuple[str, ...]
    height: float


def sheet(charts: Sequence[Chart], *, title: str = "", styled: bool = True) -> str:
    """The charts below each other, as one SVG. `styled` False: where `STYLE` stands beside it anyway."""
    tops = (*accumulate((chart.height for chart in charts), initial=0.0),)
    height = tops[-1]
    groups = (
        (f'<g transform="translate(0 {above:g})">', *chart.parts, "</g>")
        for chart, above in zip(charts, tops, strict=False)
    )
    return "\n".join(
        (
            f'<svg class="plot" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" role="img">',
            f"<title>{escape(title or '; '.join(chart.title for chart in charts))}</title>",
            *((f"<style>{STYLE}</style>",) if styled else ()),
            f'<rect class="ground" width="{WIDTH:g}" height="{height:g}"/>',
            *(part for group in groups for part in group),
            "</svg>",
        )
    )


def lines(
    series: Mapping[str, Values],
    *,
    title: str,
    across: str,
    label: Label,
    top: float | None = None,
    marks: Sequence[int] = (),
) -> Chart:
    """A line for each series. `across`: what turns are. `top`: where the upright axis ends. `marks`: turns, from 0."""
    count = max(map(len, series.values()), default=0)
    highest = max((value for values in series.values() for value in values if value is not None), default=0.0)
    scale = _Scale(count, top or highest)
    drawn = [f'<path class="mark" d="M{scale.x(turn):.1f} {TOP:g}v{HEIGHT:g}"/>' for turn in marks]
    drawn += [
        f'<path class="line c{number % len(COLOURS)}" d="{_path(_points(scale, values))}"/>'
        for number, values in enumerate(series.values())
    ]
    return _drawing(title, across, label, scale, drawn, list(series), "line")


def stacked(layers: Mapping[str, Sequence[float]], *, title: str, across: str, label: Label) -> Chart:
    """The layers on top of each other, the first at the bottom."""
    sums = list(accumulate(layers.values(), lambda below, layer: [a + b for a, b in zip(below, layer, strict=True)]))
    count = len(sums[-1]) if sums else 0
    scale = _Scale(count, max(sums[-1], default=0.0) if sums else 0.0)
    drawn = []
    below: Sequence[float] = [0.0] * count
    for number, upper in enumerate(sums):
        edge = [*_points(scale, upper), *reversed(_points(scale, below))]
        drawn.append(f'<path class="area a{number % len(COLOURS)}" d="{_path(edge)}Z"/>')
        below = upper
    return _drawing(title, across, label, scale, drawn, list(layers), "area")


class _Scale:
    """From turns and values to places in the drawing."""

    def __init__(self, count: int, highest: float) -> None:
        self.count = count
        self.step = _step(highest)
        self.top = max(highest, self.step)

    def x(self, turn: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (turn / (self.count - 1) if self.count > 1 else 0.5)

    def y(self, value: float) -> float:
        return TOP + HEIGHT * (1 - value / self.top)

    def ticks(self) -> list[float]:
        return [self.step * number for number in range(int(self.top / self.step + 1e-9) + 1)]


def _step(highest: float) -> float:
    """A round distance between lines of the grid."""
    if highest <= TINY:
        return 1.0
    raw = highest / TICKS
    power = 10.0 ** floor(log10(raw))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)


def _points(scale: _Scale, values: Values) -> list[tuple[float, float] | None]:
    every = -(-len(values) // POINTS) if values else 1
    chosen = [turn for turn in range(len(values)) if turn % every == 0 or turn == len(values) - 1]
    found = ((turn, values[turn]) for turn in chosen)
    return [None if value is None else (scale.x(turn), scale.y(value)) for turn, value in found]


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """A gap where there is no value; a lone value is a dot."""
    words, pen = [], "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        words.append(f"{pen}{point[0]:.1f} {point[1]:.1f}" + ("h0" if pen == "M" else ""))
        pen = "L"
    return "".join(words)


def _drawing(
    title: str, across: str, label: Label, scale: _Scale, drawn: Sequence[str], names: Sequence[str], kind: str
) -> Chart:
    legend, rows = _legend(names, kind)
    heading = f'<text class="head" x="4" y="14">{escape(title)}</text>'
    parts = (heading, *_grid(scale, label, across), *drawn, *legend)
    return Chart(title, parts, TOP + HEIGHT + BELOW + ROW * rows)


def _grid(scale: _Scale, label: Label, across: str) -> list[str]:
    found = []
    for tick in scale.ticks():
        y = scale.y(tick)
        found.append(f'<path class="grid" d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}"/>')
        found.append(f'<text class="end" x="{LEFT - 4:g}" y="{y + 4:.1f}">{escape(label(tick))}</text>')
    bottom = TOP + HEIGHT + 14
    if scale.count:
        found.append(f'<text x="{LEFT:g}" y="{bottom:g}">1</text>')
        found.append(f'<text class="end" x="{WIDTH - RIGHT:g}" y="{bottom:g}">{scale.count}</text>')
    found.append(f'<text class="mid" x="{(LEFT + WIDTH) / 2:g}" y="{bottom:g}">{escape(across)}</text>')
    return found


def _legend(names: Sequence[str], kind: str) -> tuple[list[str], int]:
    """The names in rows that fit, and how many rows."""
    found: list[str] = []
    x, row = 4.0, 0
    for number, name in enumerate(names):
        wide = 30 + LETTER * len(name)
        if x > 4.0 and x + wide > WIDTH:
            x, row = 4.0, row + 1
        y = TOP + HEIGHT + BELOW + ROW * row
        shape, style = number % len(COLOURS), kind
        sample = f"M{x:g} {y - 4:g}h18" if kind == "line" else f"M{x:g} {y - 9:g}h18v10h-18Z"
        found.append(f'<path class="{style} {kind[0] if kind == "area" else "c"}{shape}" d="{sample}"/>')
        found.append(f'<text x="{x + 23:g}" y="{y:g}">{escape(name)}</text>')
        x += wide
    return found, row + 1


def _rules(dark: int) -> str:
    return "".join(
        f".plot .c{number}{{stroke:{pair[dark]}}}.plot .a{number}{{fill:{pair[dark]}}}"
        for number, pair in enumerate(COLOURS)
    )


STYLE = (
    ".plot{display:block;width:100%;max-width:760px;height:auto}"
    ".plot text{font:11px system-ui,sans-serif;fill:#222}.plot .head{font-weight:600;font-size:12px}"
    ".plot .end{text-anchor:end}.plot .mid{text-anchor:middle}"
    ".plot .grid{stroke:#8886;stroke-width:.5;fill:none}"
    ".plot .line{fill:none;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}"
    ".plot .area{stroke:none;opacity:.85}.plot .ground{fill:#fff}"
    ".plot .mark{stroke:#888;stroke-width:.8;stroke-dasharray:3 3;fill:none}"
    + "".join(f".plot .c{number}{{stroke-dasharray:{dash}}}" for number, dash in enumerate(DASHES) if dash)
    + _rules(0)
    + "@media(prefers-color-scheme:dark){.plot .ground{fill:#16181c}.plot text{fill:#e6e6e6}"
    + _rules(1)
    + "}"
)
"""Of every sheet."""
