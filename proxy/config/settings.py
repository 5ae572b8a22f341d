"""What can be configured: the file as it is written (`File`), and the settings that the program uses (`Settings`).

Rules of this room: frozen values, no reading. Every field of `File` is a key of holdfast.yaml and,
upper case with `__` between levels, a `HOLDFAST_` variable. No field holds a secret in `File`;
in `Settings` secrets are wrapped so that no message can show them.
"""

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from policies.policy import Policy
from policies.routes import Route, Routes
from proxy.config.nodes import masked
from proxy.config.units import Duration, Size

if TYPE_CHECKING:  # the HTTP client behind it costs more than everything else that `policy check` imports
    from proxy.upstream import Upstream

DialectName = Literal["anthropic_messages", "openai_chat", "openai_responses", "gemini"]


class Timeouts(Struct, frozen=True, forbid_unknown_fields=True):
    """Each for one phase of a request. Names are those of proxy/upstream.py."""

    connect: Duration = 10.0
    pool: Duration = 10.0
    """Waiting for a free connection."""
    write: Duration = 60.0
    """A pause in a body on its way up."""
    first_byte: Duration = 600.0
    """From the request to the answer's headers: models may think for minutes."""
    idle: Duration = 300.0
    """A pause in the answer."""


class UpstreamEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One provider. The name fixes host and dialect; nothing in a request can choose another host."""

    url: str
    """Joined with the path as received: without /v1 where clients send that."""
    dialect: DialectName | None = None
    """null: decided by the path of each request."""
    profile: str | None = None
    """Name of the profile to use for every model here, for instance of a self-hosted engine."""
    tenant: Literal["credential", "upstream"] = "credential"
    """Whose state a request's is: of its credential, or one for all who use this upstream, where credentials change."""
    http2: bool = False
    ca_file: str | None = None
    """null: that of the top level."""
    timeouts: Timeouts | None = None
    """null: those of the top level."""


class Archive(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the originals of masked observations are kept, and for how long."""

    max_bytes: Size = 5_000_000_000
    max_age: Duration = 604_800.0
    key_file: str | None = None
    """File with the key that they are encrypted with; or the variable HOLDFAST_ARCHIVE_KEY."""
    mirror: str | None = None
    """A folder on the agent's own machine, so that `grep` and `head` can read them back."""


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds against a single client. Names are those of proxy/limits.py."""

    headers: int = 200
    header_bytes: Size = 64 * 1024
    body_bytes: Size = 64 * 1024 * 1024
    """Of a request body, and of what it decompresses to."""
    answer_bytes: Size = 16 * 1024 * 1024
    """Of an answer whose usage is read; a longer one is relayed and its usage not known."""
    body_idle: Duration = 30.0
    """How long a body may pause on its way in."""
    connections: int = 1000
    """Open at once; more are refused."""


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """holdfast.yaml."""

    host: str = "127.0.0.1"
    port: int = 8787
    admin_host: str = "127.0.0.1"
    """Anything but loopback needs an admin token."""
    admin_port: int = 8788
    admin_token_file: str | None = None
    """File with the admin token; or the variable HOLDFAST_ADMIN_TOKEN."""
    tenant_key_file: str | None = None
    """File with the key that tenants are told apart with, the same on every replica; or HOLDFAST_TENANT_KEY."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names, besides loopback and `host`, under which clients may address Holdfast."""
    workers: int = 1
    upstreams: dict[str, UpstreamEntry] = {}
    ca_file: str | None = None
    """Certificates (PEM) of authorities that count besides the public ones: a company's own, for instance."""
    store: str = "sqlite:///~/.local/state/holdfast/state.db"
    """memory:, sqlite:///FILE or redis://HOST:PORT/DB. One with a password: HOLDFAST_STORE, or `store_file`."""
    store_file: str | None = None
    """File with the store's URL, where that holds a password."""
    archive: Archive = Archive()
    record: str | None = None
    """Folder that every exchange is recorded in, for `replay`."""
    routes: tuple[Route, ...] = ()
    """First match wins; where none does, the policy `default`."""
    policies: dict[str, Policy] = {}
    """Policies written in place; the key is the name."""
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    drain: Duration = 30.0
    """How long open requests may go on after the program was asked to stop."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Secret:
    """A text that no `repr`, log line or message shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"


class Url(str):
    """A URL whose `repr` leaves out the password."""

    def __repr__(self) -> str:
        return repr(masked(str(self)))


class Settings(Struct, frozen=True):
    """Everything that is decided before the first request."""

    host: str
    port: int
    admin_host: str
    admin_port: int
    admin_token: Secret | None
    tenant_key: Secret | None
    archive_key: Secret | None
    """One key, or several with blanks between them: the first seals, each opens."""
    allowed_hosts: tuple[str, ...]
    workers: int
    upstreams: "tuple[Upstream, ...]"
    store: Url
    archive: Archive
    record: str | None
    routes: Routes
    limits: Limits
    drain: float
    log_level: str
    sources: tuple[str, ...] = ()
    """Files that these settings were read from; watched for changes."""
    notes: tuple[str, ...] = ()
    """What is written but not in effect, one line each."""
