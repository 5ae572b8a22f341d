"""One pass over a session: each call through `prepare` and `settle`, what left read back, served and judged.

Rules of this room: a pass has a store, an archive and a memory of its own, and a clock that is told.
The offline provider's usage is what is settled and what is priced. What the pipeline leaves undone
counts as a violation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from policies.core.conversation import Message
from policies.core.profile import Profile
from policies.core.usage import Usage, input_cost, output_cost
from policies.policy import Policy
from proxy.archive.memory import MemoryArchive
from proxy.dialects import Count
from proxy.exchange import Context, Prepared, Request, Settled, prepare, settle
from proxy.memo import Memo
from proxy.replay.evidence import Asked, Evidence
from proxy.replay.figures import Figures
from proxy.replay.legality import Pair, breaks, violations
from proxy.replay.prompts import Reader, Sent
from proxy.replay.provider import Provider
from proxy.replay.states import Place, makers, states
from proxy.replay.wire import Call, Script
from proxy.store.memory import MemoryStore

SEED = 7
"""Of the memo's hash: a replay is the same every time."""


class Step(Struct, frozen=True):
    """One call as every pass repeats it: what is received, and what the answer to it uses."""

    received: Sent
    output_tokens: int
    asked: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """One session, set up to be played again and again."""

    script: Script
    profile: Profile
    count: Count
    reader: Reader
    evidence: Evidence
    steps: tuple[Step, ...]

    def variant(self, message: Message, edits: tuple[tuple[int, str], ...]) -> Message:
        """A message with the content of some observations replaced."""
        return self.reader.message(self.script.dialect.replace(message.raw, edits))


@dataclass(slots=True)
class Alarm:
    """Notes what the pipeline leaves undone."""

    words: list[str] = field(default_factory=list)

    def accounted(self, settled: Settled) -> None:
        """Replay takes the offline provider's figures."""

    def degraded(self, what: str, reason: str) -> None:
        self.words.append(f"degraded_{what}")

    def taken(self) -> tuple[str, ...]:
        words, self.words = tuple(self.words), []
        return words


def direct(stage: Stage) -> tuple[Figures, ...]:
    """The session with nothing in between."""
    provider = Provider(stage.profile)
    return tuple(
        judged(stage, step, step.received, provider.answer(step.received.prompt, call.now, step.output_tokens))
        for call, step in zip(stage.script.calls, stage.steps, strict=True)
    )


async def through(stage: Stage, policy: Policy) -> tuple[Figures, ...]:
    """The session through the pipeline."""
    alarm = Alarm()
    context = Context(
        store=MemoryStore(),
        archive=MemoryArchive(),
        memo=Memo(SEED),
        profile=lambda model, upstream: stage.profile,
        counter=lambda profile: stage.count,
        policy=lambda request, model: policy,
        witness=alarm,
    )
    provider = Provider(stage.profile)
    passed: list[Figures] = []
    last: Pair | None = None
    for call, step in zip(stage.script.calls, stage.steps, strict=True):
        prepared = await prepare(_request(stage, call), context, call.now)
        sent = _read_back(stage, call, step, prepared.body, last)
        usage = provider.answer(sent.prompt, call.now, step.output_tokens)
        await settle(prepared, context, usage, call.now)
        wrong = (*_wrong(stage, last, (step.received, sent), prepared), *alarm.taken())
        by = makers(prepared.plan.in_force, _lead(prepared)) if prepared.plan else {}
        passed.append(judged(stage, step, sent, usage, wrong, by))
        last = step.received, sent
    return tuple(passed)


def judged(
    stage: Stage,
    step: Step,
    sent: Sent,
    usage: Usage,
    wrong: tuple[str, ...] = (),
    by: Mapping[Place, str] | None = None,
) -> Figures:
    """The figures of one call. `by`: the rule that made each block what it is; None: masked, where it is another."""
    profile = stage.profile
    total = sent.prompt.total
    return Figures(
        input_tokens=total,
        read=usage.cache_read or 0,
        written=usage.cache_write or 0,
        output_tokens=step.output_tokens,
        input_usd=input_cost(profile, usage),
        output_usd=output_cost(profile, usage),
        received_tokens=step.received.prompt.total,
        fill=total / profile.limit(None),
        score=stage.evidence.score(step.asked, sent),
        states=states(step.received, sent, by or {}),
        violations=wrong,
    )


def _request(stage: Stage, call: Call) -> Request:
    script = stage.script
    return Request("replay", script.dialect, script.path, call.body, session=script.id)


def _read_back(stage: Stage, call: Call, step: Step, body: bytes, last: Pair | None) -> Sent:
    """What was sent; the same bytes as received read the same."""
    return step.received if body == call.body else stage.reader.read(body, last[1] if last else None)


def _wrong(stage: Stage, last: Pair | None, now: Pair, prepared: Prepared) -> tuple[str, ...]:
    broken = breaks(last, now, prepared.plan, _lead(prepared), stage.profile) if last else ()
    return (*violations(*now, stage.profile, last[1] if last else None), *broken)


def _lead(prepared: Prepared) -> int:
    """System messages at the front, which a plan does not count."""
    return prepared.planned.seen.lead if prepared.planned else 0
