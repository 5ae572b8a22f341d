"""What a policy costs and keeps on recorded runs of agents, by the rules of each model, beside what hindsight could do.

    python -m bench.economics                     (all runs beside the repository, for all of MODELS)
    python -m bench.economics --sample 5          (a quick look: five runs of each file)
    python -m bench.economics FOLDER-or-FILE... --model claude-sonnet-4-5 --policy default --policy aggressive

One line for each file, model and policy. `every` (masked on every turn), `optimum` (the cheapest moments of plain
masking for somebody who knows the run in advance) and `ours` are costs against `direct`; `dearest` is that of the
worst run; `hit` and `direct hit` are rates; `evid.` and `risk` are the shares of what the agent used next that it
could still see, of all and of what masking by age alone takes away; `wrong` counts breaches of the providers' rules.
Two policies on two lines are two points of the curve of cost against evidence. Dollars are those of the offline
provider, output included. An engine of one's own (`vllm`) is priced in time of prefill alone: 1.0 is that of a million
cold tokens, 142 s on the processor where the price of a cached one was measured. Nothing leaves this machine.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from policies.policy import Policy
from proxy.config.policies import load_policy
from proxy.replay.gaps import parsed
from proxy.replay.progress import Progress
from proxy.replay.report import document, money, share, tokens
from proxy.replay.run import Task, results, tasks, told_apart
from proxy.replay.session import DIRECT, OPTIMUM, Played
from proxy.tables import render

TRACES = Path(__file__).resolve().parent.parent.parent / "shared" / "traces"
MODELS = ("claude-sonnet-4-5", "claude-opus-5-5", "gpt-5.1", "gpt-5.6-sol", "gemini-3.1-pro", "vllm")
HEADER = (
    "file",
    "model",
    "policy",
    "direct",
    "every",
    "optimum",
    "ours",
    "dearest",
    "hit",
    "direct hit",
    "removed",
    "evid.",
    "risk",
    "wrong",
)


def main(arguments: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    files = [file for path in args.paths or [TRACES] for file in _files(path)]
    if not files:
        print("there are no recorded runs beside the repository; name a folder or a trace", file=sys.stderr)
        return 0
    policies = told_apart([(name, load_policy(name).policy) for name in args.policy or ["default"]])
    batches = [
        (file, model, sampled(tasks([file], policies, model, args.gap), args.sample))
        for file in files
        for model in args.model or MODELS
    ]
    began = time.perf_counter()
    found = list(measured(batches, args.workers))
    took = time.perf_counter() - began
    print(json.dumps(found, indent=2) if args.format == "json" else _table(found, policies))
    print(f"{sum(one['sessions'] for one in found):,} sessions in {took:.0f} s", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, metavar="FOLDER-or-FILE", help="default: the recorded runs")
    parser.add_argument("--policy", action="append", help="default: `default`; may be repeated")
    parser.add_argument("--model", action="append", help="default: all of MODELS; may be repeated")
    parser.add_argument("--gap", type=parsed, help="between calls, as `holdfast replay` takes it")
    parser.add_argument("--sample", type=int, metavar="N", help="no more than so many runs of each file")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--format", choices=("table", "json"), default="table")
    return parser


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.jsonl*")) if path.is_dir() or path == TRACES else [path]


def sampled(work: Sequence[Task], count: int | None) -> Sequence[Task]:
    """So many of them, spread evenly; None takes all."""
    if count is None or count >= len(work):
        return work
    return [work[number * len(work) // count] for number in range(count)]


def measured(batches: Sequence[tuple[Path, str, Sequence[Task]]], workers: int) -> Iterator[dict[str, Any]]:
    """What became of each file under each model. One row of processes plays them all."""
    work = [task for _, _, some in batches for task in some]
    played = _counting(results(work, workers), len(work))
    for file, model, some in batches:
        yield summed(file.name.partition(".jsonl")[0], model, list(islice(played, len(some))))


def _counting(played: Iterator[Played], total: int) -> Iterator[Played]:
    progress = Progress(sys.stderr, wanted=True)
    for done, one in enumerate(played, start=1):
        progress(done, total)
        yield one


def summed(file: str, model: str, played: Sequence[Played]) -> dict[str, Any]:
    """Totals under the names of `holdfast replay`, with the dearest run of each policy in place of all sessions."""
    found = document(played)
    unit = found["unit"]
    sessions = [_priced(one, unit) for one in found.pop("sessions") if one["turns"]]
    found = {**_priced(found, unit), "model": model}
    dearest = {name: max((_ratio(one, name) for one in sessions), default=(None, "")) for name in found["policies"]}
    told = {name: {"id": id, "cost_ratio": ratio} for name, (ratio, id) in dearest.items()}
    return {"file": file, **found, "sessions": len(played), "dearest": told}


def _priced(found: dict[str, Any], unit: str) -> dict[str, Any]:
    """With the costs that count: on an engine of one's own those of prefill, since output takes what it takes."""
    passes = [*found["policies"].values(), *found["baselines"].values()]
    if unit == "relative":
        direct = found["baselines"][DIRECT]["input_cost_usd"]
        for one in passes:
            cost = one["input_cost_usd"]
            one.update(cost_usd=cost, cost_ratio=cost / direct if direct else None)
    return found


def _ratio(session: dict[str, Any], policy: str) -> tuple[float, str]:
    return session["policies"][policy]["cost_ratio"], session["id"]


def _table(found: Sequence[dict[str, Any]], policies: Sequence[Policy]) -> str:
    several = len(policies) > 1
    rows = [_row(one, name) for one in found for name in one["policies"]]
    drop = () if several else (HEADER.index("policy"),)
    kept = [[cell for place, cell in enumerate(row) if place not in drop] for row in (HEADER, *rows)]
    return render(kept[0], kept[1:], width=140)


def _row(one: dict[str, Any], policy: str) -> tuple[str, ...]:
    ours, baselines = one["policies"][policy], one["baselines"]
    return (
        one["file"],
        one["model"],
        policy,
        money(baselines[DIRECT]["cost_usd"], one["unit"]),
        _times(baselines["mask_every_turn"]["cost_ratio"]),
        _times(baselines[OPTIMUM]["cost_ratio"]),
        _times(ours["cost_ratio"]),
        _times(one["dearest"][policy]["cost_ratio"]),
        share(ours["hit_rate"]),
        share(baselines[DIRECT]["hit_rate"]),
        tokens(ours["removed_tokens"]),
        share(ours["evidence_retained"]),
        share(ours["evidence_at_risk_retained"]),
        str(ours["rule_violations"]),
    )


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3f}"


if __name__ == "__main__":
    sys.exit(main())
