"""To-do lists of real agents: what is open after their calls, and nothing from what is not understood."""

import json

import pytest

from proxy.todos import Call, lists, still_open


def call(tool: str, answer: str = "", **arguments: object) -> Call:
    return Call(tool, json.dumps(arguments), answer)


def item(key: str, name: str, status: str) -> dict[str, str]:
    return {key: name, "status": status, "priority": "high"}


@pytest.mark.parametrize(
    ("tool", "under", "key"),
    [
        ("TodoWrite", "todos", "content"),
        ("todowrite", "todos", "content"),
        ("todo_write", "todos", "content"),
        ("write_todos", "todos", "description"),
        ("write_todos", "todos", "content"),
        ("functions.update_plan", "plan", "step"),
        ("mcp__list__todo_write", "todos", "title"),
    ],
)
def test_the_newest_list_counts_less_what_is_closed(tool: str, under: str, key: str) -> None:
    old = call(tool, "", **{under: [item(key, "old", "pending")]})
    new = call(
        tool,
        "",
        **{
            under: [
                item(key, "read", "completed"),
                item(key, "write\n it", "in_progress"),
                item(key, "drop", "cancelled"),
                item(key, "test", "pending"),
            ]
        },
    )
    assert lists(tool)
    assert still_open([old, new]) == ("write it (in progress)", "test")


def test_tasks_are_made_and_changed_one_by_one() -> None:
    calls = [
        call("TaskCreate", "Task #1 created successfully: read", subject="read", description="all of it"),
        call("TaskCreate", "Task #2 created successfully: write", subject="write"),
        call("TaskCreate", subject="test"),
        call("TaskUpdate", taskId="1", status="completed"),
        call("TaskUpdate", taskId="2", subject="write it", status="in_progress"),
        call("TaskUpdate", taskId="9", status="pending"),
    ]
    assert still_open(calls) == ("write it (in progress)", "test")


@pytest.mark.parametrize(
    "arguments", ["", "{", "[]", '{"todos":{}}', '{"todos":["a",1,null]}', '{"todos":[{"content":3}]}']
)
def test_what_is_not_understood_is_no_item(arguments: str) -> None:
    for tool in ("TodoWrite", "TaskCreate", "TaskUpdate"):
        assert still_open([Call(tool, arguments)]) == ()


def test_other_tools_are_none() -> None:
    assert not lists("read_file") and not lists("")
