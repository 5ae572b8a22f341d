"""A policy file as a value: what is on, with which settings.

Rules of this room: a policy is its own configuration, an unknown key is an error. Names are those
of the documented policy file and stay; a setting that this version does not act on is listed in
`NOT_IN_EFFECT`, and `holdfast policy` says so.
"""

from typing import Literal

from msgspec import Struct

from policies.breakpoints import Breakpoints
from policies.mask import Mask, MaskForTool
from policies.recite import Recite
from policies.shape import Shape, ShapeForTool
from policies.stabilize import Stabilize
from policies.tools import Tools

NOT_IN_EFFECT = ("compact",)


class Compact(Struct, frozen=True, forbid_unknown_fields=True):
    """Summarise the older turns when the context fills."""

    trigger: float = 0.80
    prepare: float = 0.70
    keep_newest_turns: int = 4
    model: str = "same"
    max_summary_tokens: int = 4000


class Recall(Struct, frozen=True, forbid_unknown_fields=True):
    """How an agent reads back what was elided."""

    inject: bool = False
    """Offer the tool `recall` from a conversation's first turn on; Holdfast answers its calls, the agent sees none."""


class Explain(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for so that a loss can be explained."""

    ask_provider: bool = False
    """Ask the provider why it missed its cache: `diagnostics` (Claude API), `prompt_cache_options` (from GPT-5.6)."""


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits in tokens; null takes the profile's."""

    effective: int | None = None


class ForTool(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of one tool."""

    mask: MaskForTool = MaskForTool()
    shape: ShapeForTool = ShapeForTool()


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """One policy file."""

    name: str
    mode: Literal["enforce", "shadow", "off"] = "enforce"
    """enforce: edit. shadow: plan and count, send the original. off: relay and measure."""
    holdout: float = 0.0
    """Share of sessions, chosen by hash, that run in shadow for comparison."""
    stabilize: Stabilize = Stabilize()
    shape: Shape = Shape()
    mask: Mask = Mask()
    compact: Compact = Compact()
    breakpoints: Breakpoints = Breakpoints()
    tools: Tools = Tools()
    recite: Recite = Recite()
    recall: Recall = Recall()
    explain: Explain = Explain()
    limits: Limits = Limits()
    per_tool: dict[str, ForTool] = {}
