"""The policy file as documented: its names, its defaults, and what this version does not act on."""

from typing import Any

import msgspec
import pytest

from policies.mask import MaskForTool
from policies.policy import NOT_IN_EFFECT, ForTool, Policy
from policies.shape import ShapeForTool

# Every key of the documented file, with the value that holds where nothing is written.
DOCUMENTED: dict[str, Any] = {
    "name": "x",
    "mode": "enforce",
    "holdout": 0.0,
    "stabilize": {"replay": True, "pin_system": True, "pin_tools": True},
    "shape": {"lossless": True, "numbers": True, "repeats": True, "max_tokens": None},
    "mask": {
        "keep_newest": 5,
        "min_tokens": 200,
        "keep_errors": True,
        "exclude_tools": (),
        "when": "pays",
        "liveness": True,
    },
    "compact": {
        "trigger": 0.80,
        "prepare": 0.70,
        "keep_newest_turns": 4,
        "model": "same",
        "max_summary_tokens": 4000,
    },
    "breakpoints": {"auto": True, "cache_salt": False},
    "tools": {"append_only": True, "catalogue": False},
    "recite": {"enabled": False, "every": 30_000, "at": 0.3, "max_tokens": 300, "failing_calls": False},
    "recall": {"inject": False},
    "explain": {"ask_provider": False},
    "limits": {"effective": None},
    "per_tool": {},
}


def test_the_defaults_are_those_of_the_documented_file() -> None:
    assert msgspec.to_builtins(Policy(name="x"), builtin_types=()) == msgspec.to_builtins(DOCUMENTED)


def test_every_documented_key_is_read() -> None:
    assert msgspec.convert(DOCUMENTED, Policy) == Policy(name="x")


@pytest.mark.parametrize("key", NOT_IN_EFFECT)
def test_what_is_not_in_effect_is_a_documented_key_and_off_by_default(key: str) -> None:
    value: Any = {**DOCUMENTED, "per_tool": {"*": msgspec.to_builtins(ForTool())}}
    for part in key.split("."):
        value = value[part]
    numbers = key in ("compact", "limits")  # sizes, which say nothing by themselves
    assert numbers or not any(value.values() if isinstance(value, dict) else [value])


@pytest.mark.parametrize("section", [key for key, value in DOCUMENTED.items() if isinstance(value, dict) and value])
def test_an_unknown_key_is_an_error_in_every_section(section: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="surprise"):
        msgspec.convert({"name": "x", section: {"surprise": 1}}, Policy)
    with pytest.raises(msgspec.ValidationError, match="surprise"):
        msgspec.convert({"name": "x", "surprise": 1}, Policy)


def test_settings_of_a_tool_say_only_what_differs() -> None:
    policy = msgspec.convert(
        {
            "name": "x",
            "per_tool": {"read_file": {"mask": {"keep_newest": 20}}, "bash": {"shape": {"max_tokens": 8000}}},
        },
        Policy,
    )
    assert policy.per_tool == {
        "read_file": ForTool(mask=MaskForTool(keep_newest=20)),
        "bash": ForTool(shape=ShapeForTool(max_tokens=8000)),
    }


@pytest.mark.parametrize(("key", "value"), [("mode", "on"), ("holdout", "much"), ("mask", {"when": "sometimes"})])
def test_a_value_outside_its_choice_is_an_error(key: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "x", key: value}, Policy)
