"""Replace an old observation by a short placeholder that says what it was and how to get it back."""

from typing import Literal

from msgspec import Struct


class Mask(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the mask policy."""

    keep_newest: int = 10
    """The newest observations are never masked."""
    min_tokens: int = 200
    """Shorter observations are left alone."""
    keep_errors: bool = True
    """Observations that report a failure are left alone."""
    exclude_tools: tuple[str, ...] = ()
    """Tools (shell patterns) whose observations are never masked."""
    when: Literal["pays", "always", "on_pressure", "never"] = "pays"
    """pays: at the moments that the planner finds. always: every turn. on_pressure: only near the limit."""
