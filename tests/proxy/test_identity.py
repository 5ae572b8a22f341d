"""Whole credentials, and claims that stay claims."""

import pytest

from proxy.headers import Pair
from proxy.identity import CREDENTIALS, agent, credential, policy, session, shared, signed


def test_credentials_that_share_a_long_prefix_differ() -> None:
    one = credential(((b"authorization", b"Bearer sk-ant-api03-AAAAAAAAAAAAAAAAAAAA1"),), b"")
    two = credential(((b"authorization", b"Bearer sk-ant-api03-AAAAAAAAAAAAAAAAAAAA2"),), b"")
    assert one != two


def test_every_header_that_authenticates_counts_and_so_does_its_name() -> None:
    every = [
        credential(((name, b"k"),), b"") for name in (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key")
    ]
    every += [credential((), b"a=1&key=k"), credential(((b"x-api-key", b"k"), (b"api-key", b"k")), b"")]
    assert len(set(every)) == len(every) and b"" not in every


def test_no_other_set_of_values_gives_the_same_credential() -> None:
    joined = credential(((b"authorization", b"a"), (b"authorization", b"b")), b"")
    assert joined != credential(((b"authorization", b"aauthorization=b"),), b"")
    assert joined != credential(((b"authorization", b"ab"),), b"")


def test_the_key_that_a_browser_hides_in_a_subprotocol_is_a_credential_and_other_subprotocols_are_none() -> None:
    offered = ((b"sec-websocket-protocol", b"realtime, openai-insecure-api-key.one, x"),)
    other = ((b"sec-websocket-protocol", b"realtime, openai-insecure-api-key.two, x"),)
    assert credential(offered, b"") != credential(other, b"") != b""
    assert credential(((b"sec-websocket-protocol", b"realtime"),), b"") == b""


def test_a_query_key_inside_another_value_is_not_a_key() -> None:
    assert credential((), b"monkey=1&x=key=2") == b""


SIGNED = b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host, "


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        (((b"Authorization", SIGNED + b"Signature=00"),), b"", True),
        (((b"authorization", b"AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE/"),), b"", True),
        ((), b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00", True),
        (((b"authorization", b"Bearer bedrock-api-key-AWS4-"),), b"", False),
        (((b"x-amz-security-token", b"t"),), b"x=X-Amz-Signature", False),
    ],
)
def test_a_request_is_signed_where_a_signature_covers_its_body(
    headers: tuple[Pair, ...], query: bytes, expected: bool
) -> None:
    assert signed(headers, query) is expected


def test_no_credential_passes_for_the_one_tenant_of_a_shared_upstream() -> None:
    forged = [credential(((name, b"upstream=vertex"),), b"") for name in CREDENTIALS]
    forged += [credential((), b"key=upstream=vertex"), credential((), b"upstream=vertex"), credential((), b"")]
    assert shared("vertex") not in forged and shared("vertex") != shared("azure")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (((b"x-holdfast-session", b"mine"), (b"x-claude-code-session-id", b"c")), "mine"),
        (((b"x-claude-code-session-id", b"c"),), "c"),
        (((b"x-claude-code-session-id", b"c"), (b"x-claude-code-agent-id", b"a")), "c/a"),
        (((b"thread-id", b"t"), (b"session-id", b"s")), "s"),
        (((b"session_id", b"s"),), "s"),
        (((b"x-session-id", b"ses_1"),), "ses_1"),
        (((b"x-session-id", b"a b\x7f"),), ""),
        (((b"x-session-id", b"x" * 201),), ""),
        ((), ""),
    ],
)
def test_a_session_is_named_by_the_header_that_knows_best(headers: tuple[Pair, ...], expected: str) -> None:
    assert session(headers) == expected


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (b"claude-cli/2.1.197 (external, sdk-cli)", "claude-code"),
        (b"codex_exec/0.169.0 (Debian 12.0.0; x86_64) xterm", "codex"),
        (b"GeminiCLI-tui/0.61.0/gemini-2.5-pro", "gemini-cli"),
        (b"opencode/1.18.33 ai-sdk/provider-utils/4.0.46", "opencode"),
        (b"QwenCode/0.15.10", "qwen-code"),
        (b"Agents/Python 0.24.0", "openai-agents"),
        (b"pydantic-ai/2.68.0", "pydantic-ai"),
        (b"langchain-anthropic/1.7.7", "langchain"),
        (b"OpenAI/Python 3.54.0", "openai-sdk"),
        (b"AsyncOpenAI/Python 3.54.0", "openai-sdk"),
        (b"Anthropic/Python 2.12.0", "anthropic-sdk"),
        (b"google-genai-sdk/3.4.0 gl-python/3.11", "google-genai"),
        (b"curl/8.0 (not claude-cli/1)", "unknown"),
        (b"", "unknown"),
    ],
)
def test_an_agent_is_known_by_how_its_user_agent_begins(user_agent: bytes, expected: str) -> None:
    assert agent(((b"user-agent", user_agent),)) == expected


def test_a_stated_agent_wins_and_an_unusable_one_does_not() -> None:
    assert agent(((b"x-holdfast-agent", b"reviewer"), (b"user-agent", b"claude-cli/2"))) == "reviewer"
    assert agent(((b"x-holdfast-agent", b"a\xff{}"), (b"user-agent", b"claude-cli/2"))) == "claude-code"


def test_a_policy_is_a_name_or_nothing() -> None:
    assert policy(((b"x-holdfast-policy", b" off "),)) == "off"
    assert policy(((b"x-holdfast-policy", b"../../etc"),)) == ""
