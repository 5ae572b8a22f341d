"""Ollama's own API: paths, and usage of whole answers and of JSON lines."""

import pytest

from policies.core.usage import Usage
from proxy.dialects.ollama import OLLAMA

# The shapes of Ollama's API reference.
DONE = (
    b'{"model":"llama3.2","created_at":"2023-08-04T19:22:45.499127Z","message":{"role":"assistant","content":""},'
    b'"done":true,"total_duration":4883583458,"load_duration":1334875,"prompt_eval_count":26,'
    b'"prompt_eval_duration":342546000,"eval_count":282,"eval_duration":4535599000}'
)
PART = b'{"model":"llama3.2","message":{"role":"assistant","content":"The \\"eval_count\\""},"done":false}\n'


@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_the_last_line_of_a_stream_reports(size: int) -> None:
    reader, stream = OLLAMA.usage_reader(), PART * 3 + DONE + b"\n"
    for at in range(0, len(stream), size):
        reader.feed(stream[at : at + size])
    assert reader.usage() == Usage(input=26, output=282)


def test_a_whole_answer_reports_and_of_the_cache_nothing_is_said() -> None:
    assert OLLAMA.usage(DONE) == Usage(input=26, output=282)
    assert OLLAMA.usage(DONE.replace(b'"prompt_eval_count":26,', b"")) == Usage(output=282)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/api/chat", True),
        ("/api/generate", True),
        ("/api/embed", False),
        ("/api/v1/chat", False),
        ("/xapi/chat", False),
    ],
)
def test_what_creates_an_answer_is_recognised(path: str, known: bool) -> None:
    assert OLLAMA.recognises(path) is known
