"""What was found about tools, as a document for programs and as tables for people.

Rules of this room: no table is wider than a terminal; names are cut and never control a terminal; no text of a
description is shown. Amounts are labelled as estimates. What is not known is `-`, or null.
"""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from proxy.replay.report import money, share
from proxy.tables import WIDTH, render
from proxy.toolbox.remarks import Overlap, overlaps, vagueness
from proxy.toolbox.tally import Toolset, Used

HEADER = ("tool", "tokens", "head", "calls", "last", "cost", "remarks")
LONGEST = 24
"""Characters of a name in a table; its ends are shown, for tools of one family begin alike."""
LONGEST_DOCUMENTED = 128
FOOT = (
    "head: share of tools and system prompt. last: the turn of the last call. cost: of the definition alone, estimated "
    "from its tokens, at the prices of what was reported as read, written or neither; where nothing was reported, "
    "every request but the first is taken to read it."
)
ADVICE = (
    "Unused in these sessions is not useless, and a recording does not hold its last answer, with which a tool that "
    "ends a session is called. Leave out what is not needed before a session begins, in the agent's configuration: "
    "taking a tool away in the middle changes the front of the prompt, and all that follows is paid for anew."
)


def document(found: Sequence[Toolset]) -> dict[str, Any]:
    """Everything, under the documented names."""
    return {"estimated": True, "toolsets": [_document(one) for one in found]}


def text(found: Sequence[Toolset], *, colour: bool = False) -> str:
    """A table for each toolset, and what follows from it."""
    if not found:
        return "no recorded request defines a tool"
    parts = ["\n".join(_section(one, colour)) for one in found]
    return "\n\n".join([*parts, _filled(FOOT), *([_filled(ADVICE)] if any(one.idle for one in found) else [])])


def _section(one: Toolset, colour: bool) -> Iterator[str]:
    pairs = overlaps([used.definition for used in one.tools])
    yield _filled(_heading(one))
    yield ""
    yield render(HEADER, [_row(used, pairs, one.profile.unit) for used in one.tools], colour=colour)
    notes = list(_notes(one, pairs))
    if notes:
        yield ""
        yield from notes
    yield ""
    yield _filled(_idle(one))


def _heading(one: Toolset) -> str:
    known = "" if one.profile.unit == "usd" else ", prices not known"
    return (
        f"{_documented(one.model)}{known}: {_number(len(one.tools), 'tool')}, {_number(one.sessions, 'session')}, "
        f"{_number(one.requests, 'request')}"
    )


def _row(used: Used, pairs: Sequence[Overlap], unit: str) -> tuple[str, ...]:
    one = used.definition
    return (
        shown(one.label),
        "-" if one.bare else f"{one.tokens:,}",
        "-" if one.bare else share(used.share),
        f"{used.calls:,}" if used.calls or used.countable else "-",
        f"{used.last[1]}/{used.last[2]}" if used.last else "-",
        money(used.cost) if _priced(used, unit) else "-",
        ", ".join(_remarks(used, pairs)),
    )


def _priced(used: Used, unit: str) -> bool:
    """In dollars, for what stood in prompts and is known."""
    return unit == "usd" and used.requests > 0 and not used.definition.bare


def _remarks(used: Used, pairs: Sequence[Overlap]) -> Iterator[str]:
    """In a word each; `_notes` says more."""
    one = used.definition
    remarks = {
        "deferred": one.deferred,
        "built in": bool(one.kind),
        "name only": one.bare,
        "unused": used.idle,
        "alike": any(one.label in pair.these for pair in pairs),
        "vague": bool(vagueness(one)),
        "changed": used.changed,
    }
    return (word for word, holds in remarks.items() if holds)


def _notes(one: Toolset, pairs: Sequence[Overlap]) -> Iterator[str]:
    """The reason for each remark that has one."""
    for pair in pairs:
        first, second = map(_documented, pair.these)
        same = "say the same" if pair.by == "name" else f"share {pair.score:.0%} of the words they begin with"
        yield _note(f"{first} and {second} are alike: their {pair.by}s {same}")
    for used in one.tools:
        name, why = _documented(used.definition.label), vagueness(used.definition)
        if why:
            yield _note(f"{name} is vague: {'; '.join(why)}")
        if used.changed:
            often = _number(used.changed, "time")
            yield _note(f"{name} changed within a session, {often}: what was cached behind it was lost")
    if one.partial:
        yield _note(f"the provider keeps the history of {_number(one.partial, 'request')}: calls in it are not seen")
    for name, calls in one.undefined:
        yield _note(f"{_documented(name)} was called {_number(calls, 'time')}, but no request defines it")


def _idle(one: Toolset) -> str:
    idle = one.idle
    if not idle:
        return "Every tool whose calls can be seen was called."
    said = f"{len(idle)} of {_number(len(one.tools), 'tool')} never called in what was recorded"
    tokens = sum(used.definition.tokens for used in idle)
    if not tokens:
        return f"{said}; how long their definitions are was not."
    dollars = f", {money(_waste(one))} a session" if one.profile.unit == "usd" else ""
    part = share(tokens / one.head)
    return f"{said}: about {tokens:,} tokens in each request, {part} of the head{dollars} (estimated)."


def _waste(one: Toolset) -> float:
    """What the definitions of idle tools cost a session."""
    return sum(used.cost for used in one.idle) / one.sessions


def _document(one: Toolset) -> dict[str, Any]:
    pairs = overlaps([used.definition for used in one.tools])
    return {
        "model": one.model,
        "profile": one.profile.name,
        "sessions": one.sessions,
        "requests": one.requests,
        "head_tokens": one.head,
        "tools": [_tool(used, pairs, one.profile.unit) for used in one.tools],
        "unused": {
            "tools": len(one.idle),
            "tokens": sum(used.definition.tokens for used in one.idle),
            "cost_usd_per_session": _waste(one) if one.profile.unit == "usd" else None,
        },
        "undefined_calls": {_documented(name): calls for name, calls in one.undefined},
    }


def _tool(used: Used, pairs: Sequence[Overlap], unit: str) -> dict[str, Any]:
    one = used.definition
    return {
        "name": _documented(one.label),
        "type": _documented(one.kind) if one.kind else None,
        "tokens": None if one.bare else one.tokens,
        "head_share": None if one.bare else used.share,
        "requests": used.requests,
        "calls": used.calls if used.calls or used.countable else None,
        "last": dict(zip(("session", "turn", "turns"), used.last, strict=True)) if used.last else None,
        "cost_usd": used.cost if _priced(used, unit) else None,
        "remarks": list(_remarks(used, pairs)),
        "alike": [_alike(pair, one.label) for pair in pairs if one.label in pair.these],
        "vague": list(vagueness(one)),
        "parameters": one.parameters,
        "parameters_undescribed": one.undescribed,
        "changed": used.changed,
    }


def _alike(pair: Overlap, label: str) -> dict[str, Any]:
    other = pair.these[pair.these[0] == label]
    return {"tool": _documented(other), "by": pair.by, "score": pair.score}


def shown(name: str, most: int = LONGEST) -> str:
    """A name as it may be printed: with nothing that a terminal would obey."""
    visible = "".join(letter if letter.isprintable() else "?" for letter in name) or "(no name)"
    half = most // 2
    return visible if len(visible) <= most else f"{visible[: half - 1]}…{visible[-half:]}"


def _documented(name: str) -> str:
    return shown(name, LONGEST_DOCUMENTED)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _note(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="    ")


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH)
