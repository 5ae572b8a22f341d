"""Azure, Vertex and Bedrock by their own clients: the same objects as direct, the same bytes; what is signed stays so.

Behind Holdfast stands the simulated provider with its strict doors of these clouds: it checks versions,
paths and credentials, and every AWS signature.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anthropic
import boto3
import openai
import pytest
from anthropic.types import Message
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from proxy.profiles import load_profiles
from proxy.simulator.brains import Answer, SeenRequest, ToolCall, script
from proxy.simulator.clouds.signature import SECRET
from proxy.simulator.records import Record
from tests.end_to_end.running import UNSHAPED, Holdfast, Stage, done, holdfast

PROFILES = load_profiles()
KEY = "a-key-of-the-test"
CLAUDE = "claude-sonnet-4-6"
BEDROCK_CLAUDE = "us.anthropic.claude-sonnet-4-6-v1:0"
QUESTION = "what is there?"
LISTING = "a line of a listing that nobody reads twice\n" * 60
PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}}
TOOLS: list[Any] = [{"name": "ls", "description": "lists a folder", "input_schema": PARAMETERS}]
CHAT_TOOLS: list[Any] = [{"type": "function", "function": {"name": "ls", "parameters": PARAMETERS}}]
TURNS = (Answer(text="Looking.", calls=(ToolCall("ls", '{"path": "/a b"}'),)), Answer(text="Two files: ä and ☃."))

Act = Callable[[str], list[Any]]
"""Given the URL that stands for the cloud: what the client made of the answers, as plain data."""


# Claude, by the platform clients of the anthropic package


def foundry(url: str) -> Any:
    return anthropic.AnthropicFoundry(api_key=KEY, base_url=f"{url}/anthropic", max_retries=0, timeout=20)


def vertex(url: str, token: str = KEY) -> Any:
    return anthropic.AnthropicVertex(
        region="us-east5", project_id="p", access_token=token, base_url=f"{url}/v1", max_retries=0, timeout=20
    )


def bedrock(url: str) -> Any:
    return anthropic.AnthropicBedrock(api_key=KEY, aws_region="us-east-1", base_url=url, max_retries=0, timeout=20)


def claude(open_client: Callable[[str], Any], model: str, streamed: bool, url: str) -> list[Any]:
    seen: list[Any] = []
    with open_client(url) as client:
        history: list[Any] = [{"role": "user", "content": QUESTION}]
        for _ in TURNS:
            message = claude_turn(client, model, history, streamed)
            seen.append(message.model_dump(mode="json"))
            history += answered(message)
    return seen


def claude_turn(client: Any, model: str, history: list[Any], streamed: bool) -> Message:
    ask = {"model": model, "max_tokens": 500, "tools": TOOLS, "messages": history}
    if not streamed:
        whole: Message = client.messages.create(**ask)
        return whole
    with client.messages.stream(**ask) as stream:
        final: Message = stream.get_final_message()
        return final


def answered(message: Message) -> list[Any]:
    calls = [block for block in message.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": LISTING} for call in calls]
    return [{"role": "assistant", "content": message.content}, {"role": "user", "content": results or "go on"}]


def vertex_count(url: str) -> list[Any]:
    with vertex(url) as client:
        counted = client.messages.count_tokens(model=CLAUDE, messages=[{"role": "user", "content": QUESTION}])
        return [counted.model_dump(mode="json")]


# Azure OpenAI


def azure(url: str) -> openai.OpenAI:
    return openai.AzureOpenAI(
        azure_endpoint=url, api_key=KEY, api_version="2025-04-01-preview", max_retries=0, timeout=20
    )


def azure_v1(url: str) -> openai.OpenAI:
    return openai.OpenAI(api_key=KEY, base_url=f"{url}/openai/v1", max_retries=0, timeout=20)


def chat(open_client: Callable[[str], openai.OpenAI], streamed: bool, url: str) -> list[Any]:
    seen: list[Any] = []
    with open_client(url) as client:
        history: list[Any] = [{"role": "user", "content": QUESTION}]
        for _ in TURNS:
            message = chat_turn(client, history, streamed)
            seen.append(message)
            history.append(message)
            for call in message.get("tool_calls") or ():
                history.append({"role": "tool", "tool_call_id": call["id"], "content": LISTING})
    return seen


def chat_turn(client: openai.OpenAI, history: list[Any], streamed: bool) -> dict[str, Any]:
    ask: dict[str, Any] = {"model": "gpt-5.1", "messages": history, "tools": CHAT_TOOLS}
    if streamed:
        with client.chat.completions.stream(**ask) as stream:
            answer: Any = stream.get_final_completion()
    else:
        answer = client.chat.completions.create(**ask)
    said: dict[str, Any] = answer.choices[0].message.model_dump(exclude_none=True, exclude={"parsed"})
    return said


def responses(open_client: Callable[[str], openai.OpenAI], url: str) -> list[Any]:
    with open_client(url) as client:
        return [client.responses.create(model="gpt-5.1", input=QUESTION).model_dump(mode="json")]


# Gemini on Vertex


def gemini(streamed: bool, url: str) -> list[Any]:
    client = genai.Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=Credentials(KEY),  # type: ignore[no-untyped-call]
        http_options=types.HttpOptions(base_url=url, timeout=20_000),
    )
    try:
        if streamed:
            parts = client.models.generate_content_stream(model="gemini-2.5-pro", contents=QUESTION)
            return [part.model_dump(mode="json", exclude={"sdk_http_response"}) for part in parts]
        answer = client.models.generate_content(model="gemini-2.5-pro", contents=QUESTION)
        return [answer.model_dump(mode="json", exclude={"sdk_http_response"})]
    finally:
        client.close()


# Bedrock, by AWS' own client


@contextmanager
def aws(url: str, *, signed: bool = False, proxy: str = "") -> Iterator[Any]:
    """`proxy` is spoken to as a forward proxy, so that the Host signed is the endpoint's.

    Unsigned, it sends a key of Bedrock's own. It does so by itself over HTTPS only, so here a hook does.
    """
    version = {} if signed else {"signature_version": UNSIGNED}
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}, proxies={"http": proxy} if proxy else None, **version),
    )
    if not signed:
        client.meta.events.register("request-created.bedrock-runtime", _with_key)
    try:
        yield client
    finally:
        client.close()


def _with_key(request: Any, **_: Any) -> None:
    request.headers["Authorization"] = f"Bearer {KEY}"


CONVERSE_TOOLS: dict[str, Any] = {"tools": [{"toolSpec": {"name": "ls", "inputSchema": {"json": PARAMETERS}}}]}


def converse(streamed: bool, url: str) -> list[Any]:
    seen: list[Any] = []
    with aws(url) as client:
        history: list[Any] = [{"role": "user", "content": [{"text": QUESTION}]}]
        for _ in TURNS:
            message, usage = converse_turn(client, history, streamed)
            seen.append((message, usage))
            calls = [part["toolUse"]["toolUseId"] for part in message["content"] if "toolUse" in part]
            results: list[Any] = [{"toolResult": {"toolUseId": call, "content": [{"text": LISTING}]}} for call in calls]
            history += [message, {"role": "user", "content": results or [{"text": "go on"}]}]
    return seen


def converse_turn(client: Any, history: list[Any], streamed: bool) -> tuple[dict[str, Any], Any]:
    ask: dict[str, Any] = {"modelId": BEDROCK_CLAUDE, "messages": history, "toolConfig": CONVERSE_TOOLS}
    if not streamed:
        answer = client.converse(**ask)
        return answer["output"]["message"], answer["usage"]
    content: list[Any] = []
    usage = None
    for event in client.converse_stream(**ask)["stream"]:
        if start := event.get("contentBlockStart"):
            content.append({"toolUse": dict(start["start"]["toolUse"])})
        elif delta := event.get("contentBlockDelta"):
            add_delta(content, delta["delta"])
        elif metadata := event.get("metadata"):
            usage = metadata["usage"]
    return {"role": "assistant", "content": content}, usage


def add_delta(content: list[Any], delta: dict[str, Any]) -> None:
    if "text" in delta:
        content.append({"text": delta["text"]})
    else:
        content[-1]["toolUse"]["input"] = json.loads(delta["toolUse"]["input"])


def invoke_body(history: list[Any]) -> bytes:
    fields = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 500, "tools": TOOLS, "messages": history}
    return json.dumps(fields).encode()


def invoke(streamed: bool, url: str) -> list[Any]:
    # not the words that another client spelt otherwise: those would go out as they went out first
    body = invoke_body([{"role": "user", "content": f"{QUESTION} I invoke you."}])
    with aws(url) as client:
        if not streamed:
            return [json.loads(client.invoke_model(modelId=BEDROCK_CLAUDE, body=body)["body"].read())]
        stream = client.invoke_model_with_response_stream(modelId=BEDROCK_CLAUDE, body=body)["body"]
        return [json.loads(event["chunk"]["bytes"]) for event in stream]


ACTS: dict[str, tuple[str, Act]] = {
    "azure responses": ("azure", partial(responses, azure)),
    "azure responses, v1": ("azure", partial(responses, azure_v1)),
    "vertex claude, counting": ("vertex", vertex_count),
}
for how, streamed in (("whole", False), ("streamed", True)):
    ACTS |= {
        f"azure chat, {how}": ("azure", partial(chat, azure, streamed)),
        f"azure chat, v1, {how}": ("azure", partial(chat, azure_v1, streamed)),
        f"foundry claude, {how}": ("azure", partial(claude, foundry, CLAUDE, streamed)),
        f"vertex claude, {how}": ("vertex", partial(claude, vertex, CLAUDE, streamed)),
        f"vertex gemini, {how}": ("vertex", partial(gemini, streamed)),
        f"bedrock claude, {how}": ("bedrock", partial(claude, bedrock, BEDROCK_CLAUDE, streamed)),
        f"bedrock converse, {how}": ("bedrock", partial(converse, streamed)),
        f"bedrock invoke, {how}": ("bedrock", partial(invoke, streamed)),
    }


@pytest.fixture(scope="module")
def clouds(staged: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    """With the default policy, less what it shapes, the clouds on the stage."""
    folder = tmp_path_factory.mktemp("clouds")
    policy = folder / "as-sent.yaml"
    policy.write_text(f"name: as-sent\n{UNSHAPED}", encoding="utf-8")
    urls = {name: staged.urls["anthropic"] for name in ("azure", "vertex", "bedrock")}
    with holdfast(folder, urls, "--policy", str(policy)) as running:
        yield running


def wire(record: Record) -> tuple[object, ...]:
    """A request as the provider received it, less what belongs to the connection, and with what it was billed."""
    headers = [(name, value) for name, value in record.headers if name.lower() not in VOLATILE]
    return record.method, record.path, record.query, headers, record.body, record.status, record.usage


VOLATILE = ("host", "connection", "amz-sdk-invocation-id")


@pytest.mark.parametrize("upstream, act", ACTS.values(), ids=ACTS)
def test_a_clouds_client_gets_the_same_objects_as_direct(
    staged: Stage, clouds: Holdfast, upstream: str, act: Act
) -> None:
    direct_log = staged.simulate(script(TURNS), PROFILES)
    direct = act(staged.urls["anthropic"])
    log = staged.simulate(script(TURNS), PROFILES)
    assert act(f"{clouds.url}/{upstream}") == direct
    assert [wire(record) for record in done(log, len(direct_log))] == [wire(record) for record in direct_log]
    assert {record.status for record in log} == {200}


@pytest.mark.parametrize(
    ("act", "dialect"),
    [
        ("azure chat, whole", "openai_chat"),
        ("vertex claude, streamed", "anthropic_messages"),
        ("vertex gemini, streamed", "gemini"),
        ("bedrock claude, streamed", "anthropic_messages"),
        ("bedrock converse, streamed", "bedrock_converse"),
    ],
)
def test_usage_is_read_of_every_clouds_answer(staged: Stage, tmp_path: Path, act: str, dialect: str) -> None:
    log = staged.simulate(script(TURNS), PROFILES)
    upstream, run = ACTS[act]
    with holdfast(tmp_path, {upstream: staged.urls["anthropic"]}) as running:
        run(f"{running.url}/{upstream}")
        numbers = running.settled(len(log))
    bills = [record.usage for record in log]
    counted = sum(bill.input.total + bill.output for bill in bills if bill)
    found = numbers.total("holdfast_input_tokens_total", upstream=upstream, dialect=dialect)
    found += numbers.total("holdfast_output_tokens_total", upstream=upstream, dialect=dialect)
    assert found == counted > 0


# What is signed


def test_a_signed_request_reaches_aws_with_its_signature_whole_and_is_measured(staged: Stage, tmp_path: Path) -> None:
    log = staged.simulate(looking, PROFILES)
    stage = staged.urls["anthropic"]
    with holdfast(tmp_path, {"bedrock": stage}, "--policy", str(always(tmp_path))) as running:
        history: list[Any] = [{"role": "user", "content": [{"text": QUESTION}]}]
        with aws(stage, signed=True, proxy=running.url) as client:
            for _ in range(6):
                ask: dict[str, Any] = {"modelId": BEDROCK_CLAUDE, "messages": history, "toolConfig": CONVERSE_TOOLS}
                answer = client.converse(**ask)
                assert answer["ResponseMetadata"]["HTTPHeaders"]["x-holdfast-passthrough"] == "signed_body"
                history += converse_step(answer["output"]["message"])
        numbers = running.settled(6)
    assert [record.status for record in log] == [200] * 6
    assert json.loads(log[-1].body)["messages"] == history[:-2]
    assert numbers.total("holdfast_passthrough_total", reason="signed_body") == 6
    assert numbers.total("holdfast_input_tokens_total", upstream="bedrock", dialect="bedrock_converse") > 0


def test_a_signature_for_another_host_is_refused_by_aws_and_its_word_is_relayed(
    staged: Stage, clouds: Holdfast
) -> None:
    staged.simulate(script(TURNS), PROFILES)
    with aws(f"{clouds.url}/bedrock", signed=True) as client, pytest.raises(ClientError) as caught:
        client.converse(modelId=BEDROCK_CLAUDE, messages=[{"role": "user", "content": [{"text": QUESTION}]}])
    assert "does not match the signature" in str(caught.value)


# What may be edited


def looking(seen: SeenRequest) -> Answer:
    """Looks for ever."""
    return Answer(text="Looking.", calls=(ToolCall("ls", json.dumps({"path": f"/{seen.assistant_messages}"})),))


def always(folder: Path) -> Path:
    policy = folder / "always.yaml"
    policy.write_text(
        f"name: always\nmask: {{keep_newest: 2, min_tokens: 50, when: always, liveness: false}}\n{UNSHAPED}"
    )
    return policy


def converse_step(message: Mapping[str, Any]) -> list[Any]:
    calls = [part["toolUse"]["toolUseId"] for part in message["content"] if "toolUse" in part]
    results = [{"toolResult": {"toolUseId": call, "content": [{"text": call + LISTING}]}} for call in calls]
    return [message, {"role": "user", "content": results}]


def bedrock_run(url: str, turns: int) -> None:
    with bedrock(url) as client:
        history: list[Any] = [{"role": "user", "content": QUESTION}]
        for _ in range(turns):
            history += answered(claude_turn(client, BEDROCK_CLAUDE, history, streamed=True))


def converse_run(url: str, turns: int) -> None:
    with aws(url) as client:
        history: list[Any] = [{"role": "user", "content": [{"text": QUESTION}]}]
        for _ in range(turns):
            history += converse_step(converse_turn(client, history, streamed=True)[0])


@pytest.mark.parametrize("run", [bedrock_run, converse_run])
def test_old_observations_are_masked_behind_an_unsigned_key_and_the_provider_accepts_it(
    staged: Stage, tmp_path: Path, run: Callable[[str, int], None]
) -> None:
    log = staged.simulate(looking, PROFILES)
    with holdfast(tmp_path, {"bedrock": staged.urls["anthropic"]}, "--policy", str(always(tmp_path))) as running:
        run(f"{running.url}/bedrock", 8)
        numbers = running.settled(8)
    assert [record.status for record in log] == [200] * 8
    assert log[-1].body.count(b"nobody reads twice") == 2 * LISTING.count("\n")
    assert numbers.total("holdfast_edits_total", kind="mask", verdict="applied") == 5
    assert numbers.total("holdfast_rule_violations_total") == 0


@pytest.mark.parametrize(("tenant", "applied"), [("upstream", 4), ("credential", 6)])
def test_a_token_that_is_renewed_keeps_its_masks_only_where_the_upstream_is_one_tenant(
    staged: Stage, tmp_path: Path, tenant: str, applied: int
) -> None:
    log = staged.simulate(looking, PROFILES)
    config = tmp_path / "holdfast.yaml"
    config.write_text(f"upstreams:\n  vertex: {{tenant: {tenant}}}\n")
    flags = ("--config", str(config), "--policy", str(always(tmp_path)))
    with holdfast(tmp_path, {"vertex": staged.urls["anthropic"]}, *flags) as running:
        history: list[Any] = [{"role": "user", "content": QUESTION}]
        for turn in range(7):
            with vertex(f"{running.url}/vertex", "first hour" if turn < 5 else "second hour") as client:
                history += answered(claude_turn(client, CLAUDE, history, streamed=False))
        numbers = running.settled(7)
    assert [record.status for record in log] == [200] * 7
    assert numbers.total("holdfast_edits_total", kind="mask", verdict="applied") == applied
