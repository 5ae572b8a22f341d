"""A failure is told by how it announces itself, never by words in passing."""

import pytest

from proxy.dialects.failures import failed

FAILURES = {
    "mini-swe-agent": "<returncode>1</returncode>\n<output>\nno\n</output>",
    "mini-swe-agent, killed": "<returncode>-9</returncode>\n<output>\n</output>",
    "mini-swe-agent, format": "Please always provide EXACTLY ONE action in triple backticks, found 2 actions.",
    "mini-swe-agent, timeout": "The last command <command>sleep 99</command> timed out and has been killed.",
    "Codex": "Exit code: 2\nWall time: 0.1 seconds\nOutput:\nno",
    "Codex, unified": "Chunk ID: 28114a\nWall time: 0.0523 seconds\nProcess exited with code 1\nOutput:\n",
    "Codex, older": '{"output":"no","metadata":{"exit_code":1,"duration_seconds":0.1}}',
    "Claude Code": "Exit code 127\nbash: frob: command not found",
    "Claude Code, tool": "<tool_use_error>File has not been read yet.</tool_use_error>",
    "Gemini CLI": "Command: false\nDirectory: (root)\nOutput: (empty)\nError: (none)\nExit Code: 1\nSignal: 0",
    "pi": "a.ts(1,1): error TS1\n\nCommand exited with code 2",
    "OpenHands": "no\n[The command completed with exit code 1.]",
    "TRAE": "some output\nTool call failed with error:\nBoom",
    "TRAE, bash": "no output\nCommand failed with return code 1",
    "tau-bench": "Error: reservation not found",
    "openai-agents": "An error occurred while running the tool. Please try again. Error: no",
    "MCP": "MCP error -32602: Invalid arguments",
    "MCP library": "Error executing tool search: no",
    "SWE-agent": "Your proposed edit has introduced new syntax error(s).",
    "git": "fatal: not a git repository",
    "traceback": 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no',
    "late traceback": 'starting\nTraceback (most recent call last):\n  File "a.py"\nmod.CustomError: no',
    "no message": 'working\nTraceback (most recent call last):\n  File "a.py"\nKeyboardInterrupt',
    "shell": "bash: line 1: frob: command not found",
    "other shell": "/bin/sh: 1: frob: command not found",
    "zsh": "zsh:1: command not found: frob",
    "ls": "ls: cannot access 'x': No such file or directory",
}

SUCCESSES = {
    "empty": "",
    "mini-swe-agent": "<returncode>0</returncode>\n<output>\nError: mentioned\n</output>",
    "an explicit 0 ends the question": "Exit code: 0\nOutput:\nValueError: printed by the program",
    "Codex, older": '{"output":"Error: mentioned","metadata":{"exit_code":0}}',
    "JSON without a status": '{"output":"fine"}',
    "OpenHands": "fine\n[The command completed with exit code 0.]",
    "a listing": "src/error.py\nsrc/errors/__init__.py\nlogs/traceback.txt",
    "grep": "a.py:3:    raise ValueError('no')\na.py:9:    return error",
    "source": "class MyError(Exception):\n    pass\n\nif error:\n    print('Error: x')",
    "a status in the middle": "\n".join(["line"] * 20 + ["exit code: 1"] + ["line"] * 20),
    "a list of names": "KeyError\nValueError",
    "a summary": "12 passed, 0 errors",
    "prose": "The error handling in this file is fine.",
}


@pytest.mark.parametrize("text", FAILURES.values(), ids=FAILURES)
def test_a_failure_is_recognised(text: str) -> None:
    assert failed(text)
    assert failed(f"\n{text}\n\n")
    assert failed(text.replace("\n", "\r\n"))


@pytest.mark.parametrize("text", SUCCESSES.values(), ids=SUCCESSES)
def test_a_mention_is_no_failure(text: str) -> None:
    assert not failed(text)
