"""Asking a provider for its own diagnosis of a cache miss, in a request whose client has not asked.

Rules of this room: one top-level field more and nothing else; a client that sets the field itself is left alone. It
is asked about the turn before of the same lineage, by the id of its answer. Sources: `diagnostics` in anthropic
2.12.0, of the Claude API alone; `prompt_cache_options.comparison_response_id` in openai 3.54.0, from GPT-5.6.
"""

import msgspec

from policies.core.profile import Breakpoints
from proxy.dialects.slices import object_slices
from proxy.errors import DialectError
from proxy.reading import Seen

ANTHROPIC, OPENAI = "diagnostics", "prompt_cache_options"


def question(seen: Seen, path: str, answer: str) -> bytes:
    """The member to add; empty where none may be. `answer`: the id of the turn before's, where it is known."""
    match seen.dialect.name:
        case "anthropic_messages" if path.partition("?")[0].endswith("/v1/messages"):
            member = _member(ANTHROPIC, {"previous_message_id": answer or None})  # null: to be compared with later
        case "openai_responses" if answer and _from_5_6(seen):
            member = _member(OPENAI, {"comparison_response_id": answer})
        case _:
            return b""
    return b"" if seen.conversation.head.stand_down or _sets(seen, member) else member


def asking(body: bytes, member: bytes) -> bytes:
    """The body with this member behind its own."""
    end = body.rindex(b"}")
    return body[:end] + b"," + member + body[end:]


def _member(name: str, value: object) -> bytes:
    return b'"%b":%b' % (name.encode(), msgspec.json.encode(value))


def _from_5_6(seen: Seen) -> bool:
    rule = seen.profile.cache
    return isinstance(rule, Breakpoints) and rule.automatic


def _sets(seen: Seen, member: bytes) -> bool:
    """Whether the client sends this field; taken for so where that cannot be told."""
    try:
        names = {name for name, _, _ in object_slices(seen.cut.rest)}
    except DialectError:
        return True
    return member.partition(b'"')[2].partition(b'"')[0].decode() in names
