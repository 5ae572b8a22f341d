"""A dialect that also takes given texts for observations.

A trace says of some user messages that they are tool output, in shapes that no table knows. Here that
knowledge joins the dialect, so everything behind it sees observations. It must not know traces.
"""

import dataclasses
from collections.abc import Callable

import msgspec

from policies.core.conversation import Kind, Role
from proxy.dialects.failures import failed
from proxy.dialects.parts import Object, Part
from proxy.dialects.view import Parts, View


def observing(view: View, texts: frozenset[str]) -> View:
    """The dialect with these texts known as observations where a user message holds them."""
    return dataclasses.replace(view, parts=_reader(view.parts, texts)) if texts else view


def _reader(parts: Callable[[Object], Parts], texts: frozenset[str]) -> Callable[[Object], Parts]:
    def read(message: Object) -> Parts:
        role, found = parts(message)
        if role is not Role.USER:
            return role, found
        alone, plain = len(found) == 1, isinstance(message.get("content"), str)
        return role, [
            _observed(part, alone, plain) if part.kind is Kind.TEXT and part.text in texts else part for part in found
        ]

    return read


def _observed(part: Part, alone: bool, plain: bool) -> Part:
    """Editable only where it is all that the message says."""
    place = part.path if plain else (*part.path, "text")
    return msgspec.structs.replace(
        part, kind=Kind.OBSERVATION, content=place if alone else None, failed=failed(part.text)
    )
