"""What a run came to, in words and as a document.

Rules of this room: pure. Lines fit a terminal; what is an estimate says so, and what is not known is not a
number. Nothing here comes from a header or a body but a model's name, which is shown without control characters.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from metrics.tally import ModelTally, Tally
from policies.core.edits import FIRST_SENDING
from proxy.tables import BOLD, PLAIN, WIDTH, render

SHADOW = "shadow"
"""The reason of whatever a policy in that mode decides."""
NO_LOG = "none: its folder cannot be written to"


@dataclass(frozen=True, slots=True)
class Ran:
    """One run, when it is over."""

    agent: str
    """The name of its command."""
    policy: str
    tally: Tally
    sessions: Mapping[str, Collection[str]]
    """Of each model, the names of its sessions."""
    store: str
    """Its file, or empty where state was in memory."""
    log: str
    read_back: str
    """The command that prints an original."""
    base: str
    given: tuple[str, ...]
    """What was set for it: variables, keys of its own configuration."""
    hint: str = ""
    """Why this agent may not have used it."""
    elsewhere: str = ""
    """What else can be done then."""


def document(ran: Ran) -> dict[str, Any]:
    """The form for programs."""
    tally = ran.tally
    models = {
        name: {
            "requests": model.requests,
            "sessions": len(ran.sessions.get(name, ())),
            "failed": model.failed,
            "unreported": model.unreported,
            "input_tokens": model.input,
            "cache_read_tokens": model.read,
            "cache_write_tokens": model.written,
            "uncached_tokens": model.uncached,
            "output_tokens": model.output,
            "hit_rate": _share(model.read, model.input),
            "cost_usd": model.actual_usd,
            "direct_usd_estimate": model.direct_usd,
        }
        for name, model in sorted(tally.models.items())
    }
    return {
        "agent": ran.agent,
        "policy": ran.policy,
        "models": models,
        "other_requests": tally.other,
        "refused_requests": tally.refused,
        "received_tokens_estimate": tally.received,
        "sent_tokens_estimate": tally.sent,
        "edits": [
            {"kind": kind, "verdict": verdict, "reason": reason, "edits": edits, "requests": tally.turns[name]}
            for name, edits in sorted(tally.edits.items())
            for kind, verdict, reason in [name]
        ],
        "losses": {cause: {"times": tally.losses[cause], "tokens": tokens} for cause, tokens in tally.lost.items()},
        "passthroughs": dict(tally.passthroughs),
        "rule_violations": dict(tally.violations),
        "store": ran.store or None,
        "log": ran.log or None,
    }


def report(ran: Ran, *, colour: bool = False) -> str:
    """What is printed."""
    head = _head(ran)
    lines = [f"{BOLD}{head}{PLAIN}" if colour else head]
    if ran.tally.models:
        lines += ["", _table(ran, colour), "", *_totals(ran.tally), *_done(ran.tally), *_where(ran)]
    else:
        lines += [*_silence(ran)]
    return "\n".join(lines)


def _head(ran: Ran) -> str:
    models = ran.tally.models.values()
    if not models:
        other = ran.tally.other + ran.tally.refused
        came = (
            f"{_many(other, 'request')}, none that asks a model for an answer" if other else "no request came through"
        )
        return f"holdfast: {came}"
    sessions = len({name for names in ran.sessions.values() for name in names})
    return (
        f"holdfast: {_many(sum(model.requests for model in models), 'request')}"
        f" in {_many(sessions, 'session')}, policy {ran.policy}"
    )


def _table(ran: Ran, colour: bool) -> str:
    header = ("model", "requests", "sessions", "input", "hit rate", "spent", "direct (est.)")
    rows = [
        (
            plain(name) or "(not read)",
            str(model.requests),
            str(len(ran.sessions.get(name, ()))),
            tokens(model.input),
            _percent(model.read, model.input),
            dollars(model.actual_usd),
            dollars(model.direct_usd),
        )
        for name, model in sorted(ran.tally.models.items())
    ]
    return render(header, rows, colour=colour)


def _totals(tally: Tally) -> Iterator[str]:
    models = tally.models.values()
    input, read = sum(model.input for model in models), sum(model.read for model in models)
    if input:
        written, fresh = sum(model.written for model in models), sum(model.uncached for model in models)
        yield (
            f"input     {tokens(input)} tokens: {tokens(read)} from cache ({_percent(read, input)}),"
            f"{f' {tokens(written)} written,' if written else ''} {tokens(fresh)} fresh"
        )
        yield f"output    {tokens(sum(model.output for model in models))} tokens"
    yield from _cost(models)
    if unreported := sum(model.unreported for model in models):
        yield f"unknown   {_many(unreported, 'answer')} without reported usage, in no figure above"
    if failed := sum(model.failed for model in models):
        yield f"errors    {_many(failed, 'request')} answered with an error"
    yield from _refused(tally)


def _refused(tally: Tally) -> Iterator[str]:
    if tally.refused:
        yield f"refused   {_many(tally.refused, 'request')} before any upstream; the log says why"


def _cost(models: Collection[ModelTally]) -> Iterator[str]:
    priced = [model for model in models if model.actual_usd is not None and model.direct_usd is not None]
    if not priced:
        return
    actual = sum(model.actual_usd or 0.0 for model in priced)
    direct = sum(model.direct_usd or 0.0 for model in priced)
    yield (
        f"cost      {dollars(actual)} at list prices; direct an estimated {dollars(direct)}"
        f"{_difference(actual, direct)}"
    )
    if len(priced) < sum(model.measured > 0 for model in models):
        yield "          (of the models whose prices in dollars are known)"


def _difference(actual: float, direct: float) -> str:
    change = (actual - direct) / direct if direct else 0.0
    if abs(change) < 0.005:
        return ": the same"
    return f": {abs(change):.0%} {'less' if change < 0 else 'more'}".replace("%", " %")


def _done(tally: Tally) -> Iterator[str]:
    masked, shaped = applied(tally, "mask"), applied(tally, "shape")
    fewer = f"; about {tokens(max(0, tally.received - tally.sent))} tokens fewer sent (estimate)"
    if masked:
        yield f"masked    {_many(masked, 'observation')}{fewer}"
    if shaped:
        yield f"shaped    {_many(shaped, 'observation')} before they were sent{'' if masked else fewer}"
    if notes := sum(applied(tally, kind, FIRST_SENDING) for kind in ("stabilize", "tools", "recite", "recall")):
        yield f"noted     {_many(notes, 'note')} at the tail"
    if kept := applied(tally, "stabilize", "replay"):
        yield f"replayed  {_many(kept, 'message')} in the bytes of their first sending"
    if planned := sum(n for (_, verdict, why), n in tally.turns.items() if (verdict, why) == ("applied", SHADOW)):
        yield f"shadow    {_many(planned, 'request')} would have been edited; all went out as they came"
    yield from _listed("deferred", _waits(tally), "requests on which masking would not have paid: ")
    losses = {cause: f"{tokens(lost)} tokens ({tally.losses[cause]}x)" for cause, lost in tally.lost.most_common()}
    yield from _listed("lost", losses, "cached tokens: ")
    yield from _listed("passed", {reason: str(n) for reason, n in tally.passthroughs.most_common()}, "not looked at: ")
    yield from _listed("violated", {rule: str(n) for rule, n in tally.violations.most_common()}, "original sent: ")


def _waits(tally: Tally) -> dict[str, str]:
    found = {
        reason: n
        for (kind, verdict, reason), n in tally.turns.most_common()
        if (kind, verdict) == ("mask", "deferred") and reason != SHADOW
    }
    return {reason: str(n) for reason, n in found.items()}


def _listed(label: str, items: Mapping[str, str], lead: str) -> Iterator[str]:
    """The items after a label, on as many lines as they need."""
    line = f"{label:<9} {lead}" if items else ""
    for number, (name, value) in enumerate(items.items(), start=1):
        item = f"{name} {value}".rstrip() + ("" if number == len(items) else ",")
        if len(line) + len(item) > WIDTH:
            yield line.rstrip()
            line = " " * 10
        line += f"{item} "
    if line:
        yield line.rstrip()


def _where(ran: Ran) -> Iterator[str]:
    if ran.store and applied(ran.tally, "mask"):
        yield f"originals {ran.read_back}"
    yield f"state     {ran.store or 'was in memory'}"
    yield f"log       {ran.log or NO_LOG}"


def _silence(ran: Ran) -> Iterator[str]:
    if not ran.tally.other and not ran.tally.refused:
        yield f"Does `{plain(ran.agent)}` read one of these?"
        yield from _listed("set", dict.fromkeys(ran.given, ""), f"for {ran.base}: ")
        yield from filter(None, (ran.hint, ran.elsewhere))
    yield from _refused(ran.tally)
    yield f"log       {ran.log or NO_LOG}"


def applied(tally: Tally, kind: str, why: str = "") -> int:
    """Edits of a kind that were sent, for this reason if one is named; of a policy in shadow they were only planned."""
    return sum(
        edits
        for (of, verdict, reason), edits in tally.edits.items()
        if of == kind and verdict == "applied" and (reason == why if why else reason != SHADOW)
    )


def tokens(count: int) -> str:
    """Short: 812, 12.3k, 1.20M."""
    if count < 1_000:
        return str(count)
    if count < 999_950:
        return f"{count / 1_000:.1f}k"
    return f"{count / 1_000_000:.2f}M"


def dollars(usd: float | None) -> str:
    """With four decimals below a dollar; a dash where it is not known."""
    if usd is None:
        return "-"
    return f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}"


def plain(name: str) -> str:
    """A name that came in a request, as a terminal may show it."""
    return "".join(char if char.isprintable() else "?" for char in name)[:60]


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percent(part: int, whole: int) -> str:
    share = _share(part, whole)
    return "-" if share is None else f"{share:.1%}".replace("%", " %")
