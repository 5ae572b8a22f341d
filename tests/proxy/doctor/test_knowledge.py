"""Vocabularies and profiles load from the packages, or it is said what follows."""

from proxy.doctor.facts.knowledge import look_at_knowledge, problem_of
from proxy.doctor.knowledge import KnowledgeFacts, check_knowledge


def test_everything_that_profiles_name_loads_here() -> None:
    looked = look_at_knowledge()
    assert [finding.severity for finding in check_knowledge(looked.facts)] == ["ok", "ok"]
    assert looked.facts.profiles > 10 and "o200k_base" in looked.facts.vocabularies
    assert looked.newest >= "2026-11-01"


def test_whatever_loading_raises_is_a_fact() -> None:
    assert problem_of("o200k_base") == ""
    assert "none_base" in problem_of("none_base")


def test_a_vocabulary_that_does_not_load_says_what_follows() -> None:
    _, failed = check_knowledge(KnowledgeFacts({"o200k_base": "no such file", "cl100k_base": ""}, 80))
    assert failed.severity == "failed" and "relayed unedited" in failed.what
    assert failed.type == "pip install --force-reinstall bpe-openai tiktoken"


def test_profiles_that_cannot_be_read_fail() -> None:
    failed, _ = check_knowledge(KnowledgeFacts({"o200k_base": ""}, 1, "openai.toml: not TOML"))
    assert (failed.severity, failed.type) == ("failed", "pip install --force-reinstall holdfast")
