"""Wire formats: a body becomes a view of raw slices, and edits are spliced back between untouched bytes.

Rules of this room: pure. No edits, the very same bytes. Whatever is not recognised survives
untouched. Cost grows with what is new: the list of messages is sliced in one scan, and only
messages never seen before are parsed. Imports `policies.core` and `proxy.errors` only.
"""

from collections.abc import Callable
from typing import Protocol

from policies.core.conversation import Head, Message
from policies.core.divergence import Prompt
from policies.core.usage import Usage
from proxy.dialects.head_bytes import HeadFields
from proxy.dialects.slices import Split

Count = Callable[[str], int]
"""Estimated tokens of a text."""


class UsageReader(Protocol):
    """Reads a streamed answer in passing. Feeding never raises; chunks may break anywhere."""

    def feed(self, chunk: bytes) -> None: ...

    def usage(self) -> Usage | None:
        """What was reported so far; None where nothing was."""
        ...


class Dialect(Protocol):
    """One wire format."""

    @property
    def name(self) -> str: ...

    @property
    def list_key(self) -> str:
        """The top-level key of the growing list: "messages", "input", "contents"."""
        ...

    def recognises(self, path: str) -> bool:
        """Whether a POST to this path (below the upstream) creates a model answer in this dialect."""
        ...

    def head(self, rest: bytes, path: str, count: Count) -> Head:
        """Everything but the messages. `rest` is the body with an empty list in place of the messages.

        Raises DialectError where the body is of another API."""
        ...

    def message(self, raw: bytes, count: Count) -> Message:
        """One element of the list. Never raises on odd content: what is not recognised is OPAQUE."""
        ...

    def prompt(self, rest: bytes) -> Prompt:
        """Tools, system and parameters as values in canonical form, to be compared. Raises DialectError."""
        ...

    def said(self, raw: bytes) -> object:
        """One element of the list likewise. Never raises."""
        ...

    def restates(self, before: bytes, now: bytes) -> bool:
        """Whether a message is one that was sent before, but for what a client loses when it resumes a session.

        Sending the earlier one in its place then says the same to the model that it was sent to."""
        ...

    def cut_head(self, cut: Split, lead: int) -> dict[str, bytes]:
        """The bytes of "tools" and "system", each as a request that has nothing else. Raises DialectError.

        `lead`: system messages at the front of the list."""
        ...

    @property
    def fields(self) -> HeadFields:
        """Where tools and system stand."""
        ...

    def original(self, raw: bytes, index: int) -> str:
        """The text of block `index` as the model reads it; the JSON of a tool's answer with an image or a document."""
        ...

    def replace(self, raw: bytes, edits: tuple[tuple[int, str], ...]) -> bytes:
        """The message with the content of some observations (block index, text) replaced.

        Raises DialectError where a block cannot be replaced without touching anything else."""
        ...

    def append(self, raw: bytes, index: int, text: str) -> bytes:
        """The message with a note behind the text of block `index`: TEXT of a user's, or an observation.

        A blank line stands between. Raises DialectError where the block is not text alone."""
        ...

    def mark(self, raw: bytes, index: int, long: bool) -> bytes:
        """The message with a cache marker on block `index`; `long` asks for the long time to live."""
        ...

    def mark_head(self, rest: bytes, long: bool) -> tuple[int, int, bytes]:
        """Start, end and new bytes of the value in `rest` that ends tools and system, with a cache marker.

        Raises DialectError where none may stand there."""
        ...

    def usage(self, body: bytes) -> Usage | None:
        """Usage of a complete JSON answer; None where none is reported."""
        ...

    def usage_reader(self) -> UsageReader: ...

    def error(self, status: int, message: str) -> bytes:
        """An error body in this provider's own shape."""
        ...
