"""Stage one: text to a tree. Every value knows its line, and nothing in a text can do harm."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.nodes import ConfigErrors, Items, Place, Scalar, Table, masked, overlay, plain
from proxy.config.yaml_tree import MAX_BYTES, read, read_table, scalar


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        read_table(text, "f.yaml")
    return str(caught.value).splitlines()


def value(text: str) -> object:
    node = read(text, "f.yaml")
    assert isinstance(node, Scalar)
    return node.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("off", "off"),
        ("no", "no"),
        ("12:30", "12:30"),
        ("2026-11-22", "2026-11-22"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("''", ""),
        ("10", 10),
        ("-3", -3),
        ("0.80", 0.8),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        ("!!str 5", "5"),
        ("!!int five", "five"),
    ],
)
def test_words_mean_what_they_look_like(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected and type(found) is type(expected)


def test_every_value_and_key_knows_its_line() -> None:
    table = read_table("a: 1\n\nb:\n  - x\n  - {c: 2}\n", "f.yaml")
    b = table.entries["b"]
    assert (table.entries["a"].place.line, b.place.line) == (1, 3)
    assert isinstance(b.node, Items)
    assert [item.place for item in b.node.items] == [Place("f.yaml", 4), Place("f.yaml", 5)]


def test_an_empty_file_is_an_empty_table() -> None:
    assert read_table("# nothing\n", "f.yaml").entries == {}


def test_a_key_that_stands_twice_is_an_error_at_its_second_place() -> None:
    assert errors("a: 1\nb: {c: 1, c: 2}\na: 2\n") == [
        "f.yaml:2: key `c` stands twice; first in line 2",
        "f.yaml:3: key `a` stands twice; first in line 1",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "f.yaml:1: not a mapping; write `key: value` lines"),
        ("a: 1\nb: [1,\n", "f.yaml:3: not valid YAML: expected the node content, but found '<stream end>'"),
        ("a: \x00", "f.yaml: not valid YAML: a character that is not allowed"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "f.yaml:1: tag `!!python/object/apply:os.system` is not supported",
        ),
        ("a: 1\n? [b]\n: 2\n", "f.yaml:2: a key must be a word"),
        ("a: *b\n", "f.yaml:1: not valid YAML: found undefined alias 'b'"),
        ("[" * 3000, "f.yaml:1: nested deeper than 20 levels"),
        ("a: " + "x" * MAX_BYTES, "f.yaml: larger than 256 kB"),
    ],
)
def test_what_cannot_be_used_is_one_line(text: str, message: str) -> None:
    assert errors(text) == [message]


def test_anchors_repeat_a_value() -> None:
    assert plain(read("a: &x {b: 1}\nc: *x\n", "f.yaml")) == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9 if n else ['x'] * 9)}]\n" for n in range(9)),
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
    ],
    ids=["nine levels of nine", "a list in itself", "a table in itself"],
)
def test_anchors_unfold_within_a_bound(text: str) -> None:
    began = time.perf_counter()
    (message,) = errors(text)
    assert "anchors unfold to too much" in message
    assert time.perf_counter() - began < 5


def test_a_syntax_error_never_quotes_the_line() -> None:
    assert "hunter2" not in str(errors("store: redis://:hunter2@h\n bad: [\n"))


@given(st.text(max_size=200))
def test_no_text_raises_anything_but_a_configuration_error(text: str) -> None:
    try:
        read_table(text, "f.yaml")
    except ConfigErrors as error:
        assert error.errors


def test_a_single_value_is_no_yaml_text() -> None:
    place = Place("--x")
    assert scalar("*", place).value == "*"
    assert scalar("a: b # c", place).value == "a: b # c"
    assert scalar("10", place).value == 10


def test_an_overlay_leaves_the_tree_below_it_as_it_was() -> None:
    table = read_table("a: {b: 1}\n", "f.yaml")
    over = overlay(table, ("a", "c", "d"), Scalar(2, "2", Place("HOLDFAST_A__C__D")))
    assert plain(table) == {"a": {"b": 1}}
    assert plain(over) == {"a": {"b": 1, "c": {"d": 2}}}
    entry = over.at(["a", "c", "d"])
    assert entry is not None and entry.place.origin == "HOLDFAST_A__C__D"
    assert isinstance(over.entries["a"].node, Table) and over.at(["a", "b", "x"]) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:pass@host/0", "redis://***@host/0"),
        ("https://u:p@ss/w@host", "https://***@host"),
        ("redis://h/0?password=abc&db=1", "redis://h/0?password=***&db=1"),
        ("https://h/v1?key=abc", "https://h/v1?key=***"),
        ("https://h/v1", "https://h/v1"),
    ],
)
def test_a_password_in_a_url_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
