"""A text is shown as a terminal would show it, and nothing that it shows goes."""

import re
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.shape.terminal import LEFTOVER, displayed

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=30)
SEQUENCES = st.sampled_from(
    ["\x1b[31m", "\x1b[1;38;5;208m", "\x1b[0m", "\x1b[m", "\x1b[K", "\x1b[2J", "\x1b[?25l", "\x1b[?2004h", "\x1b[10;2H"]
    + ["\x1b(B", "\x1b=", "\x1b>", "\x1b7", "\x1bM", "\x1b]0;title\x07", "\x1b]2;a b\x1b\\", "\x1bP1$r0m\x1b\\", "\x07"]
)


@given(st.lists(st.one_of(WORDS, SEQUENCES, st.just("\n"))))
def test_sequences_go_and_text_stays(pieces: list[str]) -> None:
    text = "".join(piece for piece in pieces if not piece.startswith(("\x1b", "\x07")))
    assert displayed("".join(pieces)) == "\n".join(line.rstrip(" \t") for line in text.split("\n"))


@given(st.text())
def test_a_text_shown_is_not_changed_again(text: str) -> None:
    assert displayed(displayed(text)) == displayed(text)


@given(st.lists(WORDS))
def test_without_sequences_only_blanks_at_the_ends_of_lines_go(lines: list[str]) -> None:
    shown = displayed("\n".join(lines)).split("\n")
    assert [line.rstrip(" \t") for line in lines or [""]] == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # tqdm, git and curl write a line again and again; pip and rich erase it in between
        ("  0%|    | 0/9\r 50%|##  | 4/9\r100%|####| 9/9\ndone", "100%|####| 9/9\ndone"),
        (
            "Receiving objects:  9% (1/11)\rReceiving objects: 100% (11/11), done.\n",
            "Receiving objects: 100% (11/11), done.\n",
        ),
        ("a very long status line here\r\x1b[Kshort", "short"),
        ("a very long status line here\x1b[2K\rshort", "short"),
        ("a very long status line here\r\x1b[2Kshort", "short"),
        ("Building 10%\rBuilding 100%\r\n", "Building 100%\n"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("50%\r", "50%"),
        # what is not overwritten is kept, on a line of its own
        ("Compiling something large\rDone", "Compiling something large\nDone"),
        ("\x1b[32mok\x1b[0m  ", "ok"),
        ("grep: \x1b[01;31m\x1b[Kmatch\x1b[m\x1b[K here", "grep: match here"),
        # man pages, spinners
        ("N\bNA\bAM\bME\bE  _\bx", "NAME  x"),
        ("|\b/\b-\b done", " done"),
        ("\b\bab", "ab"),
        ("12%\b\b\b34%\r", "34%"),
        # hyperlinks
        ("\x1b]8;;http://a/b\x1b\\words\x1b]8;;\x1b\\", "words (http://a/b)"),
        ("\x1b]8;id=1;file:///a/b.py\x07\x1b[34mb.py\x1b[0m\x1b]8;;\x07", "b.py"),
        # unfinished or unknown ones stay
        ("\x1b[31", "\x1b[31"),
        ("\x1b", "\x1b"),
        ("[31mno escape", "[31mno escape"),
    ],
)
def test_a_text_is_shown_as_a_terminal_would(text: str, shown: str) -> None:
    assert displayed(text) == shown


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=40), min_size=1))
def test_of_a_line_written_again_goes_only_what_was_overwritten(written: list[str]) -> None:
    shown = displayed("\r".join(written)).split("\n")
    assert shown[-1] == written[-1].rstrip(" ")
    for line in written:
        kept = line.rstrip(" ") in shown
        assert kept or any(len(line) - len(other) <= LEFTOVER for other in written)


@pytest.mark.parametrize(
    "text",
    [" " * 100_000, "\r" * 100_000, "\b" * 100_000, "\x1b[" * 50_000, "\x1b]8;;" * 100_000, "ab \t" * 30_000 + "\r"]
    + ["10%|#   |\r" * 50_000, "a\b" * 50_000],
)
def test_time_is_linear(text: str) -> None:
    begin = perf_counter()
    displayed(text)
    assert perf_counter() - begin < 3.0
    assert re.search("[\x07]", displayed(text)) is None
