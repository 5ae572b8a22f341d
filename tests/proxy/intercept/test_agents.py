"""Agents through the intercepting proxy as a program: SDKs, plans, restarts, mitmdump.

The SDKs are told of it by their environment alone: proxy and authority, no base URL of Holdfast's.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from proxy.profiles import load_profiles
from proxy.simulator.brains import Answer, ToolCall, script
from proxy.simulator.records import Record
from tests.end_to_end.running import Stage, done, holdfast, stage
from tests.proxy.driving import ANTHROPIC, turns_of, work
from tests.proxy.intercept.children import Intercept, agent, direct, intercept, mitmdump
from tests.proxy.intercept.running import Trust

ASKED = 6
"""Requests that the agent makes: three conversations of as many turns as follow."""
TURNS = (
    Answer(
        text="Looking, ä.",
        calls=(ToolCall("ls", '{"path": "/a b"}'), ToolCall("ls", '{"path": "\\u2603"}')),
    ),
    Answer(text="Two files: ä and ☃. " * 20),
)
POLICY = "name: eager\nmask: {keep_newest: 1, min_tokens: 61, when: always}\n"
PLAN = ("x-holdfast-plan", "x-holdfast-turn")


@pytest.fixture(scope="module")
def staged(trust: Trust) -> Iterator[Stage]:
    with stage((trust.certificate, trust.key)) as running:
        yield running


@pytest.fixture(scope="module")
def expected(trust: Trust, staged: Stage, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, list[bytes]]:
    """What the SDKs see, and what the providers get, without a proxy."""
    return acted(staged, direct(trust, tmp_path_factory.mktemp("direct")))


def acted(staged: Stage, environ: dict[str, str]) -> tuple[object, list[bytes]]:
    records: Sequence[Record] = staged.simulate(script(TURNS), load_profiles())
    seen = agent(environ, staged.urls["anthropic"], staged.urls["openai"])
    return seen, [record.body for record in done(records, ASKED)]


@pytest.mark.slow
def test_sdks_see_through_the_proxy_what_they_see_direct(
    trust: Trust, staged: Stage, expected: tuple[object, list[bytes]], tmp_path: Path
) -> None:
    with intercept(tmp_path, trust, staged.urls) as running:
        assert acted(staged, running.environment(tmp_path)) == expected
        numbers = running.settled(ASKED)
    assert numbers.total("holdfast_requests_total", status_class="2xx") == ASKED
    assert numbers.total("holdfast_passthrough_total") == 0


@pytest.mark.slow
def test_sdks_see_the_same_through_mitmdump(
    trust: Trust, staged: Stage, expected: tuple[object, list[bytes]], tmp_path: Path
) -> None:
    with mitmdump(tmp_path, trust, staged.urls) as running:
        assert acted(staged, running.environment(tmp_path)) == expected
    assert (tmp_path / "state.db").stat().st_size > 0


class Recording:
    """A provider that answers everything alike, and keeps what it got."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while message := await receive():
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        answer = json.dumps({"usage": {"input_tokens": len(body) // 4, "output_tokens": 5}}).encode()
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": answer})


REQUESTS = [ANTHROPIC.body(turn) for turn in turns_of(work(5))]


def plans(client: httpx.Client, base: str, bodies: Sequence[bytes]) -> list[list[str]]:
    headers = {"x-api-key": "k", "content-type": "application/json"}
    answers = [client.post(f"{base}/v1/messages", content=body, headers=headers) for body in bodies]
    return [[answer.headers[name] for name in PLAN] for answer in answers]


def through(running: Intercept) -> httpx.Client:
    import ssl

    context = ssl.create_default_context(cafile=str(running.authority.certificate))
    return httpx.Client(proxy=running.url, verify=context, trust_env=False, timeout=20)


@pytest.mark.slow
def test_plans_are_those_of_the_reverse_proxy_and_survive_a_kill(trust: Trust, staged: Stage, tmp_path: Path) -> None:
    policy = tmp_path / "eager.yaml"
    policy.write_text(POLICY)
    base = staged.urls["anthropic"]
    staged.app = reversed_ = Recording()
    with (
        holdfast(
            tmp_path / "serve",
            staged.urls,
            "--policy",
            str(policy),
            environ={"HOLDFAST_CA_FILE": str(trust.certificate)},
        ) as serving,
        httpx.Client(trust_env=False, timeout=20) as client,
    ):
        expected = plans(client, serving.url, REQUESTS)
    assert sum("applied=mask" in plan for plan, _ in expected) >= 3

    staged.app = intercepted = Recording()
    with (
        intercept(tmp_path / "own", trust, staged.urls, "--policy", str(policy)) as running,
        through(running) as client,
    ):
        seen = plans(client, base, REQUESTS[:3])
        running.settled(3)
        running.kill()
    with (
        intercept(tmp_path / "own", trust, staged.urls, "--policy", str(policy)) as running,
        through(running) as client,
    ):
        seen += plans(client, base, REQUESTS[3:])
    assert seen == expected
    assert intercepted.bodies == reversed_.bodies
    assert intercepted.bodies != REQUESTS
