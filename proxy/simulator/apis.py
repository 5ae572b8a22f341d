"""What one simulated API is: how it reads a request, and how it words its answers.

Rules of this room: functions and values. An API never touches the cache, the clock or the wire.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from policies.core.profile import Profile
from proxy.simulator.bills import Bill
from proxy.simulator.brains import Answer, ApiName, SeenRequest
from proxy.simulator.nodes import BadShape, Node, Unknown
from proxy.simulator.prompt import Count, Piece, Prompt
from proxy.simulator.refusals import Refusal
from proxy.simulator.seals import Seals


class Connection:
    """What one WebSocket connection remembers: the newest answer of each lane, with all that stands before it."""

    def __init__(self, opened: float) -> None:
        self.opened = opened
        self.lane = ""
        """Of the message at hand; empty for the one without a name."""
        self.lanes: set[str] = set()
        self._newest: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def keep(self, name: str, items: tuple[Any, ...]) -> None:
        self._newest[self.lane] = (name, items)

    def recall(self, name: str) -> tuple[Any, ...] | None:
        return next((items for kept, items in self._newest.values() if kept == name), None)

    def forget(self, name: object) -> None:
        self._newest = {lane: kept for lane, kept in self._newest.items() if kept[0] != name}


class Call(Struct, frozen=True):
    """A request before its body is understood. Header names are lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    connection: Connection | None = None
    """Where it came as a message of a WebSocket."""
    raw_path: str = ""
    """As sent, still encoded: what a signature covers."""

    @property
    def credential(self) -> str:
        """Whoever holds it shares a cache with itself only."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ").strip()
        key = self.headers.get("x-api-key") or self.headers.get("x-goog-api-key") or self.query.get("key", "")
        return key or bearer


class Memory:
    """Answers that the provider stores (`store: true`), and the reasoning that belongs to each item it issued."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], tuple[Any, ...]] = {}
        """(credential, response id): all items of the conversation up to and including the answer."""
        self.known: dict[tuple[str, str], Any] = {}
        """(credential, item id): a stored item, for references to it."""
        self.threads: dict[tuple[str, str], Mapping[str, Any]] = {}
        """(credential, message id): the request and its answer, for a thread that goes on from there."""
        self.prompts: dict[tuple[str, str], Asked] = {}
        """(credential, answer id): the request, for a later one that asks why the cache was missed."""
        self.reasoned: dict[str, str] = {}
        """Item id: id of the reasoning item that it must not be sent back without."""


class Desk(Struct, frozen=True):
    """What an API reads a request with."""

    profile_for: Callable[[str], Profile]
    seals: Seals
    count: Count
    memory: Memory
    connection: Connection | None = None


class Asked(Struct, frozen=True):
    """A legal request."""

    model: str
    profile: Profile
    prompt: Prompt
    seen: SeenRequest
    name: str
    """Unique within one server: ids of the answer are made of it."""
    credential: str = ""
    stream: bool = False
    counting: bool = False
    reports: tuple[Mapping[str, Any], ...] = ()
    """What the provider changed in the input, in its own shape."""
    options: Mapping[str, Any] = {}
    """What shapes the answer: flags of the request, by API."""


class Told(Struct, frozen=True):
    """A request and its answer, ready to be worded."""

    asked: Asked
    answer: Answer
    bill: Bill
    now: float


class Api(Struct, frozen=True):
    """One wire format."""

    name: ApiName
    read: Callable[[Call, Node, Desk, str], Asked]
    reply: Callable[[Told, Desk], Mapping[str, Any]]
    stream: Callable[[Told, Desk], Iterator[bytes]]
    said: Callable[[Answer, Count], tuple[Piece, ...]]
    """The answer as the pieces that a client sends back."""
    counted: Callable[[Asked], Mapping[str, Any]]
    too_long: Callable[[int, Profile], Refusal]
    refusal: Callable[[BadShape | Unknown], Refusal]
    """How it says that a field is wrong or unknown."""
    error: Callable[[Refusal, str], tuple[int, Mapping[str, Any]]]
    unreadable: str
    """What it says to a body that is no JSON object."""
    stream_type: Callable[[Asked], str] = lambda asked: "text/event-stream; charset=utf-8"


def sse(data: str, event: str = "") -> bytes:
    """One server-sent event."""
    return (f"event: {event}\ndata: {data}\n\n" if event else f"data: {data}\n\n").encode("utf-8", "surrogatepass")


def in_parts(text: str, size: int = 24) -> tuple[str, ...]:
    """A text as a stream delivers it."""
    return tuple(text[place : place + size] for place in range(0, len(text), size))
