"""The JSON Schema says what the reader says."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from policies.policy import NOT_IN_EFFECT, Policy
from proxy.config.nodes import ConfigErrors, plain
from proxy.config.policies import PRESETS, load_policy, parse_policy
from proxy.config.schema import WITHOUT_EFFECT, field_docs, policy_schema
from proxy.config.yaml_tree import read
from tests.proxy.config.documents import POLICY

SCHEMA = policy_schema()


def valid(text: str) -> bool:
    return bool(Draft202012Validator(SCHEMA).is_valid(plain(read(text, "f.yaml"))))


def accepted(text: str) -> bool:
    try:
        parse_policy(text, "f.yaml")
    except ConfigErrors:
        return False
    return True


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA["$defs"][name]["properties"]
    return found


def test_it_is_a_schema_and_json() -> None:
    Draft202012Validator.check_schema(json.loads(json.dumps(SCHEMA)))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid(name: str) -> None:
    assert valid(load_policy(name).text)


def test_the_documented_file_is_valid() -> None:
    assert valid(POLICY)


@pytest.mark.parametrize(
    "text",
    [
        POLICY.replace("mask:  ", "maks:  "),
        POLICY.replace("keep_newest: 20", "keep_new: 20"),
        POLICY.replace("holdout: 0.0", "holdout: 1.5"),
        POLICY.replace("keep_newest: 10", "keep_newest: -1"),
        POLICY.replace("max_tokens: 8000", "max_tokens: 0"),
        POLICY.replace("name: default", "name: My Policy"),
        POLICY.replace("mode: enforce ", "mode: enforced "),
        POLICY.replace("name: default", ""),
    ],
)
def test_what_the_reader_refuses_is_not_valid(text: str) -> None:
    assert text != POLICY
    assert not valid(text) and not accepted(text)


def test_descriptions_are_the_words_of_the_source() -> None:
    assert properties("Mask")["min_tokens"]["description"] == "Shorter observations are left alone."
    assert field_docs(Policy)["holdout"] == properties("Policy")["holdout"]["description"]


def test_what_is_not_in_effect_says_so() -> None:
    marked = {
        f"{name}.{key}"
        for name, struct in SCHEMA["$defs"].items()
        for key, keywords in struct["properties"].items()
        if WITHOUT_EFFECT in keywords.get("description", "")
    }
    names = {"stabilize": "Stabilize", "per_tool": "ForTool"}
    expected = set()
    for key in NOT_IN_EFFECT:
        first, *rest = key.split(".")
        expected.add(f"{names[first]}.{rest[-1]}" if rest else f"Policy.{first}")
    assert marked == expected
