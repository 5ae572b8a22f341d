"""Whether an observation reports a failure, told by its text where the provider has no flag for it.

Rules of this room: conservative. A failure announces itself in a fixed place: a status that a shell
or an agent prints in its first or last lines, or the words a tool library starts its error with. A
listing that merely mentions an error is none. An explicit status of 0 ends the question.
"""

import re

_HEAD, _TAIL = 600, 400  # characters looked at from either end; agents print status lines there

# A status on a line of its own, as these agents print it; the group is the number.
_STATUS = re.compile(
    r"""^[\[(<\s]{0,3}(?:
        returncode>(?P<mini_swe_agent>-?\d+)</returncode>
      | exit[ ]code:?[ ](?P<codex_claude_gemini>-?\d+)\b
      | (?:process|command)[ ]exited[ ]with[ ](?:exit[ ])?(?:code|status):?[ ](?P<codex_pi>-?\d+)\b
      | (?:the[ ])?command[ ](?:completed|finished|failed)[ ]with[ ](?:exit|return)[ ]code:?[ ](?P<openhands>-?\d+)\b
    )""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
# Codex' older form: {"output", "metadata": {"exit_code"}}.
_JSON_STATUS = re.compile(r'"exit_?code":\s*(-?\d+)', re.IGNORECASE)

# How an error text begins.
_OPENINGS = re.compile(
    r"""(?:
        (?:error|fatal(?:[ ]error)?|exception):               # tau-bench, gemini-cli, langgraph, git
      | error[ ](?:executing|calling|invoking|running)[ ]tool  # MCP client libraries, langgraph
      | an[ ]error[ ]occurred[ ]while[ ]running[ ]the[ ]tool   # openai-agents' default
      | <(?:tool_use_)?error>                                  # Claude Code
      | mcp[ ]error[ ]-?\d+                                    # MCP TypeScript SDK
      | traceback[ ]\(most[ ]recent[ ]call[ ]last\):           # Python; it may go on after its last line
      | your[ ]proposed[ ]edit[ ]has[ ]introduced[ ]new        # SWE-agent's linter
      | please[ ]always[ ]provide[ ]exactly[ ]one[ ]action     # mini-swe-agent could not parse the step
      | the[ ]last[ ]command[ ]<command>                       # mini-swe-agent, timed out
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_TRAE = "\nTool call failed with error:"  # after whatever the tool had printed
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"(?:[\w.]+(?:Error|Exception|Exit)|[\w.]*KeyboardInterrupt)(?::.*)?")
# A shell's own complaint, as the last line.
_COMPLAINT = re.compile(
    r"""(?:
        [\w./-]+:[ \d].*command[ ]not[ ]found(?::.*)?
      | [\w./-]+:[ ].*:[ ]No[ ]such[ ]file[ ]or[ ]directory
    )""",
    re.VERBOSE,
)


def failed(text: str) -> bool:
    """Whether this observation's text reports a failure."""
    text = text.strip()
    head, tail = text[:_HEAD], text[-_TAIL:]
    status = _status(head, tail)
    if status is not None:
        return status != 0
    if _OPENINGS.match(head) or _TRAE in f"\n{text}":
        return True
    last = tail.rpartition("\n")[2]
    return bool(_COMPLAINT.fullmatch(last) or (_EXCEPTION.fullmatch(last) and _TRACEBACK in text))


def _status(head: str, tail: str) -> int | None:
    found = _STATUS.search("\n".join(head.split("\n")[:5])) or _STATUS.search("\n".join(tail.split("\n")[-3:]))
    if found is None and head.startswith("{"):
        found = _JSON_STATUS.search(tail)
    return None if found is None else int(found[found.lastindex or 1])
