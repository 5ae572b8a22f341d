"""Keys in variables: of the right provider, in the right one, and nothing copied along with them.

Rules of this room: pure. A fact is how a key looks, never the key: what is to be typed moves it from variable to
variable without showing it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from proxy.doctor.finding import Finding
from proxy.mistakes import OAUTH_TOKEN, in_key, issuer

OF_PROVIDER = {
    "ANTHROPIC_API_KEY": "anthropic",
    "ANTHROPIC_AUTH_TOKEN": "anthropic",
    "OPENAI_API_KEY": "openai",
    "CODEX_API_KEY": "openai",
    "GEMINI_API_KEY": "gemini",
    "GOOGLE_API_KEY": "gemini",
    "OPENROUTER_API_KEY": "openrouter",
    "DEEPSEEK_API_KEY": "deepseek",
    "XAI_API_KEY": "xai",
    "MISTRAL_API_KEY": "mistral",
    "GROQ_API_KEY": "groq",
}
"""The variables that clients read keys from, and whose keys they are for."""

VARIABLE_OF = {provider: variable for variable, provider in reversed(OF_PROVIDER.items())}
"""The first variable of each provider."""

BASE_URLS = {"anthropic": ("ANTHROPIC_BASE_URL",), "openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE")}

REPAIRS = {
    "key_with_bearer": '{name}="${{{name}#* }}"',
    "key_with_space": '{name}="$(printf %s "${name}" | tr -d \'[:space:]\')"',
    "key_in_quotes": '{name}="$(printf %s "${name}" | tr -d \'\\042\\047\')"',
}
"""Shell that takes away what was copied along, by the word of the mistake."""


@dataclass(frozen=True, slots=True)
class KeyFact:
    variable: str
    issuer: str
    """Whose key it is by how it begins; empty where that says nothing."""
    oauth: bool
    mistake: str
    """Word of what was copied along; empty where nothing was."""
    said: str


def facts_of(environ: Mapping[str, str]) -> tuple[KeyFact, ...]:
    found = [(name, environ[name]) for name in OF_PROVIDER if environ.get(name)]
    return tuple(_fact(name, key) for name, key in found)


def _fact(variable: str, key: str) -> KeyFact:
    mistake, bare = in_key(key), key.strip().strip("\"'")
    said = mistake.message if mistake else ""
    return KeyFact(variable, issuer(bare), bare.startswith(OAUTH_TOKEN), mistake.word if mistake else "", said)


def check_keys(facts: Collection[KeyFact], elsewhere: Mapping[str, str]) -> Iterator[Finding]:
    """`elsewhere`: for a base URL's variable, the provider that it names, where that is another one."""
    set_variables = {fact.variable for fact in facts}
    for fact in facts:
        problems = list(_problems(fact, set_variables, elsewhere))
        yield from problems or [Finding("ok", fact.variable, _looks(fact))]
    if {"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"} <= set_variables:
        what = "set beside ANTHROPIC_API_KEY: which of the two is sent depends on the client"
        yield Finding("warning", "ANTHROPIC_AUTH_TOKEN", what, "unset ANTHROPIC_AUTH_TOKEN")


def _problems(fact: KeyFact, set_variables: Collection[str], elsewhere: Mapping[str, str]) -> Iterator[Finding]:
    name, provider = fact.variable, OF_PROVIDER[fact.variable]
    if fact.mistake:
        yield Finding("failed", name, fact.said, f"export {REPAIRS[fact.mistake].format(name=name)}")
    if fact.oauth and name == "ANTHROPIC_API_KEY":
        what = "an OAuth token: clients that send it in x-api-key, as Claude Code does, are refused"
        yield Finding("failed", name, what, _move(name, "ANTHROPIC_AUTH_TOKEN", set_variables))
    elif fact.issuer not in ("", provider) and not _meant(fact.issuer, provider, elsewhere):
        what = f"a key of {fact.issuer}, where one of {provider} is read"
        yield Finding("failed", name, what, _move(name, VARIABLE_OF[fact.issuer], set_variables))


def _meant(issuer: str, provider: str, elsewhere: Mapping[str, str]) -> bool:
    """OPENAI_API_KEY with a key of OpenRouter is right where OPENAI_BASE_URL leads to OpenRouter."""
    return any(elsewhere.get(variable) == issuer for variable in BASE_URLS.get(provider, ()))


def _move(name: str, to: str, set_variables: Collection[str]) -> str:
    return f"unset {name}" if to in set_variables else f'export {to}="${name}"; unset {name}'


def _looks(fact: KeyFact) -> str:
    return f"looks like a key of {fact.issuer}" if fact.issuer else "set"
