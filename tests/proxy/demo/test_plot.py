"""The picture is well-formed, marks each masking, and copes with runs of nothing."""

from xml.etree import ElementTree

from proxy.demo.plot import svg
from tests.proxy.demo.building import GOOD, answer, comparison

SVG = "{http://www.w3.org/2000/svg}"


def _paths(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [path for path in root.iter(f"{SVG}path") if path.get("class", "").split()[0] == kind]


def test_it_is_well_formed_and_has_two_lines_in_each_of_two_panels() -> None:
    root = ElementTree.fromstring(svg(GOOD))
    groups = root.findall(f"{SVG}g")
    assert [len(_paths(group, "line")) for group in groups] == [2 * 2, 2 * 2], "each with its sample in the legend"
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"direct $0.08", "Holdfast $0.06", "received 60k", "sent 42k"} <= set(texts)


def test_each_request_that_masked_has_a_mark() -> None:
    root = ElementTree.fromstring(svg(GOOD))
    marks = _paths(root, "mark")
    assert len(marks) == sum(turn.masked > 0 for turn in GOOD.turns) == 1


def test_dark_and_light_ground_are_both_provided_for() -> None:
    assert "prefers-color-scheme:dark" in svg(GOOD)


def test_a_run_in_which_everything_was_refused_is_drawn_too() -> None:
    nothing = (answer(0, 0, status=400),)
    assert ElementTree.fromstring(svg(comparison(*nothing, found=(), direct=nothing)))
