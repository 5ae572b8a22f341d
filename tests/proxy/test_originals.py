"""What the archive is told of an original, and where a placeholder says that it can be read."""

from pathlib import Path

from proxy.archive.memory import MemoryArchive
from proxy.archive.mirror import MirroredArchive
from proxy.exchange import tenant_of
from tests.proxy.driving import ANTHROPIC, CHAT, Replica, Wire, run, texts, turns_of, work


def elided(wire: Wire, body: bytes) -> list[str]:
    return [text for text in texts(wire, body) if text.startswith("[previous")]


def test_tool_first_line_session_and_tokens_are_kept_with_an_original() -> None:
    replica = Replica()
    replica.session(ANTHROPIC, work(5))
    entries = run(replica.context.archive.newest(tenant_of(replica.context, b"key"), 99))
    assert entries
    for entry in entries:
        assert entry.about.tool and entry.about.line and entry.about.session and entry.about.tokens > 100


def test_where_originals_are_files_a_placeholder_names_the_file_and_always_the_same(tmp_path: Path) -> None:
    replica = Replica(archive=MirroredArchive(MemoryArchive(), tmp_path))
    seen: dict[str, str] = {}
    for turn in turns_of(work(6)):
        prepared = replica.turn(CHAT, turn)
        for text in elided(CHAT, prepared.body):
            file = Path(text.partition("to read them: ")[2].removesuffix("]"))
            assert file.parent == tmp_path and file.read_text()
            assert seen.setdefault(file.name, text) == text
    assert seen
    (first, *_) = seen
    replica.context.archive = MemoryArchive()  # the folder is taken out of the configuration: what is in force stays
    (kept, *_) = elided(CHAT, replica.turn(CHAT, turns_of(work(7))[-1]).body)
    assert kept == seen[first]
