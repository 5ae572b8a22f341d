"""Cache markers on recorded conversations, judged by the strict simulated provider and its own cache.

A client that sends no markers must read what a client reads that marks its system prompt and its newest message on
every turn; one that marks well is left alone, byte for byte.
"""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from policies.mask import Mask
from policies.policy import Policy
from policies.shape import Shape
from policies.stabilize import Stabilize
from proxy import exchange
from proxy.archive.memory import MemoryArchive
from proxy.dialects.registry import recognise
from proxy.exchange import Context, Request
from proxy.memo import Memo
from proxy.profiles import profile_for
from proxy.simulator.apis import Call, Desk, Memory
from proxy.simulator.bills import Reading
from proxy.simulator.caches import Shelves
from proxy.simulator.nodes import parse
from proxy.simulator.prompt import four_bytes_a_token
from proxy.store.memory import MemoryStore
from tests.end_to_end.recorded import APIS, CREDENTIALS, PROFILES, SEALS, Line, lines, unbound
from tests.end_to_end.running import COUNTERS, NOW
from tests.end_to_end.test_recorded import Faults

PLAIN = Policy(
    name="plain",
    mask=Mask(when="never"),
    shape=Shape(lossless=False, numbers=False, repeats=False),
    stabilize=Stabilize(pin_system=False, pin_tools=False),
)
"""The default policy, less what changes the prompt that the markers stand in."""
GAP = 10.0
UNMARKED = ("captures/pydantic-ai-anth", "captures/langchain-anthropic")
MARK = {"cache_control": {"type": "ephemeral"}}


class Sum(Struct, frozen=True):
    """What a session read and wrote, in tokens as the provider counts them."""

    total: int = 0
    read: int = 0
    write: int = 0


def creating(rows: Sequence[Line]) -> list[Line]:
    return [line for line in rows if line.method == "POST" and recognise(line.path)]


def sent(rows: Sequence[Line], gap: float = GAP) -> tuple[list[bytes], Faults]:
    """The bodies that leave."""
    faults = Faults()
    within = Context(
        MemoryStore(),
        MemoryArchive(),
        Memo(seed=1),
        lambda model, upstream: profile_for(PROFILES, model),
        COUNTERS.counter,
        lambda request, model: PLAIN,
        faults,
    )

    async def all_of_them() -> list[bytes]:
        found = []
        for number, line in enumerate(rows):
            dialect = recognise(line.path)
            assert dialect
            request = Request("recorded", dialect, line.path, line.body, b"tenant")
            found.append((await exchange.prepare(request, within, NOW + gap * number)).body)
        return found

    return asyncio.run(all_of_them()), faults


def served(rows: Sequence[Line], bodies: Sequence[bytes], gap: float = GAP) -> Sum:
    """What the provider bills for these bodies, one after another. It refuses what is not legal."""
    api, shelves, sums = APIS["anthropic_messages"], Shelves(four_bytes_a_token), Sum()
    desk = Desk(lambda name: unbound(api, name), SEALS, four_bytes_a_token, Memory())
    for number, (line, body) in enumerate(zip(rows, bodies, strict=True)):
        headers = {**{name.lower(): value for name, value in line.headers.items()}, **CREDENTIALS}
        asked = api.read(Call(line.path, {}, headers, body), parse(body, ""), desk, "recorded")
        reading, keep = shelves.look(asked.credential, asked.model, asked.profile, asked.prompt, NOW + gap * number)
        keep(())
        sums = added(sums, reading)
    return sums


def added(sums: Sum, reading: Reading) -> Sum:
    written = reading.write + reading.write_long
    return Sum(sums.total + reading.total, sums.read + reading.read, sums.write + written)


def well_marked(body: bytes) -> bytes:
    """As a careful client sends it."""
    fields = json.loads(body)
    if isinstance(fields.get("system"), str):
        fields["system"] = [{"type": "text", "text": fields["system"], **MARK}]
    last = fields["messages"][-1]
    if isinstance(last["content"], str):
        last["content"] = [{"type": "text", "text": last["content"]}]
    last["content"][-1] |= MARK
    return json.dumps(fields).encode()


def lengthened(rows: Sequence[Line], turns: int) -> list[Line]:
    """The last recorded conversation, gone on with: its newest step again and again, each told apart by its ids."""
    first = json.loads(rows[-1].body)
    step = [one for one in first["messages"][-2:]]
    found = list(rows)
    for number in range(turns):
        again: list[Any] = json.loads(json.dumps(step).replace('"toolu', f'"toolu_{number}'))
        first["messages"] = [*first["messages"], *again]
        last = rows[-1]
        body = json.dumps(first).encode()
        found.append(Line(last.number + number + 1, last.method, last.target, last.headers, body))
    return found


@pytest.mark.parametrize("file", UNMARKED)
def test_a_client_without_markers_reads_what_a_well_marked_one_reads(shared: Path, file: str) -> None:
    rows = creating(lines(shared, file))
    bodies, faults = sent(rows)
    assert faults.seen == []
    direct, ours, best = (
        served(rows, each) for each in ([row.body for row in rows], bodies, [well_marked(row.body) for row in rows])
    )
    assert direct.read == 0
    assert ours == best
    # All that was sent before and is large enough is read: more than that nobody could.
    assert ours.read >= 0.99 * (direct.total - ours.write - below_minimum(rows))


def below_minimum(rows: Sequence[Line]) -> int:
    """Tokens of the requests that are too short to be cached at all."""
    return sum(size for size in (served([row], [row.body]).total for row in rows) if size < 1024)


@pytest.mark.parametrize("file", UNMARKED)
def test_in_a_run_of_some_length_more_than_nine_tenths_are_read(shared: Path, file: str) -> None:
    rows = lengthened(creating(lines(shared, file)), 25)
    bodies, faults = sent(rows)
    assert faults.seen == []
    ours = served(rows, bodies)
    assert ours.read >= 0.90 * ours.total


@pytest.mark.parametrize("file", UNMARKED)
def test_pauses_of_seven_minutes_are_outlasted_once_they_are_known(shared: Path, file: str) -> None:
    rows = lengthened(creating(lines(shared, file)), 25)
    ours = served(rows, sent(rows, 420.0)[0], 420.0)
    assert ours.read >= 0.70 * ours.total
    assert served(rows, [well_marked(row.body) for row in rows], 420.0).read == 0


@pytest.mark.parametrize("file", ["captures/claude", "captures/claude-compact", "captures/opencode-anthropic"])
def test_a_client_that_marks_well_is_left_alone_byte_for_byte(shared: Path, file: str) -> None:
    rows = creating(lines(shared, file))
    bodies, faults = sent(rows)
    assert faults.seen == []
    changed = [row.number for row, body in zip(rows, bodies, strict=True) if body is not row.body]
    assert changed == []
