"""What is remembered is what would be found."""

from proxy.dialects.registry import DIALECTS
from proxy.replay.remembering import counted_once, remembered

from .sessions import count

RAW = b'{"role":"user","content":"a few words"}'


def test_a_dialect_that_remembers_reads_each_message_once_and_alike() -> None:
    for dialect in DIALECTS:
        once = remembered(dialect)
        message = once.message(RAW, count)
        assert once.message(bytes(bytearray(RAW)), count) is message and message == dialect.message(RAW, count)
        assert once.message(RAW, len) == dialect.message(RAW, len)
        assert (once.name, once.list_key) == (dialect.name, dialect.list_key)


def test_a_text_is_counted_once() -> None:
    asked = []

    def counting(text: str) -> int:
        asked.append(text)
        return len(text)

    counted = counted_once(counting)
    assert [counted(text) for text in ("ab", "", "ab", "")] == [2, 0, 2, 0] and asked == ["ab", ""]
