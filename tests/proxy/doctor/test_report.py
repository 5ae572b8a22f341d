"""The table fits a terminal, what is to be typed can be copied, and the exit status says the worst."""

import subprocess

import pytest

from proxy.doctor.finding import Finding
from proxy.doctor.report import document, status, table

OK = Finding("ok", "python", "3.11.7")
HINT = Finding("hint", "agents", "no variable names a base URL", "export A=1")
FAILED = Finding("failed", "/home/me/holdfast.yaml:3", "unknown key `prot`; did you mean `port`?", "vi +3 /home/me/x")


def test_each_finding_is_a_line_with_what_to_type_below_it() -> None:
    assert table([OK, HINT]).splitlines() == [
        "ok       python  3.11.7",
        "hint     agents  no variable names a base URL",
        "         $ export A=1",
        "",
        "1 hint, 1 ok",
    ]


def test_a_line_for_a_file_names_the_file() -> None:
    finding = Finding("failed", "upstream x", "its URL ends in /v1", "url: https://h", "/home/me/holdfast.yaml:3")
    assert table([finding], home="/home/me").splitlines()[1:3] == [
        "         in ~/holdfast.yaml:3 write:",
        "           url: https://h",
    ]


def test_the_home_is_shortened_but_not_where_it_is_typed() -> None:
    text = table([FAILED], home="/home/me")
    assert "~/holdfast.yaml:3" in text and "$ vi +3 /home/me/x" in text
    assert "/home/me/holdfast.yaml:3" in table([FAILED], home="/")


def test_no_line_is_longer_than_a_terminal_is_wide() -> None:
    long = Finding(
        "warning", "a/" + "b" * 100, "word " * 60, "export " + " ".join(f"NAME_{n}=value" for n in range(20))
    )
    assert max(map(len, table([OK, long]).splitlines())) <= 80


def test_a_command_that_is_continued_means_the_same() -> None:
    words = [f"'word {n}'" for n in range(30)]
    lines = table([Finding("hint", "a", "b", f"printf %s, {' '.join(words)}")]).splitlines()
    command = "\n".join(line.removeprefix("         $ ") for line in lines[1:-2])
    assert command.count("\\\n") >= 3
    printed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert printed == "".join(f"word {n}," for n in range(30))


def test_a_word_that_fits_on_no_line_stays_in_one_piece() -> None:
    assert f"$ ls {'x' * 100}" in table([Finding("hint", "a", "b", f"ls {'x' * 100}")])


def test_colour_is_for_what_is_wrong_only() -> None:
    text = table([OK, FAILED], colour=True)
    assert "\x1b[1mfailed \x1b[0m" in text and text.startswith("ok ")


@pytest.mark.parametrize(
    ("findings", "readable", "expected"),
    [([OK, HINT], True, 0), ([OK, FAILED], True, 1), ([FAILED], False, 2), ([OK], False, 2)],
)
def test_the_exit_status_says_the_worst(findings: list[Finding], readable: bool, expected: int) -> None:
    assert status(findings, readable) == expected
    assert document(findings, readable)["status"] == expected


def test_the_document_says_what_the_table_says() -> None:
    assert document([HINT], True)["findings"] == [
        {
            "severity": "hint",
            "where": "agents",
            "what": "no variable names a base URL",
            "type": "export A=1",
            "place": "",
        }
    ]
