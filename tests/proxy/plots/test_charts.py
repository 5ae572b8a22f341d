"""Plots: well-formed, self-contained, true to their numbers."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.plots.charts import COLOURS, DASHES, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, lines, sheet, stacked

NUMBER = re.compile(r"-?\d+\.\d")
NAMES = st.text(min_size=1, max_size=30)
VALUES = st.lists(st.floats(0, 1e12), max_size=30)


def chart(series: Mapping[str, Sequence[float | None]], top: float | None = None, marks: Sequence[int] = ()) -> Chart:
    return lines(series, title="A <title>", across="turn", label=lambda value: f"{value:g}", top=top, marks=marks)


def drawn(series: Mapping[str, Sequence[float | None]], top: float | None = None) -> str:
    return sheet([chart(series, top)])


def layered(layers: Mapping[str, Sequence[float]]) -> str:
    return sheet([stacked(layers, title="A & B", across="turn", label=str)])


def paths(svg: str, kind: str) -> list[str]:
    """The drawn paths, without the legend's."""
    tree = ElementTree.fromstring(svg)
    found = [e.attrib["d"] for e in tree.iter() if e.tag.endswith("path") and e.attrib["class"].startswith(kind)]
    return found[: len(found) // 2]


@given(st.dictionaries(NAMES.filter(str.isprintable), VALUES, max_size=8))
def test_whatever_is_drawn_is_well_formed_and_loads_nothing(series: dict[str, list[float]]) -> None:
    svg = drawn(series)
    ElementTree.fromstring(svg)
    assert "<script" not in svg and "href" not in svg and "url(" not in svg and "@import" not in svg


@given(st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)), min_size=1, max_size=50))
def test_every_point_lies_inside_the_frame(pairs: list[tuple[float, float]]) -> None:
    layers = {"a": [a for a, _ in pairs], "b": [b for _, b in pairs]}
    for path in (*paths(layered(layers), "area"), *paths(drawn(layers), "line")):
        numbers = [float(text) for text in NUMBER.findall(path)]
        assert all(LEFT - 0.1 <= x <= WIDTH - RIGHT + 0.1 for x in numbers[::2])
        assert all(TOP - 0.1 <= y <= TOP + HEIGHT + 0.1 for y in numbers[1::2])


def test_layers_lie_on_top_of_each_other() -> None:
    below, above = (
        [float(text) for text in NUMBER.findall(path)] for path in paths(layered({"a": [1, 1], "b": [1, 3]}), "area")
    )
    assert below[:4] == [LEFT, TOP + HEIGHT * 0.75, WIDTH - RIGHT, TOP + HEIGHT * 0.75]
    assert above[:4] == [LEFT, TOP + HEIGHT * 0.5, WIDTH - RIGHT, TOP]


def test_a_missing_value_is_a_gap() -> None:
    (path,) = paths(drawn({"a": [1.0, None, 1.0, 2.0]}), "line")
    assert path.count("M") == 2 and path.count("L") == 1


def test_the_axis_may_be_given_an_end() -> None:
    (path,) = paths(drawn({"a": [0.5, 0.5]}, top=1.0), "line")
    assert float(NUMBER.findall(path)[1]) == TOP + HEIGHT / 2


def test_a_long_series_is_thinned_and_keeps_its_ends() -> None:
    (path,) = paths(drawn({"a": [float(n) for n in range(5000)]}), "line")
    points = NUMBER.findall(path)
    assert len(points) // 2 <= 502
    assert (float(points[-2]), float(points[-1])) == (WIDTH - RIGHT, TOP)


def test_titles_and_names_are_escaped() -> None:
    svg = drawn({"<b>&": [1.0]})
    assert "A &lt;title&gt;" in svg and "&lt;b&gt;&amp;" in svg


def test_charts_of_a_sheet_stand_below_each_other_under_one_title() -> None:
    one, other = chart({"a": [1.0]}), chart({"a rather long name": [1.0], "another rather long name": [1.0]})
    tree = ElementTree.fromstring(sheet([one, other], title="Both & all"))
    moved = [e.attrib["transform"] for e in tree.iter() if e.tag.endswith("}g")]
    assert moved == ["translate(0 0)", f"translate(0 {one.height:g})"]
    assert float(tree.attrib["viewBox"].split()[3]) == one.height + other.height
    assert [e.text for e in tree.iter() if e.tag.endswith("title")] == ["Both & all"]


def test_a_turn_may_be_marked() -> None:
    svg = sheet([chart({"a": [1.0, 2.0, 3.0]}, marks=(1,))])
    assert f'<path class="mark" d="M{(LEFT + WIDTH - RIGHT) / 2:.1f} ' in svg


def test_a_sheet_without_a_style_of_its_own_has_none() -> None:
    assert "<style" not in sheet([chart({"a": [1.0]})], styled=False)


def test_dark_and_light_have_colours_of_their_own_and_lines_dashes() -> None:
    svg = drawn({"a": [1.0]})
    light, dark = svg.split("@media(prefers-color-scheme:dark)")
    for number, (on_light, on_dark) in enumerate(COLOURS):
        assert f".c{number}{{stroke:{on_light}}}" in light and f".c{number}{{stroke:{on_dark}}}" in dark
    assert len(set(DASHES)) == len(DASHES) >= len(COLOURS)


@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [0.0]}, {"a": [None]}])
def test_nothing_to_draw_is_an_empty_frame(series: dict[str, list[float | None]]) -> None:
    ElementTree.fromstring(drawn(series))


def test_no_layers_are_an_empty_frame() -> None:
    ElementTree.fromstring(layered({}))


def test_a_legend_that_is_too_wide_goes_on_in_another_row() -> None:
    def height(svg: str) -> float:
        return float(ElementTree.fromstring(svg).attrib["viewBox"].split()[3])

    many = {f"a rather long name {number}": [1.0] for number in range(4)}
    assert height(drawn(many)) > height(drawn({"a": [1.0]}))
