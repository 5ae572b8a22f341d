"""From a body to a conversation: what was seen before is not parsed again, and nothing depends on that."""

import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from policies.core.conversation import Message
from proxy.dialects import Count, Dialect
from proxy.memo import Memo
from proxy.profiles import profile_for
from proxy.reading import LARGE, Reader, Seen
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    PROFILES,
    RESPONSES,
    WIRES,
    Answer,
    Result,
    Results,
    Step,
    User,
    Wire,
    counter,
    dump,
    run,
    work,
)

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


@dataclass
class Watched:
    """A real dialect that notes what it parses, and in which thread."""

    inner: Dialect
    parsed: list[bytes] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def message(self, raw: bytes, count: Count) -> Message:
        self.parsed.append(raw)
        self.threads.add(threading.get_ident())
        return self.inner.message(raw, count)


def reader(memo: Memo, tenant: bytes = b"t" * 32) -> Reader:
    return Reader(memo, tenant, "api", lambda model: profile_for(PROFILES, model), counter)


def read(memo: Memo, wire: Wire, body: bytes, dialect: Dialect | None = None) -> Seen:
    return run(reader(memo).read(dialect or wire.dialect, body, wire.path))


@every_wire
def test_only_what_is_new_is_parsed(wire: Wire) -> None:
    memo, watched = Memo(seed=3), Watched(wire.dialect)
    read(memo, wire, wire.body(work(3)))
    read(memo, wire, wire.body(work(4)), watched)  # type: ignore[arg-type]
    assert watched.parsed == [dump(message) for message in wire.messages(work(4)[7:])]


@every_wire
def test_what_is_remembered_reads_as_what_is_parsed(wire: Wire) -> None:
    memo = Memo(seed=3)
    read(memo, wire, wire.body(work(3)))
    again, fresh = read(memo, wire, wire.body(work(4))), read(Memo(seed=4), wire, wire.body(work(4)))
    assert again.conversation == fresh.conversation
    assert again.trail.index == fresh.trail.index
    assert [node.prefix for node in again.trail.nodes] == [node.prefix for node in fresh.trail.nodes]


def test_large_news_are_parsed_in_a_thread() -> None:
    # headroom#2046: a tokenizer that holds the loop freezes every other stream
    small, large = Watched(ANTHROPIC.dialect), Watched(ANTHROPIC.dialect)
    run(_read_two(small, [User("x")]))
    run(_read_two(large, [User("hello"), User("x" * (LARGE + 1))]))
    assert small.threads == {threading.get_ident()}
    assert large.threads - {threading.get_ident()}


async def _read_two(dialect: Watched, steps: list[Step]) -> None:
    await reader(Memo(seed=3)).read(dialect, ANTHROPIC.body(steps), ANTHROPIC.path)  # type: ignore[arg-type]


def news(name: str) -> list[Step]:
    return [Answer("Reading.", (name,)), Results((Result(name, "y" * LARGE),))]


def nodes_of(seen: Seen) -> list[bytes]:
    return [node.prefix for node in seen.trail.nodes]


def test_two_requests_that_parse_the_same_news_at_once_meet() -> None:
    memo = Memo(seed=3)
    body = CHAT.body([*work(1), *news("n")])

    async def main() -> tuple[Seen, Seen]:
        one = reader(memo).read(CHAT.dialect, body, CHAT.path)
        return await asyncio.gather(one, reader(memo).read(CHAT.dialect, body, CHAT.path))

    first, second = run(main())
    assert first.trail.nodes == second.trail.nodes
    assert first.conversation == second.conversation


def test_news_of_which_another_request_added_a_part_are_not_added_twice() -> None:
    memo = Memo(seed=3)
    long, short = CHAT.body([*work(1), *news("n"), *news("m")]), CHAT.body([*work(1), *news("n")])

    async def main() -> tuple[Seen, Seen]:
        return await asyncio.gather(
            reader(memo).read(CHAT.dialect, short, CHAT.path), reader(memo).read(CHAT.dialect, long, CHAT.path)
        )

    first, second = run(main())
    assert second.trail.nodes[: len(first.trail.nodes)] == first.trail.nodes
    assert nodes_of(second) == nodes_of(read(Memo(seed=9), CHAT, long))


