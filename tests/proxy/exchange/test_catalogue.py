"""A session of an agent that adds tools as it goes on begins with all of them, where that pays."""

import json
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.tools import Growth, Tools
from proxy.exchange import Prepared
from proxy.store.memory import MemoryStore
from proxy.teaching import Catalogue
from tests.proxy.driving import ANTHROPIC, CHAT, RESPONSES, Replica, Wire, dump, run, turns_of, work
from tests.proxy.exchange.test_pinned import PINNING, Head, _reasons

CATALOGUE = replace(PINNING, tools=Tools(catalogue=True))
MODEL = "gpt-5.1"
"""It takes a list of allowed tools through both APIs."""


def _body(names: str, step: int, session: str, wire: Wire = CHAT, **fields: object) -> bytes:
    fields = {"model": MODEL, **fields} if wire in (CHAT, RESPONSES) else fields
    return Head(names=names).body(wire, turns_of(work(5, name=session))[step], **fields)


def _session(replica: Replica, lists: Sequence[str], session: str, wire: Wire = CHAT) -> list[Prepared]:
    return [run(replica.send(wire, _body(names, step, session, wire))) for step, names in enumerate(lists)]


def _listed(found: Prepared) -> str:
    tools = json.loads(found.body)["tools"]
    return "".join(tool.get("function", tool)["name"] for tool in tools)


def _tools(found: Prepared) -> bytes:
    return msgspec.json.encode(json.loads(found.body)["tools"])


def _allowed(found: Prepared) -> str:
    choice = json.loads(found.body).get("tool_choice", {})
    return "".join(tool.get("function", tool)["name"] for tool in choice.get("allowed_tools", choice).get("tools", []))


@pytest.mark.parametrize("wire", [CHAT, RESPONSES], ids=lambda wire: wire.name)
def test_a_session_begins_with_all_that_the_one_before_came_to_list(wire: Wire) -> None:
    replica = Replica(CATALOGUE)
    _session(replica, ["ab", "ab", "abcd", "abcd"], "one", wire)
    found = _session(replica.beside(), ["ab", "ab", "acb", "dabc"], "two", wire)
    assert [_listed(each) for each in found] == ["abcd"] * 4 and len({_tools(each) for each in found}) == 1
    assert [_allowed(each) for each in found] == ["ab", "ab", "acb", ""]
    assert [each.plan and each.plan.prefix for each in found] == ["first", "kept", "kept", "kept"]
    assert [each.plan and each.plan.withdrawn for each in found] == [("c", "d"), ("c", "d"), ("d",), ()]
    assert _reasons(found[0]) == {"tools": "catalogue"}


@settings(max_examples=15, deadline=None)
@given(added=st.permutations("cdef"), cuts=st.lists(st.integers(0, 4), min_size=4, max_size=4), restarts=st.booleans())
def test_the_list_sent_never_changes_when_the_client_adds_what_the_catalogue_had(
    added: list[str], cuts: list[int], restarts: bool
) -> None:
    replica = Replica(CATALOGUE)
    _session(replica, ["ab", "ab", "abcdef"], "one")
    sent = []
    for step, count in enumerate(sorted([0, *cuts])):
        body = _body("ab" + "".join(added[:count]), step, "two")
        sent.append(run(replica.send(CHAT, body)))
        replica = replica.beside() if restarts else replica
        assert run(replica.send(CHAT, body)).body == sent[-1].body
    assert len({_tools(each) for each in sent}) == 1 and _listed(sent[0]) == "abcdef"
    assert not replica.witness.degradations


def test_off_by_default_a_session_begins_with_its_own_tools() -> None:
    for policy in (PINNING, replace(CATALOGUE, mode="shadow"), replace(CATALOGUE, tools=Tools(False, True))):
        replica = Replica(policy)
        _session(replica, ["ab", "abcd", "abcd"], "one")
        body = _body("ab", 0, "two")
        assert run(replica.beside().send(CHAT, body)).body == body


