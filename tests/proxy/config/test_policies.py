"""Policy files: presets, the documented file, and that whatever is wrong is named with its line."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.mask import Mask
from policies.policy import Policy
from policies.stabilize import Stabilize
from proxy.config.nodes import ConfigErrors, Table
from proxy.config.policies import PRESETS, load_policy, parse_policy
from proxy.config.yaml_tree import read_table
from tests.proxy.config.documents import POLICY

# The documented file with one entry a line, so that a key can be put anywhere.
OPEN = """\
name: default
mode: enforce
stabilize:
  replay: true
  pin_system: true
mask:
  keep_newest: 10
  min_tokens: 200
  exclude_tools:
    - todo*
compact:
  trigger: 0.80
per_tool:
  read_file:
    mask:
      keep_newest: 20
  bash:
    shape:
      max_tokens: 8000
"""


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse_policy(text, "f.yaml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_loads_bears_its_name_and_sets_nothing_without_effect(name: str) -> None:
    loaded = load_policy(name)
    assert loaded.policy.name == name
    assert loaded.notes == ()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_explains_itself(name: str) -> None:
    assert load_policy(name).text.startswith(f"# {name}: ")


def test_presets_are_those_in_the_folder(root: Path) -> None:
    assert sorted(PRESETS) == sorted(path.stem for path in (root / "policies" / "presets").glob("*.yaml"))


def test_observe_changes_nothing() -> None:
    policy = load_policy("observe").policy
    assert (policy.mode, policy.mask.when, policy.stabilize.replay) == ("off", "never", False)


def test_default_says_what_is_in_effect_without_it() -> None:
    assert load_policy("default").policy == Policy(name="default")


def test_aggressive_masks_more_but_only_when_that_pays() -> None:
    policy = load_policy("aggressive").policy
    assert policy.mask == Mask(keep_newest=3, min_tokens=100, when="pays")


def test_the_documented_file_loads_and_says_what_has_no_effect() -> None:
    loaded = parse_policy(POLICY, "f.yaml")
    assert loaded.policy.stabilize == Stabilize(replay=True, pin_system=True, pin_tools=True)
    assert loaded.policy.per_tool["read_file"].mask.keep_newest == 20
    keys = [note.split("`")[1] for note in loaded.notes]
    assert keys == ["compact"]
    assert loaded.notes[0] == "f.yaml:7: `compact` is not in effect in this version"


def test_off_without_quotes_is_a_mode() -> None:
    assert parse_policy("name: x\nmode: off\n", "f.yaml").policy.mode == "off"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nmaks: {}\n", "f.yaml:2: unknown key `maks`; did you mean `mask`?"),
        ("name: x\nmask:\n  keep_new: 1\n", "f.yaml:3: unknown key `keep_new` in `mask`; did you mean `keep_newest`?"),
        (
            "name: x\nrecite: {zzz: 1}\n",
            "f.yaml:2: unknown key `zzz` in `recite`; allowed: `at`, `enabled`, `every`, `failing_calls`, `max_tokens`",
        ),
        (
            "name: x\nmask: {keep_newest: ten}\n",
            "f.yaml:2: `mask.keep_newest` is `ten`; allowed: a whole number, 0 or more",
        ),
        (
            "name: x\nmask: {keep_newest: -1}\n",
            "f.yaml:2: `mask.keep_newest` is `-1`; allowed: a whole number, 0 or more",
        ),
        (
            "name: x\nmask: {keep_newest: true}\n",
            "f.yaml:2: `mask.keep_newest` is `true`; allowed: a whole number, 0 or more",
        ),
        (
            "name: x\nmask: {keep_newest: 1.5}\n",
            "f.yaml:2: `mask.keep_newest` is `1.5`; allowed: a whole number, 0 or more",
        ),
        (
            "name: x\nmask: {keep_newest: }\n",
            "f.yaml:2: `mask.keep_newest` is empty; allowed: a whole number, 0 or more",
        ),
        ("name: x\nmask: {keep_errors: yes}\n", "f.yaml:2: `mask.keep_errors` is `yes`; allowed: `true` or `false`"),
        ("name: x\nmask: 3\n", "f.yaml:2: `mask` is `3`; allowed: a mapping of settings"),
        ("name: x\nmask: [a]\n", "f.yaml:2: `mask` is a list; allowed: a mapping of settings"),
        ("name: x\nper_tool: []\n", "f.yaml:2: `per_tool` is a list; allowed: a mapping"),
        ("name: x\nmask: {exclude_tools: bash}\n", "f.yaml:2: `mask.exclude_tools` is `bash`; allowed: a list"),
        ("name: x\nmask: {exclude_tools: [a, 1]}\n", "f.yaml:2: `mask.exclude_tools[1]` is `1`; allowed: a text"),
        ("name: x\nmask: {exclude_tools: [{}]}\n", "f.yaml:2: `mask.exclude_tools[0]` is a mapping; allowed: a text"),
        ("name: x\nmode: enforced\n", "f.yaml:2: `mode` is `enforced`; did you mean `enforce`?"),
        ("name: x\nmode: [off]\n", "f.yaml:2: `mode` is a list; allowed: one of `enforce`, `off`, `shadow`"),
        ("name: x\nholdout: 1.5\n", "f.yaml:2: `holdout` is `1.5`; allowed: a number from 0 to 1"),
        (
            "name: x\nlimits: {effective: 0}\n",
            "f.yaml:2: `limits.effective` is `0`; allowed: a whole number, 1 or more or null",
        ),
        ("mode: off\n", "f.yaml:1: missing key `name`"),
        (
            "name: off\n",
            "f.yaml:1: a policy cannot be named `off`; choose another: `off` always means relay and measure",
        ),
        (
            "name: x\ncompact: {trigger: 0.5, prepare: 0.6}\n",
            "f.yaml:2: `compact.prepare` (0.6) is above `compact.trigger`; it must come before 0.5",
        ),
        (
            "name: x\ncompact: {trigger: 0.5}\n",
            "f.yaml:1: `compact.prepare` (0.7) is above `compact.trigger`; it must come before 0.5",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(text: str, message: str) -> None:
    assert errors(text) == [message]


def test_a_name_that_cannot_be_a_label_is_refused() -> None:
    (message,) = errors('name: "My policy"\n')
    assert message.startswith("f.yaml:1: `name` is `My policy`; allowed: a name of lower-case letters")


def test_everything_that_is_wrong_is_reported_in_the_order_of_lines() -> None:
    text = "name: x\nholdout: 2\nmask:\n  keep: 1\n  min_tokens: no\ntool: {}\n"
    assert [int(message.split(":")[1]) for message in errors(text)] == [2, 4, 5, 6]


def _slots(table: Table) -> Iterator[int]:
    """Every line before which a key of a struct could stand; directly below `per_tool` any word is a tool."""
    for key, (place, node) in table.entries.items():
        yield place.line
        for below in [entry.node for entry in node.entries.values()] if key == "per_tool" else [node]:  # type: ignore[union-attr]
            if isinstance(below, Table):
                yield from _slots(below)


SLOTS = tuple(_slots(read_table(OPEN, "f.yaml")))
VALID = set(re.findall(r"\w+", POLICY)) | {"null", "true", "false"}


@given(
    st.sampled_from(SLOTS),
    st.from_regex(r"[a-z_]{1,12}", fullmatch=True).filter(lambda key: key not in VALID),
    st.sampled_from(["1", "{a: b}", "[x]", ""]),
)
def test_an_unknown_key_anywhere_is_reported_with_its_line(line: int, key: str, value: str) -> None:
    lines = OPEN.splitlines()
    indent = re.match(" *", lines[line - 1])
    assert indent
    lines.insert(line - 1, f"{indent.group()}{key}: {value}")
    (message,) = errors("\n".join(lines) + "\n")
    assert message.startswith(f"f.yaml:{line}: unknown key `{key}`")


@given(st.sampled_from([slot for slot in SLOTS if slot not in (1, 3, 6, 11, 13)]), st.sampled_from(["{a: b}", "[{}]"]))
def test_a_value_of_another_kind_anywhere_is_reported_with_its_line(line: int, value: str) -> None:
    lines = OPEN.splitlines()
    key, _, old = lines[line - 1].partition(":")
    lines[line - 1] = f"{key}: {value}"
    while not old.strip() and line < len(lines) and lines[line].startswith(" " * (len(key) - len(key.lstrip()) + 1)):
        del lines[line]
    messages = errors("\n".join(lines) + "\n")
    assert messages and all(message.startswith(f"f.yaml:{line}: ") for message in messages)


def test_a_file_is_found_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nmask: {keep_newest: 3}\n")
    assert load_policy("mine.yaml", tmp_path).policy.mask.keep_newest == 3
    assert load_policy(str(tmp_path / "mine.yaml")).policy.name == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("defualt", "unknown policy `defualt`; did you mean `default`?"),
        ("nowhere/x.yaml", "nowhere/x.yaml: cannot be read: no such file or directory"),
    ],
)
def test_a_policy_that_is_not_there_is_one_line(name: str, message: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_policy(name)
    assert str(caught.value) == message


def test_a_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigErrors, match="is not UTF-8 text"):
        load_policy("x.yaml", tmp_path)
