"""The fields by which a request finds its cache: who gets them, and that a lineage keeps what it began with."""

import pytest
from msgspec.structs import replace

from policies.breakpoints import KEY, SALT, Breakpoints
from policies.core.conversation import Conversation, Message
from policies.core.lineage import Lineage, Sent
from proxy.profiles import load_profiles, profile_for
from tests.policies.building import TENANT, asked, called, conversation

PROFILES = load_profiles()
NEITHER, SALTED = Breakpoints(auto=False), Breakpoints(auto=False, cache_salt=True)
AUTO, BOTH = Breakpoints(), Breakpoints(cache_salt=True)
ROOT = b"root"


def request(*messages: Message, dialect: str = "openai_chat", **fields: object) -> Conversation:
    return replace(conversation(*(messages or (asked(),)), **fields), dialect=dialect)


def added(
    policy: Breakpoints, model: str, whole: Conversation, lineage: Lineage | None = None, root: bytes = ROOT
) -> dict[str, str]:
    return dict(policy.members(whole, lineage or Lineage(TENANT), profile_for(PROFILES, model), root))


@pytest.mark.parametrize(
    ("model", "dialect", "names"),
    [
        ("mistral-large-4", "openai_chat", {KEY}),
        ("grok-4.7", "openai_responses", {KEY}),
        ("grok-4.7", "openai_chat", set()),  # there it is a header
        ("gpt-5.6-sol", "openai_responses", set()),  # it would part what sessions share
        ("gpt-5.1", "openai_chat", set()),
        ("claude-sonnet-4-5", "anthropic_messages", set()),
        ("vllm", "openai_chat", {SALT}),
        ("vllm", "openai_responses", {SALT}),
        ("llama.cpp", "openai_chat", set()),
    ],
)
def test_only_where_a_provider_says_that_it_helps(model: str, dialect: str, names: set[str]) -> None:
    assert set(added(BOTH, model, request(dialect=dialect))) == names
    assert added(NEITHER, model, request(dialect=dialect)) == {}


def test_a_key_is_of_tenant_and_lineage_and_says_nothing_of_them() -> None:
    key = added(AUTO, "mistral-large-4", request())[KEY]
    assert key == added(AUTO, "mistral-large-4", request(asked("other")))[KEY]
    assert key != added(AUTO, "mistral-large-4", request(), root=b"another")[KEY]
    assert key.startswith("hf-") and len(key) == 35 and ROOT.hex() not in key


def test_append_only_a_lineage_keeps_its_key_and_one_that_began_without_gets_none() -> None:
    told = request(asked(), called("o"), asked("next"))
    kept = Lineage(TENANT, last=Sent(0.0, 0, 0, key="hf-kept"))
    assert added(AUTO, "mistral-large-4", told, kept, root=b"another") == {KEY: "hf-kept"}
    assert added(AUTO, "mistral-large-4", told, Lineage(TENANT, last=Sent(0.0, 0, 0))) == {}
    assert added(AUTO, "mistral-large-4", told) == {}  # its past was sent before Holdfast saw it


@pytest.mark.parametrize(
    ("policy", "model", "dialect", "names"),
    [
        (AUTO, "grok-4.7", "openai_chat", ["x-grok-conv-id"]),
        (AUTO, "grok-4.7", "openai_responses", []),
        (AUTO, "mistral-large-4", "openai_chat", []),
        (NEITHER, "grok-4.7", "openai_chat", []),
    ],
)
def test_in_chat_xai_is_told_the_conversation_by_a_header(
    policy: Breakpoints, model: str, dialect: str, names: list[str]
) -> None:
    found = policy.headers(request(dialect=dialect), Lineage(TENANT), profile_for(PROFILES, model), ROOT)
    assert [name for name, _ in found] == names


def test_append_only_a_lineage_keeps_the_header_that_it_began_with() -> None:
    told, known = request(asked(), called("o"), asked("next")), profile_for(PROFILES, "grok-4.7")
    kept = Lineage(TENANT, last=Sent(0.0, 0, 0, key="hf-kept"))
    assert AUTO.headers(told, kept, known, ROOT) == (("x-grok-conv-id", "hf-kept"),)
    assert AUTO.headers(told, Lineage(TENANT), known, ROOT) == ()  # its past was sent before Holdfast saw it


def test_what_the_client_sends_itself_stays() -> None:
    assert added(AUTO, "mistral-large-4", request(names_cache=(KEY,))) == {}
    assert added(SALTED, "vllm", request(names_cache=(SALT,))) == {}


def test_a_salt_is_of_the_tenant_alone() -> None:
    salt = added(SALTED, "vllm", request())
    assert salt == added(SALTED, "vllm", request(asked("other")), Lineage(TENANT, turn=9), root=b"another")
    assert salt != added(SALTED, "vllm", request(), Lineage(b"another tenant"))
    assert len(salt[SALT]) == 64 and TENANT.hex() not in salt[SALT]
