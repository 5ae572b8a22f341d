"""RECOVERABLE and ISOLATED: every placeholder can be redeemed before it leaves, by its own tenant alone."""

import asyncio
import hashlib
import re
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from policies.mask import Mask
from proxy.archive import About
from proxy.archive.memory import MemoryArchive
from proxy.exchange import Context, tenant_of
from proxy.store.memory import MemoryStore
from tests.proxy.driving import (
    ANTHROPIC,
    CHAT,
    IDLE,
    WIRES,
    Answer,
    Replica,
    Result,
    Results,
    Step,
    User,
    Wire,
    headers,
    large,
    listed,
    masked,
    run,
    texts,
    turns_of,
    work,
)
from tests.proxy.exchange.faults import FaultyArchive

every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
ID = re.compile(r"hf-[a-z2-7]{16}")


def ids_of(wire: Wire, body: bytes) -> list[str]:
    return [id for text in texts(wire, body) for id in ID.findall(text)]


async def redeemed(context: Context, key: bytes, ids: Sequence[str]) -> list[bytes | None]:
    tenant = tenant_of(context, key)
    return [await context.archive.get(tenant, id) for id in ids]


@every_wire
def test_every_placeholder_can_be_redeemed_when_its_request_leaves(wire: Wire) -> None:
    replica = Replica()
    for turn in turns_of(work(5)):
        prepared = run(replica.prepare(wire, wire.body(turn)))
        came, went = texts(wire, prepared.request.body), texts(wire, prepared.body)
        elided = [text for text, after in zip(came, went, strict=True) if text != after]
        kept = run(redeemed(replica.context, b"key", ids_of(wire, prepared.body)))
        assert kept == [text.encode() for text in elided]
        run(replica.send(wire, wire.body(turn)))
    assert len(kept) == 4


def test_the_archive_has_them_before_the_store_has_the_turn() -> None:
    order: list[str] = []

    class First(MemoryArchive):
        async def put(
            self, tenant: bytes, texts: Sequence[bytes], now: float, about: Sequence[About] = ()
        ) -> tuple[str, ...]:
            await asyncio.sleep(0)
            order.append("archive")
            return await super().put(tenant, texts, now, about)

    class Then(MemoryStore):
        async def put(self, record):  # type: ignore[no-untyped-def]
            order.append("store")
            return await super().put(record)

    run(Replica(archive=First(), store=Then()).prepare(CHAT, CHAT.body(work(3))))
    assert order == ["archive", "store"]


def test_what_the_archive_refuses_is_not_masked() -> None:
    replica = Replica(archive=MemoryArchive(max_bytes=100))
    *_, prepared = replica.session(CHAT, work(3))
    assert prepared.body is prepared.request.body
    assert set(replica.witness.degradations) == {("store", "archive_put")}


def test_an_archive_that_names_an_original_otherwise_is_not_trusted() -> None:
    archive = FaultyArchive()
    archive.misname = True
    replica = Replica(archive=archive)
    prepared = replica.turn(CHAT, work(4))
    assert prepared.body is prepared.request.body
    assert replica.witness.degradations == [("store", "archive_put")]


@pytest.mark.parametrize("text", [large("é 🙂 键"), 'tab\t quote " back\\slash\r\n' * 40, "\x00\x01" + large("x")])
@every_wire
def test_what_is_read_back_is_what_the_model_read(wire: Wire, text: str) -> None:
    steps: list[Step] = [User("Go."), Answer("Look.", ("odd",)), Results((Result("odd", text),)), *work(1)[1:]]
    replica = Replica()
    prepared = replica.turn(wire, steps)
    (id,) = ids_of(wire, prepared.body)
    assert run(redeemed(replica.context, b"key", [id])) == [text.encode()]


def test_several_text_parts_of_one_answer_are_read_back_as_read() -> None:
    messages = ANTHROPIC.messages(work(2))
    messages[2]["content"][0]["content"] = [{"type": "text", "text": large("a")}, {"type": "text", "text": "end"}]
    replica = Replica()
    prepared = run(replica.send(ANTHROPIC, ANTHROPIC.body(messages)))
    (id,) = ids_of(ANTHROPIC, prepared.body)
    assert run(redeemed(replica.context, b"key", [id])) == [(large("a") + "\nend").encode()]


@every_wire
def test_two_credentials_share_nothing(wire: Wire) -> None:
    # LiteLLM CVE-2026-35030: keyed by the first 20 characters of a token
    alice, bob = b"Bearer sk-proj-01234567890123456789-alice", b"Bearer sk-proj-01234567890123456789-bob"
    assert alice[:20] == bob[:20]
    replica, found = Replica(), {}
    for key in (alice, bob):
        for turn in turns_of(work(4)):
            found[key] = run(replica.send(wire, wire.body(turn), key=key))
        assert headers(found[key])["x-holdfast-turn"] == "5"
    ids = {key: set(ids_of(wire, prepared.body)) for key, prepared in found.items()}
    assert len(ids[alice]) == len(ids[bob]) == 3
    assert not ids[alice] & ids[bob]
    assert run(redeemed(replica.context, bob, sorted(ids[alice]))) == [None] * 3
    records = [prepared.planned.turn.record for prepared in found.values() if prepared.planned]
    assert len({record.root for record in records}) == len({record.session for record in records}) == 2
    assert len({record.tenant for record in records}) == len({record.prefix for record in records}) == 2
    assert not set(texts(wire, found[alice].body)) & set(texts(wire, found[bob].body)) - {large("c3")}


@every_wire
def test_the_session_of_another_tenant_is_only_a_name(wire: Wire) -> None:
    replica = Replica()
    for turn in turns_of(work(4)):
        run(replica.send(wire, wire.body(turn), key=b"alice", session="the session of alice"))
    replica.policy = IDLE
    stolen = run(replica.send(wire, wire.body(work(4)), key=b"bob", session="the session of alice"))
    assert stolen.body is stolen.request.body
    assert headers(stolen)["x-holdfast-turn"] == "1"


def test_the_same_request_to_two_upstreams_is_two_lineages() -> None:
    replica, found = Replica(), []
    for wire in (CHAT, CHAT):
        found.append(run(replica.send(wire, wire.body(work(3)))))
    other = Replica(store=replica.context.store, archive=replica.context.archive)
    assert found[0].planned and found[1].planned and found[0].planned.turn is found[1].planned.turn
    assert other.context.tenant_key == replica.context.tenant_key


def test_tenants_are_kept_by_the_whole_credential_and_forgotten_in_bulk() -> None:
    context = Replica().context
    first = tenant_of(context, b"0")
    assert tenant_of(context, b"0") is first
    tenants = {tenant_of(context, str(number).encode()) for number in range(10_001)}
    assert len(tenants) == 10_001
    assert len(context.tenants) == 1
    assert tenant_of(context, b"0") == first


def test_another_tenant_key_makes_other_tenants() -> None:
    context, other = Replica().context, Replica().context
    other.tenant_key = b"another"
    assert tenant_of(context, b"key") != tenant_of(other, b"key")
    assert hashlib.sha256(b"key").digest() != tenant_of(context, b"key")


@every_wire
def test_what_tools_are_excluded_or_report_a_failure_stays(wire: Wire) -> None:
    replica = Replica(replace(IDLE, mask=Mask(1, 61, exclude_tools=("read_*",), when="always")))
    *_, prepared = replica.session(wire, work(4))
    assert prepared.body is prepared.request.body
    assert masked(wire, prepared.body) == 0
    assert len(listed(wire, prepared.body)) == len(listed(wire, prepared.request.body))
