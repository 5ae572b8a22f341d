"""Words that mean the same are the same, and no others."""

import pytest

from proxy.toolbox.words import alike, in_name, in_text, length


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Read", "mcp__files__read_file"),
        ("read_file", "view-file"),
        ("read_text_file", "openFile"),
        ("grep", "search_files"),
        ("bash", "run_command"),
        ("exec_command", "run_shell_command"),
        ("deleteIssue", "remove_issues"),
        ("list_directory", "lsFolders"),
        ("mcp__github__create_issue", "mcp__jira__create_issue"),
    ],
)
def test_names_that_say_the_same_have_the_same_words(one: str, other: str) -> None:
    assert alike(in_name(one), in_name(other)) == 1.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Edit", "NotebookEdit"),
        ("CronDelete", "CronList"),
        ("TaskGet", "TaskList"),
        ("WebFetch", "WebSearch"),
        ("read_file", "write_file"),
        ("read_text_file", "read_media_file"),
        ("read_file", "get_file_info"),
        ("create_goal", "update_goal"),
        ("close_agent", "resume_agent"),
        ("add_label", "create_label"),
        ("", ""),
        ("工具", "123"),
    ],
)
def test_names_that_say_something_else_do_not(one: str, other: str) -> None:
    assert alike(in_name(one), in_name(other)) < 1.0


def test_a_name_of_words_that_are_taken_for_granted_keeps_them() -> None:
    assert in_name("run_tool") == ("run", "tool") and in_name("execute") == ("execut",)


def test_a_text_is_its_words_that_say_something_each_once() -> None:
    assert in_text("Use this tool to read files. Reading a file is the user's wish.") == ("read", "fil", "wish")
    assert in_text("one two three four five", 2) == ("two", "thre")


def test_words_are_counted_as_they_stand() -> None:
    assert (length(""), length(" \n"), length("Book a reservation.")) == (0, 0, 3)
