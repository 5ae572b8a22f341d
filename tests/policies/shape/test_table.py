"""A table gives back the list it was made of, every value as it was spelled."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.shape.table import COLUMNS, DEPTH, FEWEST, LARGE, tabulated
from tests.policies.shape.reversing import exact, listed

NUMBERS = st.sampled_from(["0", "-1", "1.0", "1.00", "1e400", "9" * 40, "-0", "0.1e-5"])
WORDS = st.text(st.characters(codec="utf-8"), max_size=9)
KEYS = WORDS.map(lambda word: word[:4])


def spelled(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


SCALARS = st.one_of(NUMBERS, WORDS.map(spelled), st.sampled_from(["null", "true", "[]", "{}", '"\\u00e9"']))


def joined(members: dict[str, str]) -> str:
    return "{" + ",".join(f"{spelled(key)}:{value}" for key, value in members.items()) + "}"


def lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=5).map(lambda items: f"[{','.join(items)}]")


def alike(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Lists of like objects."""
    keys = st.lists(KEYS, min_size=1, max_size=5, unique=True)
    return keys.flatmap(lambda names: lists(st.fixed_dictionaries(dict.fromkeys(names, values)).map(joined)))


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(alike(inner), lists(inner), st.dictionaries(KEYS, inner).map(joined)),
    max_leaves=20,
)


@given(st.one_of(alike(SCALARS), VALUES))
def test_a_table_gives_back_the_value(text: str) -> None:
    made = tabulated(text.encode())
    assert listed(exact(made.decode())) == exact(text)
    assert len(made) <= len(text.encode())


def test_a_list_of_like_objects_is_a_table_with_a_row_on_a_line() -> None:
    rows = ",".join(f'{{"name":"{n}","size":{n}.0}}' for n in range(9))
    made = "".join(f',\n["{n}",{n}.0]' for n in range(9))
    table = f'{{"table of 9 objects, keys first":[["name","size"]{made}]}}'
    assert tabulated(f"[{rows}]".encode()).decode() == table
    assert tabulated(f'{{"a":{{"items":[{rows}]}}}}'.encode()).decode() == f'{{"a":{{"items":{table}}}}}'


def many(member: str, count: int = 9) -> str:
    return "[" + ",".join([f"{{{member}}}"] * count) + "]"


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "[]",
        "[1,2,3,4,5,6]",
        "[{},{},{},{},{}]",
        many('"name":"a"', FEWEST - 1),
        many('"a":"' + "x" * 99 + '"'),
        many('"name":1,"name":2'),
        many('"n\\u0061me":1,"b":2'),
        many(",".join(f'"{n}":1' for n in range(COLUMNS + 1))),
        '[{"name":1,"b":2},{"b":2,"name":1},{"name":1,"b":2},{"name":1,"b":2}]',
        "[" * (DEPTH + 1) + many('"name":1') + "]" * (DEPTH + 1),
        '{"table of 3 objects, keys first":' + many('"name":1') + "}",
        many(f'"name":"{"x" * (LARGE // 9)}"'),
    ],
)
def test_what_is_no_table_worth_it_stays_as_it_is(text: str) -> None:
    assert tabulated(text.encode()).decode() == text
