"""Token counts of texts, by the vocabularies that ship in the package `bpe-openai`. No network, ever.

Rules of this room: a count is an estimate for any model but OpenAI's; a profile's `token_ratio`
brings it closer. A vocabulary is loaded when a model first needs it (0.3 s, about 80 MB), so a
proxy that waits for work stays small.
"""

import gzip
import hashlib
from base64 import b64decode
from collections.abc import Callable
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from types import FunctionType

import tiktoken
from tiktoken_ext import openai_public

from policies.core.profile import Profile

PIECE = 400_000
"""Longer texts are cut before counting: tiktoken panics on about a million blanks."""

Count = Callable[[str], int]


class Counters:
    """Counting functions by model profile; vocabularies are loaded once each."""

    def __init__(self) -> None:
        self._encodings: dict[str, tiktoken.Encoding] = {}

    def counter(self, profile: Profile) -> Count:
        """Estimated tokens of a text for this model."""
        ratio = profile.token_ratio
        name = profile.tokenizer

        def count(text: str) -> int:
            return ceil(ratio * _count(self._encoding(name), text))

        return count

    def load(self, name: str) -> None:
        """Load a vocabulary before it is needed."""
        self._encoding(name)

    def _encoding(self, name: str) -> tiktoken.Encoding:
        encoding = self._encodings.get(name)
        if encoding is None:
            encoding = self._encodings.setdefault(name, _load(name))
        return encoding


def _count(encoding: tiktoken.Encoding, text: str) -> int:
    if len(text) <= PIECE:
        return len(encoding.encode_ordinary(text))
    return sum(len(encoding.encode_ordinary(text[at : at + PIECE])) for at in range(0, len(text), PIECE))


def _load(name: str) -> tiktoken.Encoding:
    """tiktoken's own definition of an encoding, its download replaced by the packaged file."""

    def ranks(_url: str, expected_hash: str) -> dict[bytes, int]:
        text = gzip.decompress((_packaged() / f"{name}.tiktoken.gz").read_bytes())
        if hashlib.sha256(text).hexdigest() != expected_hash:
            raise ValueError(f"the packaged vocabulary `{name}` is not the one that tiktoken expects")
        pairs = (line.split() for line in text.splitlines() if line)
        return {b64decode(token): int(rank) for token, rank in pairs}

    define = openai_public.ENCODING_CONSTRUCTORS[name]
    offline = FunctionType(define.__code__, {**define.__globals__, "load_tiktoken_bpe": ranks})
    return tiktoken.Encoding(**offline())


def _packaged() -> Path:
    """Where the vocabulary files lie. The package is not imported: that would load one of them its own way."""
    spec = find_spec("bpe_openai")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package `bpe-openai` with the vocabulary files is not installed")
    return Path(spec.origin).parent / "data"
