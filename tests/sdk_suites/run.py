"""`make test-sdks`: each suite direct and through Holdfast, and one table of what became of it.

Rules of this room: a run through Holdfast stands beside a direct run of the same day, test by test, and what
crossed Holdfast is compared byte for byte. It exits with 0 only where nothing differs and nothing failed; where
a suite cannot be run here, it says why and counts it as skipped.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from proxy.tables import render
from tests.clients.tap import Tap, tapped
from tests.end_to_end.running import ROOT, environment, holdfast
from tests.sdk_suites.exchanges import Comparison, Exchange, compare, exchanges
from tests.sdk_suites.install import Installed, install, missing
from tests.sdk_suites.mock import mock
from tests.sdk_suites.outcomes import Outcomes, counted, differences, read
from tests.sdk_suites.suites import SUITES, Suite

OUT = ROOT / "out" / "sdk_suites"
DIRECT = "direct"
POLICIES = ("off", "default")
COLUMNS = ("suite", "target", "passed", "failed", "skipped", "seconds", "differ", "requests", "altered")
SHOWN = 20
"""Lines about differences on the terminal; all of them are in the files."""


@dataclass(frozen=True)
class Result:
    suite: Suite
    target: str
    outcomes: Outcomes
    seconds: float
    different: Sequence[str] = ()
    crossed: Comparison = Comparison(0, ())

    @property
    def good(self) -> bool:
        counts, crossed = counted(self.outcomes), self.target == DIRECT or self.crossed.requests > 0
        return bool(crossed and counts["passed"] and not (counts["failed"] or self.different or self.crossed.altered))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the vendors' SDK suites direct and through Holdfast.")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has pip")
    parser.add_argument("--workers", type=int, default=2, help="processes that share the tests of a suite")
    parser.add_argument("--suites", nargs="+", default=[suite.name for suite in SUITES])
    parser.add_argument("--policies", nargs="+", default=POLICIES, help="to run through Holdfast with")
    options = parser.parse_args(arguments)
    results: list[Result] = []
    reasons = {suite: missing(suite) for suite in SUITES if suite.name in options.suites}
    for suite, reason in reasons.items():
        if reason:
            print(f"{suite.name} {suite.version}: skipped: {reason}")
        else:
            results += _results(suite, install(suite, options.python), options.policies, options.workers)
    return report(results, skipped=sum(map(bool, reasons.values())))


def _results(suite: Suite, installed: Installed, policies: Sequence[str], workers: int) -> Iterator[Result]:
    folder = OUT / suite.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with mock(suite, installed, folder) as url:
        direct = _run(suite, DIRECT, installed, url, folder, workers)
        yield direct
        for policy in policies:
            yield _through(direct, policy, installed, url, folder, workers)


def _through(direct: Result, policy: str, installed: Installed, url: str, folder: Path, workers: int) -> Result:
    suite, prefix = direct.suite, f"/{direct.suite.name}"
    with ExitStack() as stack:
        behind = stack.enter_context(tapped(url))
        store = ("--store", "memory:", "--policy", policy)
        proxy = stack.enter_context(holdfast(folder / policy, {suite.name: behind.url}, *store))
        before = stack.enter_context(tapped(proxy.url))
        through = _run(suite, policy, installed, before.url + prefix, folder, workers)
    different = differences(direct.outcomes, through.outcomes)
    crossed = compare(_seen(before), _seen(behind), prefix.encode())
    (folder / f"{policy}.log").write_text("".join(f"{line}\n" for line in (*different, *crossed.altered)))
    return Result(suite, policy, through.outcomes, through.seconds, different, crossed)


def _run(suite: Suite, target: str, installed: Installed, url: str, folder: Path, workers: int) -> Result:
    outcomes = folder / f"{target}.xml"
    command = [str(installed.python), "-m", "pytest", *suite.tests, "-q", "-n", str(workers), "-p", "no:cacheprovider"]
    begun = time.monotonic()
    with (folder / f"{target}.out").open("wb") as output:
        subprocess.run(
            [*command, f"--junit-xml={outcomes}"],
            cwd=installed.tests,
            env=environment(folder, {"TEST_API_BASE_URL": url, "NO_PROXY": "127.0.0.1"}),
            stdout=output,
            stderr=output,
            timeout=600,
        )
    return Result(suite, target, read(outcomes), time.monotonic() - begun)


def _seen(tap: Tap) -> list[Exchange]:
    joined = ((b"".join(part for _, part in flow) for flow in (wire.sent, wire.received)) for wire in tap.wires)
    return [exchange for sent, received in joined for exchange in exchanges(sent, received)]


def report(results: Sequence[Result], skipped: int = 0) -> int:
    """The exit status. `skipped`: suites that could not be run."""
    if results:
        print(render(COLUMNS, [_row(result) for result in results], width=120))
    for result in results:
        for line in (*result.different, *result.crossed.altered)[:SHOWN]:
            print(f"{result.suite.name}, {result.target}: {line}")
        if not result.good:
            print(f"{result.suite.name}, {result.target}: not as it should be; all that was said is in {OUT}")
    total = sum((counted(result.outcomes) for result in results), start=Counter(skipped=skipped))
    print(", ".join(f"{total[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped")))
    return 0 if all(result.good for result in results) else 1


def _row(result: Result) -> tuple[str, ...]:
    counts, direct = counted(result.outcomes), result.target == DIRECT
    compared = (len(result.different), result.crossed.requests, len(result.crossed.altered))
    return (
        f"{result.suite.name} {result.suite.version}",
        result.target,
        *(str(counts[outcome]) for outcome in ("passed", "failed", "skipped")),
        f"{result.seconds:.1f}",
        *("-" if direct else str(figure) for figure in compared),
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended on the way out
    sys.exit(main())
