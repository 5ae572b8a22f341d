"""Which policy applies to a request, and with which settings to a tool.

Rules of this room: pure. First match wins; what a client asks for by name wins over the routes, and
an unknown name is as if nothing had been asked. It must not know where routes were read.
"""

from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from policies.mask import Mask, MaskForTool
from policies.policy import ForTool, Policy
from policies.shape import Shape, ShapeForTool
from policies.stabilize import Stabilize

OFF = Policy(name="off", mode="off", stabilize=Stabilize(replay=False), mask=Mask(when="never"))
"""Relay and measure; always available by name, so no policy may be called `off`."""


class Match(Struct, frozen=True, forbid_unknown_fields=True):
    """Shell patterns, all of which must match, upper and lower case alike."""

    model: str = "*"
    """The model's name as it stands in the request."""
    agent: str = "*"
    """The agent's name: of the x-holdfast-agent header, or as recognised."""
    path: str = "*"
    """The path below the upstream."""
    upstream: str = "*"
    """The upstream's name."""


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `routes`."""

    policy: str
    """A preset, a name under `policies`, or a policy file."""
    match: Match = Match()
    """Without a match, the entry is for everything."""


class Routes(Struct, frozen=True):
    """The routes and every policy that can be named, as one value: it is swapped whole on a reload."""

    entries: tuple[Route, ...]
    policies: dict[str, Policy]
    """By name; `default` is always among them."""


def policy_for(routes: Routes, *, upstream: str, path: str, model: str, agent: str, asked: str = "") -> Policy:
    """The policy of a request. `asked`: the name in its x-holdfast-policy header, or empty."""
    if asked == OFF.name:
        return OFF
    if asked in routes.policies:
        return routes.policies[asked]
    for route in routes.entries:
        if matches(route.match, upstream=upstream, path=path, model=model, agent=agent):
            return routes.policies[route.policy]
    return routes.policies["default"]


def in_use(routes: Routes) -> tuple[str, ...]:
    """The policies that a request may get without asking for one, in order; `default` where all routes may pass it."""
    names = [route.policy for route in routes.entries]
    ends = bool(routes.entries) and routes.entries[-1].match == Match()
    return tuple(names) if ends else (*names, "default")


def matches(match: Match, *, upstream: str, path: str, model: str, agent: str) -> bool:
    """Whether all patterns of a match hold."""
    pairs = ((model, match.model), (agent, match.agent), (path, match.path), (upstream, match.upstream))
    return all(fnmatchcase(value.lower(), pattern.lower()) for value, pattern in pairs)


def in_holdout(session_id: str, share: float) -> bool:
    """Whether this session runs in shadow for comparison: the same answer on every replica and turn."""
    digest = blake2b(session_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"holdout").digest()
    return int.from_bytes(digest) < share * 2**64


def mask_for(policy: Policy, tool: str) -> Mask:
    """The mask settings of one tool: its own where `per_tool` names it or a pattern of it, else the policy's."""
    own = _given(for_tool(policy, tool).mask)
    return msgspec.structs.replace(policy.mask, **own) if own else policy.mask


def shape_for(policy: Policy, tool: str, *, shows: bool) -> Shape:
    """The shape settings of one tool. `shows`: what it says is the text of files.

    Then of the policy's own settings only `numbers` and `repeats` count, and all that `per_tool` says of the tool.
    """
    own = _given(for_tool(policy, tool).shape)
    general = msgspec.structs.replace(policy.shape, lossless=False, max_tokens=None) if shows else policy.shape
    return msgspec.structs.replace(general, **own) if own else general


def shapes(policy: Policy) -> bool:
    """Whether the policy shapes anything."""
    settings: list[Shape | ShapeForTool] = [policy.shape, *(entry.shape for entry in policy.per_tool.values())]
    return any(each.lossless or each.numbers or each.repeats or each.max_tokens for each in settings)


def _given(settings: MaskForTool | ShapeForTool) -> dict[str, Any]:
    """What is said of one tool."""
    return {key: value for key, value in msgspec.structs.asdict(settings).items() if value is not None}


def for_tool(policy: Policy, tool: str) -> ForTool:
    """The `per_tool` entry of a tool: the exact name first, then the first pattern that fits."""
    exact = policy.per_tool.get(tool)
    if exact is not None:
        return exact
    fitting = (entry for pattern, entry in policy.per_tool.items() if fnmatchcase(tool, pattern))
    return next(fitting, ForTool())
