"""The list of dialects."""

import pytest

from proxy.dialects.registry import DIALECTS, by_name, recognise


def test_every_dialect_is_found_by_its_name() -> None:
    assert [by_name(dialect.name) for dialect in DIALECTS] == list(DIALECTS)
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS) == 7
    with pytest.raises(KeyError):
        by_name("cohere")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/messages", "anthropic_messages"),
        ("/v1/chat/completions", "openai_chat"),
        ("/v1/responses", "openai_responses"),
        ("/v1beta/models/m:streamGenerateContent", "gemini"),
        ("/openai/deployments/d/chat/completions", "openai_chat"),
        ("/openai/responses", "openai_responses"),
        ("/openai/v1/responses", "openai_responses"),
        ("/anthropic/v1/messages", "anthropic_messages"),
        (
            "/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-5@default:rawPredict",
            "anthropic_messages",
        ),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/gemini-3-flash:streamGenerateContent", "gemini"),
        ("/v1/projects/p/locations/l/endpoints/openapi/chat/completions", "openai_chat"),
        ("/api/v1/messages", "anthropic_messages"),
        ("/inference/v1/chat/completions", "openai_chat"),
    ],
)
def test_a_path_tells_its_dialect(path: str, name: str) -> None:
    assert recognise(path) is by_name(name)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "/v1/models", "/v1/messages/count_tokens", "/v1/responses/compact"),
        "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
        "/v1/projects/p/locations/l/publishers/mistralai/models/m:rawPredict",
        "/v1beta1/projects/p/locations/l/publishers/google/models/m:countTokens",
        "/openai/deployments/d/embeddings",
    ],
)
def test_every_other_path_passes_through(path: str) -> None:
    assert recognise(path) is None
