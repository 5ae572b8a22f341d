"""Counts are tiktoken's own, from vocabularies that are on disk."""

import sys
from importlib.machinery import PathFinder

import pytest
import tiktoken
from msgspec.structs import replace
from tiktoken_ext import openai_public

from policies.core.profile import Profile
from proxy.profiles import profile_for
from proxy.tokens import PIECE, Counters
from tests.proxy.driving import PROFILES

COUNTERS = Counters()

# Published examples of OpenAI's guide to counting tokens, and counts of its own web page: text, cl100k, o200k.
KNOWN = [
    ("antidisestablishmentarianism", 6, 6),
    ("2 + 2 = 4", 7, 7),
    ("お誕生日おめでとう", 9, 8),
    ("tiktoken is great!", 6, 6),
    ("", 0, 0),
]


def model(name: str = "gpt-4.1", **fields: object) -> Profile:
    return replace(profile_for(PROFILES, name), **fields)


@pytest.mark.parametrize(("text", "older", "newer"), KNOWN)
def test_known_texts_have_the_published_counts(text: str, older: int, newer: int) -> None:
    assert COUNTERS.counter(model(tokenizer="cl100k_base"))(text) == older
    assert COUNTERS.counter(model(tokenizer="o200k_base"))(text) == newer


@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_a_vocabulary_is_whole_and_gives_back_what_it_took(name: str) -> None:
    COUNTERS.load(name)
    encoding: tiktoken.Encoding = COUNTERS._encodings[name]
    text = "def f(x):\n    return {'ключ': x, '键': [1, 2.5e-3]}  # ok 🙂\n"
    assert encoding.decode(encoding.encode_ordinary(text)) == text
    assert encoding.n_vocab == {"cl100k_base": 100_277, "o200k_base": 200_019}[name]


@pytest.mark.parametrize("length", [PIECE, PIECE + 1, 1_200_000])
def test_blanks_without_end_are_counted(length: int) -> None:
    # tiktoken's regular expression overflows its stack on about a million blanks
    assert 0 < COUNTERS.counter(model())(" " * length) < length


def test_a_text_in_pieces_counts_nearly_as_much_as_whole() -> None:
    text = "the quick brown fox jumps over the lazy dog\n" * (3 * PIECE // 44)
    count = COUNTERS.counter(model())
    assert abs(count(text) - 3 * count(text[: len(text) // 3])) <= 4


def test_a_models_ratio_is_applied_and_rounded_up() -> None:
    plain, scaled = COUNTERS.counter(model()), COUNTERS.counter(model(token_ratio=1.5))
    assert plain("antidisestablishmentarianism") == 6
    assert scaled("antidisestablishmentarianism") == 9
    assert scaled("hello") == 2


def test_special_tokens_in_a_text_are_text() -> None:
    assert COUNTERS.counter(model())("<|endoftext|>") > 1


def test_a_lone_surrogate_is_counted() -> None:
    assert COUNTERS.counter(model())("a\ud800b") > 0


def test_nothing_is_loaded_before_it_is_needed_and_once_then() -> None:
    counters = Counters()
    count = counters.counter(model())
    assert counters._encodings == {}
    count("x")
    loaded = dict(counters._encodings)
    counters.counter(model(token_ratio=2.0))("y")
    assert list(loaded) == ["o200k_base"]
    assert counters._encodings["o200k_base"] is loaded["o200k_base"]


def test_a_vocabulary_of_another_digest_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = openai_public.ENCODING_CONSTRUCTORS
    monkeypatch.setitem(registry, "cl100k_base", registry["o200k_base"])
    with pytest.raises(ValueError, match="`cl100k_base` is not the one that tiktoken expects"):
        Counters().load("cl100k_base")


def test_the_package_of_the_vocabularies_is_not_imported() -> None:
    # its import loads a vocabulary of its own, and warns
    Counters().load("o200k_base")
    assert "bpe_openai" not in sys.modules


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])
    with pytest.raises(FileNotFoundError, match="bpe-openai"):
        Counters().load("o200k_base")
