"""What OpenAI's two APIs share: refusals, cache settings, explicit breakpoints.

Sources: the error bodies of the API (shape of `error` in its OpenAPI description, recorded answers);
guides/prompt-caching for what is part of the cache's identity (T13) and where a breakpoint may stand.
"""

from collections.abc import Mapping
from typing import Any

from policies.core.profile import Breakpoints, Profile
from proxy.simulator.apis import Call
from proxy.simulator.nodes import BadShape, Node, Unknown, bracketed, dump, kind_of
from proxy.simulator.prompt import Piece, Segment
from proxy.simulator.refusals import Refusal

MARK = "prompt_cache_breakpoint"
UNREADABLE = "We could not parse the JSON body of your request. The API expects a JSON payload."
ARTICLES = {"array": "an array", "object": "an object", "integer": "an integer"}
KINDS = {401: "invalid_request_error", 429: "rate_limit_error"}


def check_credential(call: Call) -> None:
    if not call.headers.get("authorization", "").startswith("Bearer ") or not call.credential:
        raise Refusal(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY).",
        )


def refusal(fault: BadShape | Unknown) -> Refusal:
    path = bracketed(fault.path)
    if isinstance(fault, Unknown):
        return Refusal(400, f"Unknown parameter: '{path}'.", param=path, code="unknown_parameter")
    if not fault.path:
        return Refusal(400, UNREADABLE)
    if not fault.got:
        return Refusal(400, f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")
    expected, got = _named(fault.expected), _named(fault.got)
    message = f"Invalid type for '{path}': expected {expected}, but got {got} instead."
    return Refusal(400, message, param=path, code="invalid_type")


def _named(kind: str) -> str:
    return kind if kind == "null" else " or ".join(ARTICLES.get(word, f"a {word}") for word in kind.split(" or "))


def invalid_value(node: Node, supported: tuple[str, ...]) -> Refusal:
    path = bracketed(node.path)
    names = ", ".join(f"'{name}'" for name in supported)
    value = node.value if isinstance(node.value, str) else kind_of(node.value)
    return Refusal(400, f"Invalid value: '{value}'. Supported values are: {names}.", param=path, code="invalid_value")


def error(fault: Refusal, _: str) -> tuple[int, Mapping[str, Any]]:
    kind = fault.kind or KINDS.get(fault.status, "invalid_request_error" if fault.status < 500 else "server_error")
    body = {"message": fault.message, "type": kind, "param": fault.param, "code": fault.code}
    return fault.status, {"error": body}


def is_automatic(profile: Profile) -> bool:
    """GPT-5.6 and later: breakpoints, of the provider's own too."""
    return isinstance(profile.cache, Breakpoints) and profile.cache.automatic


def salts(
    body: Node, profile: Profile, settings: tuple[object, ...], schema: object
) -> tuple[tuple[Segment, str], ...]:
    """Settings that split the cache: all of T13 from GPT-5.6, before it the output schema only."""
    if is_automatic(profile):
        return (("tools", dump([settings, schema, body.word("prompt_cache_key"), body.word("service_tier")])),)
    return (("tools", dump([schema, body.keys().get("cache_salt")])),)


def options(body: Node, profile: Profile, lives: tuple[str, ...]) -> tuple[bool, str]:
    """Whether a breakpoint is placed by the provider, and the life of those that name none."""
    found = body.get("prompt_cache_options")
    if found is None:
        return True, lives[0]
    if not is_automatic(profile):
        raise Refusal(
            400,
            "Unsupported parameter: 'prompt_cache_options' is not supported with this model.",
            param="prompt_cache_options",
            code="unsupported_parameter",
        )
    found.only(("mode", "ttl", "comparison_response_id", "prewarm"))
    mode, life = found.get("mode"), found.get("ttl")
    if mode is not None and mode.text() not in ("implicit", "explicit"):
        raise invalid_value(mode, ("implicit", "explicit"))
    if life is not None and life.text() not in lives:
        raise invalid_value(life, lives)
    return found.word("mode", "implicit") == "implicit", found.word("ttl", lives[0])


def life_of(part: Node, profile: Profile, default: str, lives: tuple[str, ...], allowed: bool = True) -> str:
    """The life that an explicit breakpoint on this part asks for; "" without one."""
    mark = part.get(MARK)
    if mark is None:
        return ""
    if not allowed:
        raise Unknown((*part.path, MARK))
    if not is_automatic(profile):
        raise Refusal(
            400,
            f"Unsupported parameter: '{bracketed(mark.path)}' is not supported with this model.",
            param=bracketed(mark.path),
            code="unsupported_parameter",
        )
    mark.only(("mode", "ttl"))
    if mark.need("mode").text() != "explicit":
        raise invalid_value(mark.need("mode"), ("explicit",))
    life = mark.get("ttl")
    if life is not None and life.text() not in lives:
        raise invalid_value(life, lives)
    return mark.word("ttl", default)


def check_temperature(body: Node) -> None:
    """Between 0 and 2 (text of `temperature` in the package)."""
    found = body.get("temperature")
    if found is not None and not 0 <= found.value <= 2:
        side = "above maximum" if found.value > 2 else "below minimum"
        raise Refusal(
            400,
            f"Invalid 'temperature': decimal {side} value. Expected a value between 0 and 2.",
            param="temperature",
            code=f"decimal_{side.split()[0]}_{side.split()[1][:3]}_value",
        )


def last_text(pieces: tuple[Piece, ...]) -> str:
    texts = [piece.text for piece in pieces if piece.role in ("user", "tool") and piece.text and piece.kind != "media"]
    return texts[-1] if texts else ""
