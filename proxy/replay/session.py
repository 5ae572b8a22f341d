"""One session, played: direct, under each policy, masked on every turn, and by the best schedule.

Rules of this room: policies go through the pipeline. The baselines are of plain masking, and do not pass it:
a policy's mistakes are no part of them.
"""

import asyncio
import dataclasses
from collections.abc import Collection, Sequence

from msgspec import Struct

from policies.core.conversation import Message
from policies.core.profile import Profile
from policies.policy import Policy
from proxy.dialects import Count
from proxy.replay.evidence import Evidence
from proxy.replay.figures import Figures
from proxy.replay.legality import violations
from proxy.replay.pipeline import Stage, Step, direct, judged, through
from proxy.replay.plain import NEWEST, becoming
from proxy.replay.prompts import Reader
from proxy.replay.remembering import counted_once, remembered
from proxy.replay.schedule import Offer, cheapest, played
from proxy.replay.wire import Call, Script

DIRECT, ALWAYS, OPTIMUM = "direct", "mask_every_turn", "optimum"


class Played(Struct, frozen=True):
    """What came of one session: the figures of each call, by pass."""

    id: str
    model: str
    policies: dict[str, tuple[Figures, ...]]
    baselines: dict[str, tuple[Figures, ...]]
    moments: tuple[int, ...] = ()
    """Calls (from 0) at which the optimum masks."""
    unit: str = "usd"
    """What costs are in, as the profile says: "usd" or "relative"."""


def play(script: Script, profile: Profile, policies: Sequence[Policy], count: Count) -> Played:
    """Play a session under every policy and baseline."""
    remembering = dataclasses.replace(script, dialect=remembered(script.dialect))
    stage = staged(remembering, profile, counted_once(count))
    return asyncio.run(_play(stage, policies))


def staged(script: Script, profile: Profile, count: Count) -> Stage:
    """Read a session as received, and what each of its answers uses."""
    reader, evidence = Reader(script.dialect, script.path, count), Evidence(script.dialect, count)
    answers = [[reader.message(raw) for raw in call.answer] for call in script.calls]
    steps: list[Step] = []
    for call, answer, wanted in zip(script.calls, answers, evidence.learn(answers), strict=True):
        received = reader.read(call.body, steps[-1].received if steps else None)
        head = (call.opening + call.closing).decode("utf-8", "replace")
        steps.append(Step(received, _output(call, answer), tuple(evidence.asked(wanted, received, head))))
    return Stage(script, profile, count, reader, evidence, tuple(steps))


async def _play(stage: Stage, policies: Sequence[Policy]) -> Played:
    offers = offered(stage)
    best = cheapest(offers, stage.profile, NEWEST, stage.variant)
    return Played(
        id=stage.script.id,
        model=stage.profile.name,
        policies={policy.name: await through(stage, policy) for policy in policies},
        baselines={
            DIRECT: direct(stage),
            ALWAYS: masked(stage, offers, None),
            OPTIMUM: masked(stage, offers, best.moments),
        },
        moments=best.moments,
        unit=stage.profile.unit,
    )


def offered(stage: Stage, newest: int = NEWEST) -> list[Offer]:
    """What plain masking may do at each call."""
    becomes = becoming([step.received.messages for step in stage.steps], newest)
    return [
        Offer(call.now, step.received, step.output_tokens, new)
        for call, step, new in zip(stage.script.calls, stage.steps, becomes, strict=True)
    ]


def masked(stage: Stage, offers: Sequence[Offer], moments: Collection[int] | None) -> tuple[Figures, ...]:
    """Plain masking at these moments; None: on every call."""
    sendings = played(offers, stage.profile, NEWEST, stage.variant, moments)
    return tuple(
        judged(stage, step, sent, usage, violations(step.received, sent, stage.profile))
        for step, (sent, usage) in zip(stage.steps, sendings, strict=True)
    )


def _output(call: Call, answer: Sequence[Message]) -> int:
    return sum(message.tokens for message in answer) if call.output_tokens is None else call.output_tokens
