"""A conversation as the provider will read it: tools, system, then messages, each made of blocks.

Rules of this room: values only. A message keeps the raw bytes it came from, so what nobody edits is
never encoded again. Identity is by content in canonical form: cache markers and key order do not
count. It must not know any wire format; dialects make these values.
"""

from enum import Enum
from typing import Literal, NewType

from msgspec import Struct

BlockHash = NewType("BlockHash", bytes)
"""Identity of one block's content (SHA-256 of its canonical form). Edits anchor to this, never to a position."""

PrefixHash = NewType("PrefixHash", bytes)
"""Identity of everything up to and including one block: H(parent prefix hash, role, block hash)."""


class Role(Enum):
    """Who speaks. `developer` counts as SYSTEM; an observation in a user message is still a USER message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Kind(Enum):
    """What a block is. Whatever a dialect does not recognise is OPAQUE, and never edited."""

    TEXT = "text"
    REASONING = "reasoning"
    CALL = "call"
    OBSERVATION = "observation"
    MEDIA = "media"
    OPAQUE = "opaque"


class Act(Struct, frozen=True):
    """What a tool call does, as far as its name and arguments tell."""

    identity: bytes
    """SHA-256 of the tool and its arguments: the same for calls that ask the same, whatever their ids."""
    files: tuple[str, ...] = ()
    """Files that it reads, or writes."""
    writes: bool = False
    whole: bool = False
    """It reads all of its file, not a part."""
    shows: bool = False
    """What it answers is the text of files, which may have to be matched letter by letter later."""
    numbers: bool = False
    """Each line of that text stands behind its number."""
    places: bool = False
    """Each line of it may stand behind its file's name and its number."""
    recalls: bool = False
    """What it answers is what was taken away before."""


class Block(Struct, frozen=True):
    """The smallest unit of content. `tokens` is an estimate; `index` is its place among the message's blocks."""

    kind: Kind
    hash: BlockHash
    tokens: int
    index: int = 0
    marked: bool = False
    """Carries a cache marker of the client."""
    long: bool = False
    """That marker asks for the long time to live."""
    markable: bool = False
    """The provider's rules allow a cache marker here."""
    call_id: str = ""
    """CALL: its id. OBSERVATION: the id of the call it answers; empty for an untyped observation."""
    tool: str = ""
    """CALL: the tool's name. OBSERVATION: likewise, where the message names it."""
    act: Act | None = None
    """CALL: what it does."""
    failed: bool = False
    """OBSERVATION: it reports a failure."""
    bound: bool = False
    """REASONING: signed or encrypted, so the provider may check what stands before it."""
    editable: bool = False
    """OBSERVATION: its content is text that can be replaced without touching anything else."""
    picture: str = ""
    """OBSERVATION: "image" or "document", where its content holds one and can be replaced by text as a whole."""
    content: bytes = b""
    """OBSERVATION: SHA-256 of its text (UTF-8), or of its content's JSON where it holds a picture."""
    said: bytes = b""
    """OBSERVATION: likewise, less times of day and addresses: the same where two say the same."""
    lines: int = 0
    """OBSERVATION: lines of its text."""
    first_line: str = ""
    """OBSERVATION: the first line that is not blank, at most 80 characters."""
    values: frozenset[int] = frozenset()
    """OBSERVATION, CALL, TEXT of an assistant: the paths, identifiers and ids in it, as numbers to be compared."""


class Message(Struct, frozen=True):
    """One message (or one input item, or one Gemini content) and the bytes it came from."""

    role: Role
    blocks: tuple[Block, ...]
    raw: bytes
    tokens: int


class Head(Struct, frozen=True):
    """All of a request but its messages; system messages at the front count as head.

    The three hashes are canonical; a change of any one splits the cache.
    """

    model: str
    tools_hash: bytes
    system_hash: bytes
    parameters_hash: bytes
    """The parameters that are part of the provider's cache identity (tool_choice, thinking, effort, ...)."""
    tokens: int
    """Estimate for tools and system together."""
    tools: int = 0
    """How many tool definitions."""
    definitions: tuple[tuple[str, int], ...] = ()
    """Name and estimated tokens of each tool that has a name."""
    markers: int = 0
    """Cache markers of the client in tools, system and at top level."""
    automatic: bool = False
    """One of them is at top level: the provider moves it behind the last block of each request."""
    long: bool = False
    """A marker in tools or system asks for the long time to live."""
    automatic_long: bool = False
    markable: bool = False
    """A marker may be added behind tools and system."""
    names_cache: tuple[str, ...] = ()
    """Fields of the request that choose a cache or a server that holds one: "prompt_cache_key", "cache_salt"."""
    stream: bool = False
    max_output: int | None = None
    reasoning: Literal["", "current_turn", "all_turns"] = ""
    """Whose reasoning the request asks to show the model; empty: as the model does by itself."""
    stand_down: str = ""
    """Why the history must be left alone although it can be read: the client or the server manages it."""


class Conversation(Struct, frozen=True):
    """A request as received, or as it will be sent."""

    dialect: str
    head: Head
    messages: tuple[Message, ...]
