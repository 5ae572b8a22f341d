"""The list of dialects."""

import pytest

from proxy.dialects.registry import DIALECTS, by_name, recognise


def test_every_dialect_is_found_by_its_name() -> None:
    assert [by_name(dialect.name) for dialect in DIALECTS] == list(DIALECTS)
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS) == 4
    with pytest.raises(KeyError):
        by_name("bedrock_converse")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/messages", "anthropic_messages"),
        ("/v1/chat/completions", "openai_chat"),
        ("/v1/responses", "openai_responses"),
        ("/v1beta/models/m:streamGenerateContent", "gemini"),
    ],
)
def test_a_path_tells_its_dialect(path: str, name: str) -> None:
    assert recognise(path) is by_name(name)


@pytest.mark.parametrize("path", ["/", "", "/v1/models", "/v1/messages/count_tokens", "/v1/responses/compact"])
def test_every_other_path_passes_through(path: str) -> None:
    assert recognise(path) is None