def test_what_is_forgotten_while_news_are_parsed_is_parsed_again() -> None:
    memo = Memo(seed=3)
    read(memo, CHAT, CHAT.body(work(4)))
    body = CHAT.body([*work(4), *news("n")])

    async def main() -> Seen:
        reading = asyncio.ensure_future(reader(memo).read(CHAT.dialect, body, CHAT.path))
        await asyncio.sleep(0)
        memo.roots.clear()
        memo.families.clear()
        memo.size = 0
        return await reading

    seen = run(main())
    assert nodes_of(seen) == nodes_of(read(Memo(seed=9), CHAT, body))
    assert seen.conversation == read(Memo(seed=9), CHAT, body).conversation


@pytest.mark.parametrize("wire", [CHAT, RESPONSES, ANTHROPIC], ids=lambda wire: wire.name)
def test_leading_system_messages_are_head_and_later_ones_are_not(wire: Wire) -> None:
    # C6 headroom#2991: hoisting a later one rewrites the prefix and its meaning
    system = {"role": "system", "content": "It is noon."}
    plain = wire.messages(work(1))
    leading = read(Memo(seed=3), wire, wire.body([system, *plain], system="x"))
    later = read(Memo(seed=3), wire, wire.body([*plain, system], system="x"))
    assert leading.lead == 1 + len(wire.lead("x"))
    assert later.lead == len(wire.lead("x"))
    assert [message.role.value for message in later.conversation.messages][-1] == "system"
    assert len(leading.conversation.messages) == len(plain)
    assert leading.conversation.head.system_hash != later.conversation.head.system_hash
    assert leading.conversation.head.tokens > later.conversation.head.tokens


def test_markers_in_leading_system_messages_count_for_the_head() -> None:
    part = {"type": "text", "text": "rules", "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "system", "content": [part, part]}, *CHAT.messages(work(1))]
    assert read(Memo(seed=3), CHAT, CHAT.body(messages)).conversation.head.markers == 2


def test_leading_messages_are_remembered_without_their_bytes() -> None:
    memo, watched = Memo(seed=3), Watched(CHAT.dialect)
    body = CHAT.body(work(1), system="rule " * 1000)
    first = read(memo, CHAT, body)
    again = read(memo, CHAT, body, watched)  # type: ignore[arg-type]
    assert watched.parsed == []
    assert again.conversation == first.conversation
    assert [message.raw for message in memo.leads.values()] == [b""]


@every_wire
def test_a_head_is_read_once(wire: Wire) -> None:
    memo = Memo(seed=3)
    first, again = read(memo, wire, wire.body(work(1))), read(memo, wire, wire.body(work(2)))
    assert again.conversation.head is first.conversation.head
    assert read(memo, wire, wire.body(work(2), tool="other")).conversation.head != first.conversation.head


def test_models_that_count_otherwise_have_their_own_counts_and_the_same_prefixes() -> None:
    memo = Memo(seed=3)
    one, two = (read(memo, CHAT, CHAT.body(work(1), model=model)) for model in ("gpt-4.1", "deepseek-chat"))
    assert one.tree != two.tree
    assert nodes_of(one) == nodes_of(two)


def test_tenants_and_upstreams_share_no_prefix() -> None:
    memo, body = Memo(seed=3), CHAT.body(work(1))
    seen = [
        run(Reader(memo, tenant, upstream, lambda model: profile_for(PROFILES, model), counter).read(
            CHAT.dialect, body, CHAT.path))
        for tenant, upstream in ((b"a" * 32, "x"), (b"b" * 32, "x"), (b"a" * 32, "y"))
    ]  # fmt: skip
    assert len({node.prefix for one in seen for node in one.trail.nodes}) == 3 * len(seen[0].trail.nodes)


def test_a_model_in_the_path_is_read_from_there() -> None:
    memo = Memo(seed=3)
    wire = WIRES[3]
    body = wire.body(work(1)).replace(b'"model": "gemini-2.5-flash", ', b"")
    first = run(reader(memo).read(wire.dialect, body, wire.path))
    other = run(reader(memo).read(wire.dialect, body, wire.path.replace("2.5-flash", "2.5-pro")))
    assert (first.profile.name, other.profile.name) == ("gemini-2.5-flash", "gemini-2.5-pro")
