"""Cache markers, and the fields by which a request finds the cache that holds its prefix.

Where markers go is the planner's to say (core/markers.py). A `prompt_cache_key` brings the requests of one
lineage to the server that has its prefix, where a provider keeps caches apart by server (xAI, by a header in Chat
Completions) or asks for it (Mistral). OpenAI gets none: before GPT-5.6 it only matters above some 15 requests a
minute, from then on it parts what sessions could share. A key is part of what is cached, so a lineage has its key
from its first request or never.
"""

import hashlib

from msgspec import Struct

from policies.core.conversation import Conversation, Role
from policies.core.lineage import Lineage
from policies.core.profile import Profile

KEY, SALT = "prompt_cache_key", "cache_salt"


class Breakpoints(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the breakpoints policy."""

    auto: bool = True
    """Add cache markers where they pay, and a `prompt_cache_key` where it helps. Those of the client stay."""
    cache_salt: bool = False
    """Keep each tenant's cache apart on an engine that takes a `cache_salt` (vLLM). Tenants then share no prefix."""

    def members(
        self, conversation: Conversation, lineage: Lineage, profile: Profile, root: bytes
    ) -> tuple[tuple[str, str], ...]:
        """Top-level fields to add to the request. `root`: the key of the lineage's first record."""
        sent, found = conversation.head.names_cache, []
        if self.auto and KEY not in sent and conversation.dialect in profile.takes_cache_key:
            found.append((KEY, _key(conversation, lineage, root)))
        if self.cache_salt and SALT not in sent and conversation.dialect in profile.takes_cache_salt:
            found.append((SALT, hashlib.sha256(b"salt" + lineage.tenant).hexdigest()))
        return tuple((name, value) for name, value in found if value)

    def headers(
        self, conversation: Conversation, lineage: Lineage, profile: Profile, root: bytes
    ) -> tuple[tuple[str, str], ...]:
        """Headers to add to the request, where it has none of that name."""
        if not self.auto or not profile.cache_header or conversation.dialect != "openai_chat":
            return ()
        key = _key(conversation, lineage, root)
        return ((profile.cache_header, key),) if key else ()


def _key(conversation: Conversation, lineage: Lineage, root: bytes) -> str:
    """The lineage's key; empty where it has none: it had begun before."""
    if lineage.last is not None:
        return lineage.last.key
    begun = any(message.role is Role.ASSISTANT for message in conversation.messages)
    return "" if begun else f"hf-{hashlib.sha256(b'key' + root).hexdigest()[:32]}"