@pytest.mark.parametrize(
    ("names", "agent", "key", "model"),
    [
        ("abx", "mine", b"key", MODEL),
        ("abcd", "mine", b"key", MODEL),
        ("ab", "another", b"key", MODEL),
        ("ab", "mine", b"another tenant", MODEL),
        ("ab", "mine", b"key", "gpt-5"),
    ],
    ids=["unknown tool", "all of them", "agent", "tenant", "model"],
)
def test_only_an_agent_that_begins_with_a_part_of_what_it_listed_gets_the_rest(
    names: str, agent: str, key: bytes, model: str
) -> None:
    replica = Replica(CATALOGUE)
    for step, listed in enumerate(["ab", "abcd", "abcd"]):
        run(replica.send(CHAT, _body(listed, step, "one"), key=b"key", agent="mine"))
    found = run(replica.send(CHAT, _body(names, 0, "two", model=model), key=key, agent=agent))
    assert _listed(found) == names and not _allowed(found)
    assert _reasons(found).get("tools", "session") == "session"  # its head may be shared all the same


def test_the_clients_own_wording_wins_for_what_it_lists() -> None:
    replica = Replica(CATALOGUE)
    _session(replica, ["ab", "abcd", "abcd"], "one")
    whole = json.loads(_body("ba", 0, "two"))
    whole["tools"][0]["function"]["description"] = "Said in quite another way."
    sent = json.loads(run(replica.send(CHAT, dump(whole))).body)["tools"]
    assert [sent[0], sent[1]] == whole["tools"][::-1] and len(sent) == 4


def test_where_sessions_seldom_add_tools_the_definitions_cost_more() -> None:
    replica = Replica(CATALOGUE)
    _session(replica, ["ab", "abcd", "abcd"], "one")
    for number in range(150):
        _session(replica, ["x"], f"idle{number}")
    body = _body("ab", 0, "two")
    found = run(replica.send(CHAT, body))
    assert found.body == body and _reasons(found) == {"tools": "costs_more"}


def test_where_nothing_can_be_disallowed_the_clients_own_list_goes() -> None:
    replica = Replica(CATALOGUE)
    _session(replica, ["ab", "abcd", "abcd"], "one", ANTHROPIC)
    found = _session(replica, ["ab"], "two", ANTHROPIC)[0]
    assert _reasons(found) == {"tools": "no_restriction"} and _listed(found) == "ab"


class Opened(MemoryStore):
    """Shows what was learned of tools, and may be damaged there."""

    damaged = False

    async def learn(self, tenant: bytes, name: str, value: bytes, now: float) -> None:
        if name.startswith("tools/"):
            self.catalogue = msgspec.msgpack.decode(value, type=Catalogue)
        await super().learn(tenant, name, value, now)

    async def lesson(self, tenant: bytes, name: str) -> bytes | None:
        damaged = self.damaged and name.startswith("tools/")
        return b"no lesson" if damaged else await super().lesson(tenant, name)


def test_a_turn_that_is_tried_again_counts_once() -> None:
    store = Opened()
    replica = Replica(CATALOGUE, store=store)
    for step, names in ((0, "ab"), (0, "ab"), (1, "abc"), (1, "abc"), (2, "ab")):
        found = run(replica.send(CHAT, _body(names, step, "one")))
    assert found.plan and store.catalogue.growth.sessions == 1
    assert 0 < store.catalogue.growth.tokens < found.plan.sent.tokens


def test_tools_that_are_withdrawn_and_come_back_were_not_added() -> None:
    store = Opened()
    replica = Replica(CATALOGUE, store=store)
    _session(replica, ["abc", "ab", "abc", "ab", "abc"], "one")
    assert store.catalogue == Catalogue(growth=Growth(sessions=1))
    _session(replica, ["", "abc"], "title")
    assert store.catalogue == Catalogue(growth=Growth(sessions=1))


def test_a_catalogue_that_cannot_be_read_is_told_of_and_made_anew() -> None:
    store = Opened()
    replica = Replica(CATALOGUE, store=store)
    _session(replica, ["ab", "abcd", "abcd"], "one")
    store.damaged = True
    body = _body("ab", 0, "two")
    assert run(replica.send(CHAT, body)).body == body
    assert replica.witness.degradations == [("store", "lesson")]
    assert store.catalogue == Catalogue(growth=Growth(sessions=1))


def test_tools_in_two_lists_are_left_to_the_client() -> None:
    replica = Replica(CATALOGUE)
    old = [{"name": "c", "parameters": {"type": "object"}}]
    for body in (_body("ab", 0, "one"), _body("ab", 1, "one", functions=old)):
        run(replica.send(CHAT, body))
    body = _body("ab", 0, "two")
    found = run(replica.send(CHAT, body))
    assert found.body == body and _reasons(found) == {"tools": "several_lists"}
