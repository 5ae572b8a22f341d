"""Every client under test, in the order in which the report names them."""

from tests.clients import (
    cli_claude,
    cli_codex,
    cli_gemini,
    cli_opencode,
    cli_qwen,
    python_aider,
    python_libraries,
    python_mini,
)

CLIENTS = (
    *cli_claude.CLIENTS,
    *cli_codex.CLIENTS,
    *cli_gemini.CLIENTS,
    *cli_opencode.CLIENTS,
    *cli_qwen.CLIENTS,
    *python_aider.CLIENTS,
    *python_mini.CLIENTS,
    *python_libraries.CLIENTS,
)
