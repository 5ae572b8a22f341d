"""One session, played: direct, under each policy, masked on every turn, and by the best schedule.

Rules of this room: the first policy's masking is the baselines'. Its best schedule is found by
calculation and then really played, so all figures come about in the same way.
"""

import asyncio
import dataclasses
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from policies.core.conversation import Message
from policies.core.profile import Profile
from policies.policy import Limits, Policy
from proxy.dialects import Count
from proxy.replay.evidence import Evidence
from proxy.replay.figures import Figures
from proxy.replay.pipeline import Passed, PolicyAt, Stage, Step, direct, through
from proxy.replay.prompts import Reader
from proxy.replay.remembering import counted_once, remembered
from proxy.replay.schedule import Edits, Offer, Schedule, cheapest
from proxy.replay.wire import Call, Script

DIRECT, ALWAYS, OPTIMUM = "direct", "mask_every_turn", "optimum"
NEVER_FULL = 10**12
"""A limit in tokens that no request comes near."""


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
    masking = policies[0]
    every = await through(stage, always(switched(masking, on=True)))
    best = optimum(stage, masking, every)
    return Played(
        id=stage.script.id,
        model=stage.profile.name,
        policies={policy.name: _figures(await through(stage, always(policy))) for policy in policies},
        baselines={
            DIRECT: direct(stage),
            ALWAYS: _figures(every),
            OPTIMUM: _figures(await through(stage, scheduled(masking, best.moments))),
        },
        moments=best.moments,
        unit=stage.profile.unit,
    )


def optimum(stage: Stage, policy: Policy, every: Sequence[Passed]) -> Schedule:
    """The best moments, from a pass that masked on every turn: it tells what may be masked from when on."""
    offers = [
        Offer(call.now, step.received, one.conversation or step.received.conversation, step.output_tokens, one.applied)
        for call, step, one in zip(stage.script.calls, stage.steps, every, strict=True)
    ]

    def variant(message: Message, edits: Edits) -> Message:
        return stage.reader.message(stage.script.dialect.replace(message.raw, edits))

    return cheapest(offers, stage.profile, policy.mask.keep_newest, variant)


def always(policy: Policy) -> PolicyAt:
    """The same policy at every call."""
    return lambda turn: policy


def scheduled(policy: Policy, moments: Sequence[int]) -> PolicyAt:
    """The policy's masking at these calls and at no other."""
    chosen, on, off = frozenset(moments), switched(policy, on=True), switched(policy, on=False)
    return lambda turn: on if turn in chosen else off


def switched(policy: Policy, *, on: bool) -> Policy:
    """The policy with its masking at once, or waiting for a pressure that never comes."""
    mask = replace(policy.mask, when="always" if on else "on_pressure")
    return replace(policy, mode="enforce", holdout=0.0, mask=mask, limits=Limits(NEVER_FULL))


def _output(call: Call, answer: Sequence[Message]) -> int:
    return sum(message.tokens for message in answer) if call.output_tokens is None else call.output_tokens


def _figures(passed: Sequence[Passed]) -> tuple[Figures, ...]:
    return tuple(one.figures for one in passed)
