"""Whether a request gets the tool `recall`, and where it stands.

Rules of this room: decided at the first turn of a lineage and never changed, so that the provider's cache holds: a
conversation first met with a past never gets it. It stands last among the tools, spliced in; no byte of the client's
moves otherwise. It must not know why a policy wants it.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from policies.core.conversation import Role
from policies.core.profile import MILLION
from policies.core.usage import Usage
from proxy.answering.definition import DEFINITIONS, NAME
from proxy.dialects.slices import array_slices, find_value
from proxy.errors import DialectError
from proxy.lineages import Place
from proxy.reading import Seen

TOKENS = 140
"""Of its definition, by o200k."""
_AUTO = (b'"auto"', b'{"type":"auto"}')


class _Choices(Struct, frozen=True):
    """What in a request may stand against a further tool."""

    tool_choice: Raw = Raw(b"null")
    n: int | None = None
    store: bool | None = None
    background: bool | None = None


def offered(seen: Seen, place: Place, path: str, wanted: bool) -> bool:
    """Whether the lineage has the tool, on this turn or not. `wanted`: the policy asks for it."""
    head, turn = seen.conversation.head, place.retry or place.parent
    if turn is not None and turn.record.offered:
        return True
    if not wanted or (turn is not None and turn.record.head[0] == head.tools_hash):
        return False
    past = any(message.role is Role.ASSISTANT for message in seen.conversation.messages)
    return not past and fits(seen, path) and _free(seen.cut.rest, seen.dialect.name)


def answered_here(seen: Seen, path: str, offering: bool, withdrawn: Sequence[str]) -> frozenset[str]:
    """Tools whose calls Holdfast answers: its own, and those that are listed although the client has none of them."""
    return frozenset((*((NAME,) if offering else ()), *withdrawn)) if _readable(seen, path) else frozenset()


def with_tool(seen: Seen, body: bytes) -> bytes:
    """The body with the tool behind the client's own. Raises DialectError."""
    cut = seen.cut
    _, end = find_value(cut.rest, ("tools",))
    end -= 1
    at = end if end < cut.begin else end + len(body) - len(cut.rest)
    return b"%b,%b%b" % (body[:at], DEFINITIONS[seen.dialect.name], body[at:])


def tool_cost(seen: Seen, answers: frozenset[str], usage: Usage) -> float:
    """What the tool's own definition has cost (estimate): without Holdfast it would not have been there."""
    if NAME not in answers:
        return 0.0
    prices = seen.profile.prices_for(usage.input or 0)
    return TOKENS * (prices.read if usage.cache_read else prices.input) / MILLION


def fits(seen: Seen, path: str) -> bool:
    """The client has tools, none of this name, and its history is its own to keep."""
    head = seen.conversation.head
    other = all(name != NAME for name, _ in head.definitions)
    return other and not head.stand_down and _readable(seen, path) and _listed(seen.cut.rest)


def _listed(rest: bytes) -> bool:
    """Whether there is a list of tools, and something in it."""
    try:
        start, end = find_value(rest, ("tools",))
        return bool(array_slices(rest[start:end]))
    except DialectError:
        return False


def _readable(seen: Seen, path: str) -> bool:
    """Whether calls can be taken out of its answer.

    Bedrock's streams are no events that are read here. Gemini signs the first of several calls for all of them, behind
    the chat API too: without that one it would refuse the others.
    """
    return seen.dialect.name in DEFINITIONS and "/model/" not in path and seen.profile.provider != "google"


def _free(rest: bytes, dialect: str) -> bool:
    """The model may choose any tool, gives one answer, and the provider does not keep a history of its own."""
    try:
        choices = msgspec.json.decode(rest, type=_Choices)
    except msgspec.DecodeError:
        return False
    chosen = bytes(choices.tool_choice).replace(b" ", b"")
    kept = dialect == "openai_responses" and (choices.store is not False or choices.background)
    return chosen in (b"null", *_AUTO) and choices.n in (None, 1) and not kept
