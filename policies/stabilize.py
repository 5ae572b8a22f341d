"""Keep what was sent before byte-identical: messages in other bytes, and a head that says nearly the same.

Providers cache from the front, so one word that changes in a tool's description or in the system prompt loses
the whole conversation behind it. Where only short spans read otherwise, the head goes out as it was sent
before, and a note behind the newest message says what the client says now. What the model knows is the same;
the cached prefix stays. Whether that pays is asked on the turn (pinning); here is what may be kept at all.

Never kept: other tools, another schema, other blocks, whole paragraphs, another model. Those are the client's
own changes. The notes are never taken back: a later change, and the way back, is noted behind them.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from policies.core.heads import Rewording, Span, spans

SHORT = 200
"""Characters of a span that a note may carry."""
DESCRIPTION_SHARE = 1 / 10
"""Of a tool's description that may read otherwise."""
DESCRIPTIONS = 5
"""Tools whose descriptions may read otherwise at once."""
SYSTEM_SHARE = 0.02
"""Of the system prompt that may read otherwise, what is recognised as volatile left aside."""

NOTE = "[context note: "
AGAIN = f"{NOTE}tools and system prompt hold again as they stand above, without the changes noted since]"


class Stabilize(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the stabilize policy."""

    replay: bool = True
    """Send a block that is canonically equal to one sent before in the bytes of its first sending."""
    pin_system: bool = True
    """Send the system prompt as it was sent before where only short spans differ, and note them at the tail."""
    pin_tools: bool = True
    """Send the tools as they were sent before where only their order or short spans of descriptions differ."""


def tools_refusal(texts: Sequence[Rewording]) -> str:
    """Why tools with these descriptions cannot go out as before; empty where they can."""
    if len({text.place for text in texts}) > DESCRIPTIONS:
        return "many_changes"
    for text in texts:
        changed = [span.size for span in spans(text)]
        longest = max(len(text.before), len(text.after))
        if max(changed) > SHORT or sum(changed) > max(1.0, DESCRIPTION_SHARE * longest):
            return "long_change"
    return ""


def system_refusal(texts: Sequence[Rewording], characters: int) -> str:
    """The same of a system prompt with so many characters."""
    changed = [span for text in texts for span in spans(text)]
    if any(span.size > SHORT for span in changed):
        return "long_change"
    others = sum(span.size for span in changed if not span.volatile and not span.harmless)
    return "long_change" if others > SYSTEM_SHARE * characters else ""


def drift(texts: Sequence[Rewording]) -> str:
    """What a note says of them; empty where a model has no use for any of it."""
    return "; ".join(f"{text.place} {_said(span)}" for text in texts for span in _told(text))


def steady(texts: Sequence[Rewording]) -> bool:
    """Whether nothing differs but what is recognised to change by itself: a date, an id, a version.

    Not the line by which a provider bills: one session must not go out under another's.
    """
    return all(span.volatile and not span.harmless for text in texts for span in spans(text))


def note(drifts: Sequence[str], before: str) -> str:
    """The note to append; empty where none is needed. `before`: the last one appended on this lineage."""
    said = "; ".join(filter(None, drifts))
    now = f"{NOTE}{said}]" if said else AGAIN if before else ""
    return now if now != before else ""


def is_drift(text: str) -> bool:
    """Whether a note is one of these."""
    return text.startswith(NOTE)


def _told(text: Rewording) -> Iterator[Span]:
    return (span for span in spans(text) if not span.harmless)


def _said(span: Span) -> str:
    before, after = span.quotes
    if not span.before:
        return f'now also reads "{after}"'
    return f'now reads "{after}" where it read "{before}"'
