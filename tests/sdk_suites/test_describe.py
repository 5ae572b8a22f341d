"""What is read from the source of an SDK: its endpoints, and the answers that it can read."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.sdk_suites import describe


@cache
def described() -> Any:
    """As it is run: by the interpreter that has the SDK."""
    command = [sys.executable, str(Path(describe.__file__)), "anthropic"]
    return msgspec.json.decode(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)


@pytest.mark.parametrize(
    ("path", "verb", "answer"),
    [
        ("/v1/messages", "post", "BetaMessage"),  # `beta` shares the path, and comes first
        ("/v1/messages/batches", "get", "SyncPage_BetaMessageBatch_"),
        ("/v1/messages/batches/{message_batch_id}", "get", "BetaMessageBatch"),
        ("/v1/files/{file_id}", "delete", "BetaDeletedFile"),
        ("/v1/organizations/me", "get", "BetaOrganization"),
    ],
)
def test_an_endpoint_is_described_with_the_answer_that_the_sdk_reads(path: str, verb: str, answer: str) -> None:
    content = described()["paths"][path][verb]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": f"#/components/schemas/{answer}"}


def test_an_answer_of_bytes_is_described_without_a_form() -> None:
    assert "content" not in described()["paths"]["/v1/files/{file_id}/content"]["get"]["responses"]["200"]


def test_every_variable_of_a_path_is_a_parameter() -> None:
    paths = described()["paths"]
    assert {path: path.count("{") for path in paths} == {
        path: len(operation["parameters"]) for path, operations in paths.items() for operation in operations.values()
    }
