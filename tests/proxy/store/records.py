"""Records for the tests of the stores: made from a few numbers, always the same."""

import hashlib

from policies.core.conversation import BlockHash, PrefixHash
from policies.core.edits import Anchor, Edit
from policies.core.lineage import Ledger, Record, Sent

ALICE, BOB = b"a" * 32, b"b" * 32

START = 1_800_000_000.0


def digest(*parts: object) -> bytes:
    """A hash that any process computes alike."""
    return hashlib.sha256(repr(parts).encode()).digest()


def record(
    turn: int = 0,
    *,
    lineage: str = "x",
    tenant: bytes = ALICE,
    head: str = "",
    parent: bytes | None = None,
    at: float | None = None,
    text: str = "hello",
) -> Record:
    """Turn `turn` of a lineage; `head` tells records at the same prefix apart."""
    before = digest("key", lineage, turn - 1, "") if turn else None
    return Record(
        key=digest("key", lineage, turn, head),
        tenant=tenant,
        prefix=PrefixHash(digest("prefix", lineage, turn)),
        parent=parent or before,
        root=digest("key", lineage, 0, ""),
        session=f"session-{lineage}",
        turn=turn,
        at=START + turn if at is None else at,
        model="claude-sonnet-4-5",
        head=(digest("tools"), digest("system"), digest("parameters", head)),
        base=turn,
        count=turn + 1,
        sent=(text.encode(),),
        edits=(Edit("mask", Anchor(BlockHash(digest("block", turn)), 1), "[masked]", 40, "hf-" + "a" * 16),),
        ledger=Ledger(direct_usd=0.5, actual_usd=0.25, rents=((Anchor(BlockHash(digest("wait")), 0), 7),)),
        last=Sent(at=START + turn, tokens=100, received_tokens=120),
    )
