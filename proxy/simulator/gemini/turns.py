"""Who may follow whom in a Gemini conversation, and the thought signatures of the current turn.

Sources: ai.google.dev, function calling and thought signatures; the error texts are the API's own (T5).
"""

import base64
import binascii
from fnmatch import fnmatchcase

from msgspec import Struct

from proxy.simulator.gemini.fields import SIGNED, WAIVERS
from proxy.simulator.nodes import Node, bracketed
from proxy.simulator.refusals import Refusal
from proxy.simulator.seals import Seal, Seals

SEALED = "thought"


class Turn(Struct, frozen=True):
    """Consecutive contents of one side; `function` counts as the user's."""

    role: str
    parts: tuple[Node, ...]

    def of(self, kind: str) -> tuple[Node, ...]:
        return tuple(part for part in self.parts if part.get(kind) is not None)

    @property
    def speaks(self) -> bool:
        """The user says something new: the current turn begins here."""
        return self.role == "user" and len(self.of("functionResponse")) < len(self.parts)


def turns_of(contents: tuple[Node, ...]) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for content in contents:
        role = "model" if content.word("role", "user") == "model" else "user"
        parts = content.all("parts")
        if turns and turns[-1].role == role:
            turns[-1] = Turn(role, turns[-1].parts + parts)
        else:
            turns.append(Turn(role, parts))
    return tuple(turns)


def check_turns(turns: tuple[Turn, ...]) -> None:
    if turns and turns[0].of("functionCall"):
        raise Refusal(
            400,
            "Please ensure that function call turn comes immediately after a user turn or after a function response "
            "turn.",
        )
    for before, turn in zip((None, *turns), turns, strict=False):
        calls = len(before.of("functionCall")) if before is not None else 0
        responses = len(turn.of("functionResponse"))
        if responses and not calls:
            raise Refusal(
                400, "Please ensure that function response turn comes immediately after a function call turn."
            )
        if responses != calls:
            raise Refusal(
                400,
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn.",
            )


def check_signatures(turns: tuple[Turn, ...], model: str, seals: Seals) -> None:
    """Whatever signature is sent must be one of ours; on newer models the current turn's calls must carry one."""
    for turn in turns:
        for part in turn.parts:
            _check_signature(part, model, seals)
    if not wants_signatures(model):
        return
    begins = max((place for place, turn in enumerate(turns) if turn.speaks), default=-1)
    for turn in turns[begins + 1 :]:
        calls = turn.of("functionCall") if turn.role == "model" else ()
        if calls and calls[0].get("thoughtSignature") is None:
            name = calls[0].need("functionCall").word("name")
            raise Refusal(
                400,
                f"Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                f"work correctly. Function call `{name}` at {bracketed(calls[0].path)}.",
            )


def wants_signatures(model: str) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in SIGNED)


def _check_signature(part: Node, model: str, seals: Seals) -> None:
    signature = part.word("thoughtSignature")
    if not signature or signature in WAIVERS or _plain(signature) in WAIVERS:
        return
    seal = seals.open(_standard(signature), SEALED)
    if seal is None:
        raise Refusal(400, "Corrupted thought signature.")
    if seal.model != model:
        raise Refusal(400, "Invalid thought signature.")


def _standard(signature: str) -> str:
    """Bytes in proto JSON may come in either base64 alphabet."""
    return signature.replace("-", "+").replace("_", "/")


def _plain(signature: str) -> str:
    try:
        return base64.b64decode(_standard(signature), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def signature(model: str, seals: Seals) -> str:
    return seals.close(Seal(model=model, bound=""), SEALED)
