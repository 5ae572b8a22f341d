"""What shows files is taken for exact; what only reports is not."""

import pytest

from proxy.dialects.acts import act_of
from proxy.dialects.showing import LONGEST, of_command, of_tool


@pytest.mark.parametrize(
    "tool",
    [
        *("Read", "NotebookRead", "Grep", "Edit", "MultiEdit"),  # Claude Code
        *("read_file", "grep_files", "apply_patch"),  # Codex
        *("read", "grep", "edit"),  # opencode
        *("read_many_files", "search_file_content", "ReadManyFiles"),  # Gemini CLI, qwen-code
        *("search_files", "str_replace_editor", "str_replace_based_edit_tool", "open", "goto", "scroll_down"),
        *("mcp__files__read_text_file", "mcp__github__get_file_contents", "mcp__git__git_diff", "git_show"),
    ],
)
def test_tools_that_show_files_are_known_by_their_names(tool: str) -> None:
    assert of_tool(tool).files and act_of(tool, {}).shows


@pytest.mark.parametrize(
    "tool",
    ["Bash", "exec_command", "write_stdin", "WebFetch", "TaskOutput", "search_direct_flight", "get_user_details", ""],
)
def test_tools_that_report_do_not_show_files(tool: str) -> None:
    assert not of_tool(tool).files


@pytest.mark.parametrize(
    "command",
    [
        *("cat a.py", "sed -n 1,20p a.py", "head -5 a", "nl -ba a | sed -n 1,9p", "cd x && tail a", "ls; cat a"),
        *("sudo cat a", "docker exec c cat /a", "/bin/cat a", "bash -lc 'cat a.py'", "for f in *; do cat $f; done"),
        *("git diff", "git -C x show HEAD:a", "git log -p", "git blame a", "gh pr diff 3", "git grep -n x"),
        *("grep -rn 'a|b' src", "find . -name '*.py' | xargs head", "find . -exec grep x {} +"),
        *("python -c \"print(open('a').read())\"", "python3 - <<'E'\nimport inspect\ninspect.getsource(f)\nE"),
        *("awk '$1 > 5' a", "grep '->' a", "ls | while read f; do cat $f; done", "jq . package.json"),
        *("open a.py 10", "scroll_down"),
        "x" * (LONGEST + 1),
    ],
)
def test_commands_that_print_files_are_known(command: str) -> None:
    assert of_command(command).files


@pytest.mark.parametrize(
    "command",
    [
        *("pytest -q 2>&1 | tail -50", "npm test | head", "make -j8", "git status", "git log --oneline", "ls -l"),
        *("ps aux | grep x", "kubectl get pods -o json | jq .", "pip install x | cat", "docker ps", "curl -s http://a"),
        *("cat > a.py <<'E'\nimport os\nhead = 1\nE\npython a.py", "cat <<E > a\nsed\nE", "python a.py", ""),
        "mkdir -p a && npm install",
    ],
)
def test_commands_that_report_do_not_show_files(command: str) -> None:
    assert not of_command(command).files


@pytest.mark.parametrize(
    ("tool", "arguments", "shows"),
    [
        ("Bash", {"command": "cat a"}, True),
        ("Bash", {"command": "make"}, False),
        ("exec_command", '{"cmd": "sed -n 1,5p a"}', True),
        ("shell", {"command": ["bash", "-lc", "git diff"]}, True),
        ("shell", {"command": ["bash", "-lc", "pytest"]}, False),
        ("bash", "cat a", True),
        ("bash", {"restart": True}, False),
        ("WebFetch", {"url": "x"}, False),
    ],
)
def test_a_shell_is_judged_by_its_command(tool: str, arguments: object, shows: bool) -> None:
    assert act_of(tool, arguments).shows is shows


def test_what_gives_back_what_was_taken_away_is_known() -> None:
    assert of_tool("mcp__holdfast__recall").recalled and of_tool("recall").recalled and not of_tool("Read").recalled
    assert of_command("holdfast archive get hf-a").recalled and not of_command("ls").recalled
    assert act_of("Bash", {"command": "holdfast archive get hf-a"}).recalls
    file = "/home/me/.holdfast/hf-66o46nj7p6ipja5t.txt"
    assert act_of("Bash", {"command": f"head -50 {file}"}).recalls and act_of("Read", {"file_path": file}).recalls
    assert act_of("recall", {"id": "hf-a"}).recalls and not act_of("Bash", {"command": "ls"}).recalls


def test_what_shows_only_what_a_search_found_is_known() -> None:
    searching = ("grep -rn x src", "rg x | head", "cd a && git grep -n x", "find . | xargs grep x; ls")
    assert all(of_command(command).placed for command in searching)
    others = ("grep x a; cat b", "grep -n x a && python -c 'open(1)'", "ls", "cat a", "x" * (LONGEST + 1))
    assert not any(of_command(command).placed for command in others)
    assert act_of("Grep", {"pattern": "x"}).places and not of_tool("Read").placed


def test_what_numbers_the_lines_of_files_is_known() -> None:
    numbering = ("nl -ba a | sed -n 1,9p", "cat -n a", "cat -An a", "cd x; nl a")
    assert all(of_command(command).numbered for command in numbering)
    assert not any(of_command(command).numbered for command in ("cat a", "grep -n x a", "cat a -n", "pnpm nlp"))
    assert act_of("str_replace_based_edit_tool", {"command": "view", "path": "a"}).numbers
    assert of_tool("Read").numbered and not of_tool("read_file").numbered
