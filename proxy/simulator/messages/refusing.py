"""How Anthropic words a refusal. Source: the API's errors page and recorded answers."""

from collections.abc import Mapping
from typing import Any

from policies.core.profile import Profile
from proxy.simulator.nodes import BadShape, Unknown, dotted
from proxy.simulator.refusals import Refusal

KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip

SHAPES = {"object": "dictionary", "array": "list", "string or array": "string or list"}


def refusal(fault: BadShape | Unknown) -> Refusal:
    path = dotted(fault.path)
    if isinstance(fault, Unknown):
        return Refusal(400, f"{path}: Extra inputs are not permitted")
    if not fault.got:
        return Refusal(400, f"{path}: Field required" if path else "The request body is empty")
    return Refusal(400, f"{path}: Input should be a valid {SHAPES.get(fault.expected, fault.expected)}".lstrip(": "))


def too_long(tokens: int, profile: Profile) -> Refusal:
    return Refusal(400, f"prompt is too long: {tokens} tokens > {profile.context_limit} maximum")


def error(fault: Refusal, name: str) -> tuple[int, Mapping[str, Any]]:
    kind = fault.kind or KINDS.get(fault.status, "invalid_request_error" if fault.status < 500 else "api_error")
    return fault.status, {
        "type": "error",
        "error": {"type": kind, "message": fault.message},
        "request_id": f"req_{name}",
    }
