"""Formats that are relayed and measured, but not viewed: nothing in them is ever edited.

Rules of this room: such a dialect recognises its paths, reads usage and words an error. Asked for more, it
says `measured_only`, with which the request passes through.
"""

import re
from collections.abc import Callable

from policies.core.conversation import Head, Role
from policies.core.divergence import Prompt
from proxy.dialects import Count
from proxy.dialects.parts import Object, opaque
from proxy.dialects.usages import Source
from proxy.dialects.view import Parts, View
from proxy.errors import DialectError


def measured(name: str, path: re.Pattern[str], source: Source, error: Callable[[int, str], bytes]) -> View:
    """A dialect of which only usage is read."""
    return View(
        name=name,
        list_key="messages",
        recognises=lambda asked: path.search(asked) is not None,
        parts=_parts,
        heading=_heading,
        prompting=_prompting,
        source=source,
        error=error,
        message_tokens=0,
    )


def _parts(message: Object) -> Parts:
    return Role.USER, [opaque(message)]


def _heading(rest: bytes, path: str, count: Count) -> Head:
    raise DialectError("measured_only")


def _prompting(rest: bytes) -> Prompt:
    raise DialectError("measured_only")
