"""Progress is for those who watch."""

from io import StringIO

from proxy.replay.progress import LINES, Progress


class Screen(StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: StringIO, total: int, *, wanted: bool = False) -> str:
    progress = Progress(stream, wanted)
    for done in range(1, total + 1):
        progress(done, total)
    return stream.getvalue()


def test_a_terminal_shows_a_bar_on_one_line() -> None:
    text = shown(Screen(), 4)
    assert text.count("\n") == 1 and text.endswith("[##############################] 4 of 4 sessions\n")


def test_elsewhere_there_is_nothing_unless_asked_for() -> None:
    assert shown(StringIO(), 4) == ""
    lines = shown(StringIO(), 95, wanted=True).splitlines()
    assert len(lines) <= LINES + 2 and lines[-1] == "95 of 95 sessions"
