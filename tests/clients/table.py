"""Every client under test, in the order in which the report names them."""

from tests.clients import cli_opencode

CLIENTS = (*cli_opencode.CLIENTS,)
