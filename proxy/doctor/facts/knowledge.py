"""Loads each vocabulary and every profile, as the proxy would.

Rules of this room: one vocabulary at a time; whatever loading raises is a fact.
"""

from typing import NamedTuple

from policies.core.profile import Profile
from proxy.doctor.knowledge import KnowledgeFacts
from proxy.errors import ConfigError
from proxy.profiles import FALLBACK, load_profiles
from proxy.tokens import Counters


class Looked(NamedTuple):
    facts: KnowledgeFacts
    newest: str
    """The date of the newest figure: it cannot be earlier than this."""


def look_at_knowledge() -> Looked:
    profiles, problem = _profiles()
    names: set[str] = {profile.tokenizer for profile in profiles}
    vocabularies = {name: problem_of(name) for name in sorted(names)}
    newest = max(source.date for profile in profiles for source in profile.sources)
    return Looked(KnowledgeFacts(vocabularies, len(profiles), problem), newest)


def _profiles() -> tuple[tuple[Profile, ...], str]:
    try:
        return load_profiles(), ""
    except ConfigError as error:
        return (FALLBACK,), str(error)


def problem_of(name: str) -> str:
    """Why a vocabulary cannot be loaded; empty where it can."""
    try:
        Counters().load(name)
    except (OSError, ValueError, KeyError) as error:
        return str(error)
    return ""
