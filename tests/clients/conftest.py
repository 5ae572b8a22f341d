"""The report of `make test-clients`: one line a client, and out/clients.json with the same figures."""

import json
from collections.abc import Iterator
from typing import Any

from _pytest.terminal import TerminalReporter

from proxy.tables import render
from tests.clients.table import CLIENTS
from tests.end_to_end.running import ROOT

COLUMNS = (
    "client", "version", "model", "steps", "finished", "extends: client", "upstream", "planned breaks",
    "hit rate: direct", "through", "USD: direct", "through", "masked", "seconds: direct", "through",
    "all masked: count", "USD",
)  # fmt: skip


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    order = [client.name for client in CLIENTS]
    rows = sorted(_figures(terminalreporter), key=lambda row: order.index(row["client"]))
    if not rows:
        return
    target = ROOT / "out" / "clients.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(rows, indent=2) + "\n")
    terminalreporter.section("clients, as they send and as the provider receives")
    terminalreporter.write_line(render(COLUMNS, [_row(row) for row in rows], width=300))


def _figures(terminalreporter: TerminalReporter) -> Iterator[dict[str, Any]]:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            yield from (json.loads(str(value)) for name, value in report.user_properties if name == "client")


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    direct, through, masking = row["direct"], row["through"], row["masking"]
    most = through["with_predecessor"]
    return (
        row["client"],
        row["version"],
        row["model"],
        str(row["steps"]),
        "yes" if row["finished"] else "NO",
        f"{through['extends_client']}/{most}",
        f"{through['extends_upstream']}/{most}",
        str(through["planned_breaks"]),
        *(f"{side['hit_rate']:.1%}" for side in (direct, through)),
        *(f"{side['cost_usd']:.4f}" for side in (direct, through)),
        str(through["masked"]),
        *(f"{side['seconds']:.1f}" for side in (direct, through)),
        str(masking["masked"]),
        f"{masking['cost_usd']:.4f}",
    )
