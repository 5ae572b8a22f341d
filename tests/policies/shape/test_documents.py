"""JSON in a text takes less room and says the same; where none is sure to stand, nothing changes."""

import json
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.shape.documents import SHORTEST, compacted
from tests.policies.shape.reversing import exact, listed

VALUES = st.recursive(
    st.one_of(st.text(st.characters(codec="utf-8")), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(st.characters(codec="utf-8")), inner)),
    max_leaves=20,
)
LONG = {"words": "x" * SHORTEST}
PADDED = json.dumps({"id": 1.0, **LONG}, indent=4)
SHORT = PADDED.replace("\n    ", "").replace("\n", "").replace(": ", ":")
LIST = json.dumps([{"name": f"n{n}", "size": n, "words": "x y"} for n in range(9)], indent=2)


@given(VALUES, st.sampled_from([None, 0, 1, 4, "\t"]), st.booleans())
def test_a_document_says_the_same_in_less_room(value: object, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps([value, LONG], indent=indent, ensure_ascii=ascii_only)
    made = compacted(text)
    assert listed(exact(made)) == exact(text) and len(made) <= len(text)


@given(st.text())
def test_a_text_without_json_stays(text: str) -> None:
    assert compacted(text) == text


@pytest.mark.parametrize(
    ("before", "behind"),
    [("", ""), ("$ kubectl get\n", "\n$ "), ("<output>\n", "\n</output>"), ("```json\n", "\n```\n"), ("{\n", "\n{\n}")],
)
def test_json_is_found_where_it_is_sure_to_begin_and_end(before: str, behind: str) -> None:
    assert compacted(before + PADDED + behind) == before + SHORT + behind
    line = json.dumps(json.loads(PADDED))
    assert compacted(before + line + behind) == before + SHORT + behind
    assert compacted(f"{before}{PADDED}\n{PADDED}{behind}") == f"{before}{SHORT}\n{SHORT}{behind}"


def test_a_list_of_like_objects_becomes_a_table() -> None:
    made = compacted(f"HTTP/1.1 200 OK\n\n{LIST}\n")
    assert made.startswith('HTTP/1.1 200 OK\n\n{"table of 9 objects, keys first":[["name","size","words"],\n["n0",0,')
    assert listed(exact(made.partition("\n\n")[2])) == exact(LIST)


@pytest.mark.parametrize(
    "text",
    [
        PADDED.replace("1.0", "1."),
        PADDED.replace("1.0", "NaN"),
        PADDED.replace("x" * 9, "\ud800"),
        PADDED.replace('"id"', "id"),
        "  " + PADDED.replace("\n", "\n  ") + "\n  end",
        PADDED.replace("\n}", "\nand more\n}"),
        PADDED[:-1] + "]",
        "const a = " + PADDED,
        "[" * 100_000 + "]" * 100_000,
        '{"a": 1}',
    ],
)
def test_what_is_not_json_for_sure_stays(text: str) -> None:
    assert compacted(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "{\n" * 50_000,
        "{\n  a\n" * 20_000,
        '{"' + "a" * 100_000,
        ('{"a": ' * 20 + "}" * 90 + "\n") * 2_000,
        LIST * 2_000,
    ]
    + [json.dumps(json.loads(LIST) * 200, indent=2)],
)
def test_time_is_linear(text: str) -> None:
    begin = perf_counter()
    compacted(text)
    assert perf_counter() - begin < 3.0
