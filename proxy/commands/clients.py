"""Where clients read their base URL from, and what to set there so that they use the proxy.

Rules of this room: a table and text. A variable stands here only where a client's source was seen to read
it. Where a client adds /v1 itself, its base URL has none. It must not know whether anything is running.
"""

from dataclasses import dataclass

from policies.routes import in_use
from proxy.config import Settings
from proxy.server import Address
from proxy.tables import render


@dataclass(frozen=True, slots=True)
class Opening:
    """One place where clients read a base URL from."""

    name: str
    """Of the variable, or of the key in a client's own configuration."""
    upstream: str
    """Where requests go while it is not set."""
    tail: str = ""
    """What the base URL has beyond the upstream's."""
    clients: str = ""
    """Who reads it, as `serve` says it; empty where `serve` need not say it."""


VARIABLES = (
    Opening("ANTHROPIC_BASE_URL", "anthropic", "", "Claude Code, Anthropic SDKs"),
    Opening("OPENAI_BASE_URL", "openai", "/v1", "OpenAI SDKs, qwen-code"),
    Opening("OPENAI_API_BASE", "openai", "/v1", "aider"),
    Opening("GOOGLE_GEMINI_BASE_URL", "gemini", "", "Gemini CLI, Google SDKs"),
    # LiteLLM (aider, mini-swe-agent and many more) has one for each provider; read in its 1.81
    Opening("ANTHROPIC_API_BASE", "anthropic"),
    Opening("ANTHROPIC_API_URL", "anthropic"),  # langchain-anthropic 1.7 asks it first
    Opening("OPENROUTER_API_BASE", "openrouter", "/v1"),
    Opening("DEEPSEEK_API_BASE", "deepseek", "/beta"),
    Opening("XAI_API_BASE", "xai", "/v1"),
    Opening("GROQ_API_BASE", "groq", "/v1"),
    Opening("MISTRAL_API_BASE", "mistral", "/v1"),
)
AT_ROOT = ("anthropic", "openai", "gemini")
UNVERSIONED = ("azure", "bedrock")
"""Upstreams whose clients add all of the path themselves."""


def how_to_connect(settings: Settings, traffic: Address, admin: Address) -> str:
    """Printed when `serve` is ready; the first line is what scripts wait for."""
    base = reachable(traffic).url
    named = [upstream.name for upstream in settings.upstreams if upstream.name not in AT_ROOT]
    rows = [(variable.clients, f"{variable.name}={base}{variable.tail}") for variable in VARIABLES if variable.clients]
    rows.insert(-1, ("Codex (config.toml)", f'openai_base_url = "{base}/v1"'))
    rows += [(f"upstream {name}", f"{base}/{name}{'' if name in UNVERSIONED else '/v1'}") for name in named]
    return "\n".join(
        (
            f"holdfast serves {base} (admin {reachable(admin).url})",
            f"policy: {policies(settings)}",
            render(("client", "set"), rows, width=200),
        )
    )


def policies(settings: Settings) -> str:
    """The policies in use, in the order of the routes."""
    return ", then ".join(in_use(settings.routes))


def reachable(address: Address) -> Address:
    """Where a client on this machine finds it: a wildcard is no address to connect to."""
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return Address(wildcard.get(address.host, address.host), address.port)
