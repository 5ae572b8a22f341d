"""What to set so that an agent uses the proxy: one line for each kind of client.

Rules of this room: text from settings and addresses; the forms are those that each client was seen
to read.
"""

from policies.routes import Match
from proxy.config import Settings
from proxy.server import Address
from proxy.tables import render

# Where a client adds /v1 itself, its base URL has none.
CLIENTS = (
    ("Claude Code, Anthropic SDKs", "ANTHROPIC_BASE_URL={base}"),
    ("OpenAI SDKs, qwen-code", "OPENAI_BASE_URL={base}/v1"),
    ("aider", "OPENAI_API_BASE={base}/v1"),
    ("Codex (config.toml)", 'openai_base_url = "{base}/v1"'),
    ("Gemini CLI, Google SDKs", "GOOGLE_GEMINI_BASE_URL={base}"),
)
AT_ROOT = ("anthropic", "openai", "gemini")


def how_to_connect(settings: Settings, traffic: Address, admin: Address) -> str:
    """Printed when `serve` is ready; the first line is what scripts wait for."""
    base = reachable(traffic).url
    named = [upstream.name for upstream in settings.upstreams if upstream.name not in AT_ROOT]
    rows = [(client, form.format(base=base)) for client, form in CLIENTS]
    rows += [(f"upstream {name}", f"{base}/{name}/v1") for name in named]
    return "\n".join(
        (
            f"holdfast serves {base} (admin {reachable(admin).url})",
            f"policy: {policies(settings)}",
            render(("client", "set"), rows, width=200),
        )
    )


def policies(settings: Settings) -> str:
    """The policies in use, in the order of the routes."""
    routes = settings.routes.entries
    names = [*(route.policy for route in routes), *(() if _ends_in_default(settings) else ("default",))]
    return ", then ".join(names)


def _ends_in_default(settings: Settings) -> bool:
    """Whether the last route is for everything, so that nothing falls through to `default`."""
    routes = settings.routes.entries
    return bool(routes) and routes[-1].match == Match()


def reachable(address: Address) -> Address:
    """Where a client on this machine finds it: a wildcard is no address to connect to."""
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return Address(wildcard.get(address.host, address.host), address.port)
