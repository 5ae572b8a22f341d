"""The doors of the clouds let in what the clouds let in, and nothing else."""

import hashlib
from typing import Any

import pytest

from tests.proxy.simulator.provider import OPENAI, Provider

BEARER = {"authorization": "Bearer token"}
KEY = {"api-key": "k"}
MESSAGES: list[Any] = [{"role": "user", "content": "Hi"}]
CHAT = "/openai/deployments/gpt-4/chat/completions"
VERTEX = "/v1/projects/p/locations/l/publishers/anthropic/models/claude:rawPredict"
INVOKE, CONVERSE = "/model/anthropic.claude-v1:0/invoke", "/model/anthropic.claude-v1:0/converse"
ON_VERTEX = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 5, "messages": MESSAGES}
ON_BEDROCK = {**ON_VERTEX, "anthropic_version": "bedrock-2023-05-31"}
CONVERSED = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (f"{CHAT}?api-version=2025-04-01-preview", {"messages": MESSAGES}, KEY),
        (f"{CHAT}?api-version=2025-04-01-preview", {"messages": MESSAGES}, BEARER),
        ("/openai/v1/chat/completions", {"model": "gpt-4", "messages": MESSAGES}, KEY),
        ("/openai/responses?api-version=preview", {"model": "gpt-4", "input": "Hi"}, KEY),
        ("/anthropic/v1/messages", {**ON_VERTEX, "model": "claude"}, {**KEY, "anthropic-version": "2023-06-01"}),
        (VERTEX, ON_VERTEX, BEARER),
        (VERTEX.replace("rawPredict", "streamRawPredict"), {**ON_VERTEX, "stream": True}, BEARER),
        (VERTEX, {**ON_VERTEX, "anthropic_beta": ["context-management-2025-06-27"], "context_management": {}}, BEARER),
        (INVOKE, ON_BEDROCK, BEARER),
        (f"{INVOKE}-with-response-stream", ON_BEDROCK, BEARER),
        (CONVERSE, CONVERSED, BEARER),
        (f"{CONVERSE}-stream", CONVERSED, BEARER),
    ],
)
def test_what_a_clouds_client_sends_is_served(path: str, body: Any, headers: dict[str, str]) -> None:
    if path.startswith("/anthropic"):
        body = {key: value for key, value in body.items() if key != "anthropic_version"}
    assert Provider().post(path, body, headers).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "said"),
    [
        (CHAT, {"messages": MESSAGES}, KEY, 404, "Resource not found"),
        (f"{CHAT}?api-version=1", {"messages": MESSAGES}, {}, 401, "invalid subscription key"),
        ("/openai/v1/chat/completions", {"messages": MESSAGES}, KEY, 400, "model"),
        (VERTEX, ON_VERTEX, {"x-goog-api-key": "k"}, 401, "OAuth 2 access token"),
        (VERTEX, {**ON_VERTEX, "model": "claude"}, BEARER, 400, "model: Extra inputs"),
        (VERTEX, ON_BEDROCK, BEARER, 400, "vertex-2023-10-16"),
        (INVOKE, ON_VERTEX, BEARER, 400, "bedrock-2023-05-31"),
        (INVOKE, {**ON_BEDROCK, "stream": True}, BEARER, 400, "stream: Extra inputs"),
        (INVOKE, ON_BEDROCK, {}, 403, "Missing Authentication Token"),
        (CONVERSE, {"messages": [{"role": "user", "content": [{}]}]}, BEARER, 400, "exactly one member"),
        (CONVERSE, {"messages": [{"role": "user", "content": [{"tool_use": {}}]}]}, BEARER, 400, "Extra inputs"),
        (CONVERSE, {**CONVERSED, "max_tokens": 5}, BEARER, 400, "max_tokens: Extra inputs"),
        (CONVERSE, {"messages": [{"role": "user", "content": [{"cachePoint": {}}]}]}, BEARER, 400, "the first part"),
    ],
)
def test_what_a_cloud_would_refuse_is_refused(
    path: str, body: Any, headers: dict[str, str], status: int, said: str
) -> None:
    response = Provider().post(path, body, headers)
    assert response.status_code == status
    assert said in response.text


def test_what_is_at_no_clouds_path_is_not_found() -> None:
    assert Provider().post("/openai/deployments/d/completions", {}, OPENAI).status_code == 404


def test_a_made_up_signature_is_refused() -> None:
    scope = "AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request"
    signature = hashlib.sha256(b"made up").hexdigest()
    stated = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
    headers = {"authorization": stated, "x-amz-date": "20261122T110000Z"}
    response = Provider().post(INVOKE, ON_BEDROCK, headers)
    assert response.status_code == 403
    assert "does not match the signature" in response.json()["message"]


def test_a_cache_point_writes_and_the_next_request_reads() -> None:
    provider = Provider()
    content = [{"text": "many words " * 40}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    body = {"messages": [{"role": "user", "content": content}]}
    first, second = (provider.answer(CONVERSE, body, BEARER)["usage"] for _ in range(2))
    assert first["cacheWriteInputTokens"] == second["cacheReadInputTokens"] > 100
    assert first["cacheDetails"] == [{"ttl": "1h", "inputTokens": first["cacheWriteInputTokens"]}]
    total = sum(
        second[name] for name in ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "outputTokens")
    )
    assert second["totalTokens"] == total


def test_tool_results_errors_images_and_reasoning_are_put_in_claudes_words() -> None:
    call = {"toolUse": {"toolUseId": "t", "name": "ls", "input": {}}}
    results = [{"toolUseId": "t", "content": [{"text": "a"}, {"json": {"b": 1}}], "status": "error"}]
    image = {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}
    body = {
        "messages": [
            {"role": "user", "content": [{"text": "Hi"}, image]},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [{"toolResult": result} for result in results]},
        ],
        "system": [{"text": "You list."}],
        "inferenceConfig": {"maxTokens": 20, "temperature": 0.5},
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "ls", "description": "lists", "inputSchema": {"json": {"type": "object"}}}}
            ],
            "toolChoice": {"auto": {}},
        },
        "additionalModelRequestFields": {"top_k": 5},
    }
    answer = Provider().answer(CONVERSE, body, BEARER)
    assert answer["stopReason"] == "end_turn"
    assert answer["output"]["message"]["role"] == "assistant"
