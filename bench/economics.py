"""What policies cost and keep on recorded runs of agents, against direct and the best that hindsight could do.

    python -m bench.economics            (about two minutes for all of ../shared/traces on two processors)
    python -m bench.economics FILE... --policy aggressive --model claude-sonnet-4-5

One line for each file: cost of the policy against the optimum (rule: at most 1.05) and against direct,
the worst session against direct (rule: at most 1.10), violations (rule: none), evidence. Dollars are
those of the model named, by the offline provider; nothing leaves this machine.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from policies.policy import Policy
from proxy.config.policies import load_policy
from proxy.replay.progress import Progress
from proxy.replay.report import document, money, share
from proxy.replay.run import replay, tasks
from proxy.tables import render

TRACES = Path(__file__).resolve().parent.parent.parent / "shared" / "traces"
MODELS = {"isobench-trae-gpt-5": "gpt-5.1", "tau-bench-airline-gpt4o": "gpt-4o"}
OTHERS = "claude-sonnet-4-5"
HEADER = ("file", "policy", "cost", "optimum", "direct", "every", "worst", "wrong", "evid.", "risk", "s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="traces; default: all recorded ones")
    parser.add_argument("--policy", action="append", help="default: `default`; may be repeated")
    parser.add_argument("--model", help="price every file by this model")
    args = parser.parse_args()
    files = args.files or sorted(TRACES.glob("*.jsonl.gz"))
    if not files:
        print("there are no recorded runs beside the repository; name a trace", file=sys.stderr)
        return 0
    policies = [load_policy(name).policy for name in args.policy or ["default"]]
    rows = [row for file in files for row in measured(file, args.model, policies)]
    print(render(HEADER, rows, width=100))
    return 0


def measured(file: Path, model: str | None, policies: Sequence[Policy]) -> list[tuple[str, ...]]:
    """One line for each policy."""
    name = file.name.partition(".jsonl")[0]
    began = time.perf_counter()
    work = tasks([file], policies, model or MODELS.get(name, OTHERS))
    found = document(replay(work, os.cpu_count() or 1, Progress(sys.stderr)))
    seconds = time.perf_counter() - began
    return [_row(name, policy, found, seconds) for policy in found["policies"]]


def _row(name: str, policy: str, found: dict[str, Any], seconds: float) -> tuple[str, ...]:
    ours, baselines = found["policies"][policy], found["baselines"]
    ratios = [one["policies"][policy]["cost_ratio"] for one in found["sessions"] if one["turns"]]
    return (
        name,
        policy,
        money(ours["cost_usd"]),
        f"{ours['cost_usd'] / baselines['optimum']['cost_usd']:.4f}",
        f"{ours['cost_ratio']:.4f}",
        f"{baselines['mask_every_turn']['cost_ratio']:.3f}",
        f"{max(ratios):.4f}",
        str(ours["rule_violations"]),
        share(ours["evidence_retained"]),
        share(ours["evidence_at_risk_retained"]),
        f"{seconds:.0f}",
    )


if __name__ == "__main__":
    sys.exit(main())
