"""Every path that a provider has, with any body: relayed byte for byte, to the upstream it belongs to, and to no other.

The sweep is generated from OpenAI's own description of its API; the other providers' paths are listed by
hand. One raw upstream stands for all, under a path of its own for each name.
"""

import gzip
import http.client
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from proxy.config.upstreams import BUILT_IN
from proxy.dialects.registry import recognise
from tests.end_to_end.running import Arrived, Holdfast, RawUpstream, holdfast, raw_upstream

NAMES = (*BUILT_IN, "azure", "bedrock", "ollama", "vllm")
BINARY = bytes(range(256)) * 8
MULTIPART = "multipart/form-data; boundary=b"
Pairs = Sequence[tuple[str, str]]
ARGUMENT = re.compile(r"\{[^}]+\}")
ODD = "id%2Fwith%20odd.characters_1-2~"
"""Stands for every variable part of a path."""

BEARER = (("authorization", "Bearer canary"),)
ANTHROPIC = (("x-api-key", "canary"), ("anthropic-version", "2023-06-01"))
GEMINI = (("x-goog-api-key", "canary"),)
SIGNED = (("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request"),)
PLACE = "projects/p/locations/l"

# By upstream: what its clients send in headers, and its paths; from the SDKs and references of each.
OTHERS: dict[str, tuple[Pairs, tuple[str, ...]]] = {
    "anthropic": (
        ANTHROPIC,
        (
            *("/v1/messages/count_tokens", "/v1/messages/batches", "/v1/messages/batches/id/results?limit=1"),
            *("/v1/files", "/v1/files/id/content", "/v1/models?limit=5", "/v1/skills", "/v1/complete"),
            *("/v1/organizations/usage_report/messages?starting_at=2026-01-01T00:00:00Z",),
        ),
    ),
    "gemini": (
        GEMINI,
        (
            *("/v1beta/models", "/v1beta/models/m:countTokens", "/v1beta/models/m:embedContent"),
            *("/v1beta/models/m:batchGenerateContent", "/v1beta/models/m:predictLongRunning", "/v1beta/operations/o"),
            *("/v1beta/cachedContents", "/v1beta/files/f:download?alt=media", "/upload/v1beta/files"),
            *("/v1beta/tunedModels", "/v1beta/interactions"),
        ),
    ),
    "vertex": (
        BEARER,
        (
            f"/v1/{PLACE}/publishers/anthropic/models/count-tokens:rawPredict",
            f"/v1beta1/{PLACE}/publishers/google/models/m:countTokens",
            f"/v1/{PLACE}/publishers/mistralai/models/m:rawPredict",
            *(
                f"/v1beta1/{PLACE}/cachedContents",
                f"/v1/{PLACE}/batchPredictionJobs",
                f"/v1/{PLACE}/endpoints/e:predict",
            ),
        ),
    ),
    "bedrock": (
        SIGNED,
        (
            *("/model/amazon.titan-embed-text-v2%3A0/invoke", "/model/m%3A0/count-tokens", "/async-invoke"),
            *("/guardrail/g/version/1/apply", "/foundation-models?byProvider=anthropic"),
        ),
    ),
}
# Only below the upstream's name.
NAMED: dict[str, tuple[Pairs, tuple[str, ...]]] = {
    "azure": (
        (("api-key", "canary"),),
        (
            *("/openai/deployments/d%20e/embeddings?api-version=2025-04-01-preview", "/openai/files?api-version=1"),
            *("/openai/deployments/d/audio/transcriptions?api-version=1", "/openai/v1/vector_stores", "/models/info"),
            *("/openai/deployments/d/images/generations?api-version=1", "/openai/batches?api-version=1"),
        ),
    ),
    "ollama": ((), ("/api/tags", "/api/pull", "/api/embed", "/api/show", "/v1/embeddings", "/api/blobs/sha256:0")),
    "vllm": ((), ("/tokenize", "/v1/rerank", "/pooling", "/v1/audio/transcriptions", "/metrics", "/sleep?level=1")),
    "openrouter": (BEARER, ("/v1/credits", "/v1/generation?id=g", "/v1/key", "/v1/models/a/b/endpoints")),
    "mistral": (BEARER, ("/v1/fim/completions", "/v1/ocr", "/v1/conversations", "/v1/agents", "/v1/audio/speech")),
    "deepseek": (BEARER, ("/user/balance", "/beta/completions", "/models")),
    "xai": (BEARER, ("/v1/deferred-completion/id", "/v1/tokenize-text", "/v1/language-models", "/v1/images/edits")),
    "groq": (BEARER, ("/v1/audio/translations", "/v1/batches")),
}


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    with raw_upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def proxied(raw: RawUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    with holdfast(tmp_path_factory.mktemp("paths"), {name: f"{raw.url}/{name}" for name in NAMES}) as running:
        yield running


def operations(shared: Path) -> list[tuple[str, str]]:
    """(method, path) of OpenAI's description, which is read by its indentation: parsing it takes half a minute."""
    described = shared / "specs" / "openai-3.3.1.yml.gz"
    if not described.is_file():
        pytest.skip("no description of OpenAI's API in shared/specs")
    found, path, within = [], "", False
    for line in gzip.open(described, "rt", encoding="utf-8"):
        if re.match(r"\w", line):
            within = line.startswith("paths:")
        elif within and (named := re.fullmatch(r"  (/\S*):\n", line)):
            path = named[1]
        elif within and (method := re.fullmatch(r"    (get|post|put|patch|delete):\n", line)):
            found.append((method[1].upper(), "/v1" + ARGUMENT.sub(ODD, path)))
    return found


class Sender:
    """One kept connection, on which headers are sent as given and no others."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)

    def send(self, method: str, target: str, headers: Pairs, body: bytes) -> int:
        self._connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", "holdfast.test"), *headers, *self._framing(method, body)):
            self._connection.putheader(name, value)
        self._connection.endheaders(body)
        with self._connection.getresponse() as response:
            response.read()
            return response.status

    @staticmethod
    def _framing(method: str, body: bytes) -> Pairs:
        return (("Content-Type", MULTIPART), ("Content-Length", str(len(body)))) if method != "GET" or body else ()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def sender(proxied: Holdfast) -> Iterator[Sender]:
    sender = Sender(proxied.url)
    yield sender
    sender.close()


def relayed(raw: RawUpstream, sender: Sender, method: str, target: str, headers: Pairs) -> Arrived:
    """What arrived of a request, which must be all there is of it."""
    body = b"" if method in ("GET", "DELETE") else BINARY
    raw.arrived.clear()
    assert sender.send(method, target, (*headers, ("X-Of-The-Client", "Ä".encode().decode("latin-1"))), body) == 200
    (arrived,) = raw.arrived
    assert (arrived.method, arrived.body) == (method, body), target
    sent = (*headers, ("X-Of-The-Client", "Ã\x84"), *Sender._framing(method, body))
    assert [pair for pair in arrived.headers if pair[0].lower() != "host"] == list(sent), target
    assert arrived.values("host") == [raw.url.removeprefix("http://")]
    return arrived


def test_every_operation_of_openai_is_relayed_as_it_came(shared: Path, raw: RawUpstream, sender: Sender) -> None:
    described = operations(shared)
    assert len(described) == 288
    for method, path in described:
        assert relayed(raw, sender, method, path, BEARER).target == f"/openai{path}"
        assert relayed(raw, sender, method, f"/groq{path}?q=%2F..%2F&q=", BEARER).target == f"/groq{path}?q=%2F..%2F&q="


def test_of_openais_operations_only_those_that_create_an_answer_are_looked_into(shared: Path) -> None:
    posted = {path.partition("?")[0] for method, path in operations(shared) if method == "POST"}
    seen = {path for path in posted if recognise(path)}
    assert seen == {"/v1/chat/completions", "/v1/responses"}


@pytest.mark.parametrize("name", OTHERS)
def test_a_providers_other_paths_go_to_it_as_they_came(name: str, raw: RawUpstream, sender: Sender) -> None:
    headers, paths = OTHERS[name]
    for path in paths:
        for method in ("GET", "POST", "DELETE"):
            assert relayed(raw, sender, method, path, headers).target == f"/{name}{path}"


@pytest.mark.parametrize("name", [*OTHERS, *NAMED])
def test_below_its_name_an_upstream_gets_every_path_as_it_came(name: str, raw: RawUpstream, sender: Sender) -> None:
    headers, paths = (OTHERS | NAMED)[name]
    for path in paths:
        for method in ("GET", "POST", "DELETE"):
            assert relayed(raw, sender, method, f"/{name}{path}", headers).target == f"/{name}{path}"
