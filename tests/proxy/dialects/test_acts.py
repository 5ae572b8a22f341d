"""What a call does: the same where it asks the same, and on a file where the tool is known to touch one."""

import json

import pytest

from policies.core.conversation import Act
from proxy.dialects.acts import act_of


def files(act: Act) -> tuple[tuple[str, ...], str]:
    """The files, and whether they are written, read as a whole or read in part."""
    return act.files, "writes" if act.writes else "whole" if act.whole else "part"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": [2]}', '{"b":[2.0],"a":1}'),
        ('{"a": 1}', {"a": 1}),
        ('{"a": 1, "b": null}', '{"a": 1}'),
        ({}, "{}"),
    ],
)
def test_calls_are_the_same_however_their_arguments_are_spelled(one: object, other: object) -> None:
    assert act_of("grep", one) == act_of("grep", other)


@pytest.mark.parametrize(
    ("tool", "arguments"), [("find", '{"a": 1}'), ("grep", '{"a": 2}'), ("grep", "a"), ("grep", None)]
)
def test_another_tool_or_other_arguments_are_another_call(tool: str, arguments: object) -> None:
    assert act_of(tool, arguments).identity != act_of("grep", '{"a": 1}').identity


@pytest.mark.parametrize("tool", ["Bash", "bash", "exec_command", "mcp__os__bash", "functions.shell"])
def test_what_a_command_is_said_to_be_for_does_not_make_it_another(tool: str) -> None:
    bare, said = {"command": ["ls", "-l"]}, {"command": ["ls", "-l"], "description": "List", "timeout": 9}
    assert act_of(tool, said) == act_of(tool, json.dumps(bare))
    assert act_of(tool, {**bare, "workdir": "/a"}) != act_of(tool, bare)
    assert act_of("note", said).identity != act_of("note", bare).identity


@pytest.mark.parametrize(
    ("tool", "arguments", "found"),
    [
        ("Read", {"file_path": "/a/b.py"}, (("/a/b.py",), "whole")),
        ("Read", {"file_path": "/a/b.py", "offset": 9}, (("/a/b.py",), "part")),
        ("read", {"filePath": "a/./b.py"}, (("a/b.py",), "whole")),
        ("read_file", {"absolute_path": "/a"}, (("/a",), "whole")),
        ("mcp__files__read_file", {"path": "/a"}, (("/a",), "whole")),
        ("Edit", {"file_path": "/a", "old_string": "x", "new_string": "y"}, (("/a",), "writes")),
        ("write_file", {"path": "./a", "content": ""}, (("a",), "writes")),
        ("NotebookEdit", {"notebook_path": "/a"}, (("/a",), "writes")),
        ("str_replace_based_edit_tool", {"command": "view", "path": "/a"}, (("/a",), "whole")),
        ("str_replace_based_edit_tool", {"command": "view", "path": "/a", "view_range": [1, 2]}, (("/a",), "part")),
        ("str_replace_based_edit_tool", {"command": "insert", "path": "/a"}, (("/a",), "writes")),
        ("apply_patch", "*** Begin Patch\n*** Update File: a\n@@\n*** Add File: ./b\n", (("a", "b"), "writes")),
        ("apply_patch", {"type": "update_file", "path": "a", "diff": ""}, (("a",), "writes")),
        ("apply_patch", "no patch", ((), "part")),
        ("Read", {"file_path": 7}, ((), "part")),
        ("Read", {"file_path": "a" * 1001}, ((), "whole")),
        ("grep", {"path": "/a", "pattern": "x"}, ((), "part")),
        ("Bash", {"command": "cat /a"}, ((), "part")),
        ("Read", "/a", ((), "part")),
    ],
)
def test_files_are_known_of_known_tools(tool: str, arguments: object, found: tuple[tuple[str, ...], str]) -> None:
    assert files(act_of(tool, arguments)) == found


@pytest.mark.parametrize("arguments", ['{"a": 1, "a": 2}', "[" * 100_000, '"\\ud800"', "", "NaN", '{"a": 1e999}'])
def test_arguments_that_cannot_be_read_are_known_by_their_text(arguments: str) -> None:
    assert act_of("grep", arguments) == act_of("grep", arguments)
    assert act_of("grep", arguments) != act_of("grep", arguments + " ")
