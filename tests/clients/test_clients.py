"""Real clients do their work through Holdfast as they do it direct: `make test-clients`.

Each does the same task three times against the simulated provider, in fresh homes but at the same path, so that
all runs send the same prompts: direct, through Holdfast with the default policy, and with one that masks whenever it
may, whatever that costs (its runs are judged by what the provider refuses and by what the plans say, not by cost).

What "at least its direct hit rate" means here. A plan may break a prefix where that pays (it has a price and is
named in the answer's header), and a shorter prompt has a lower rate even where it costs less. So it is judged turn by
turn: in a turn whose plan breaks nothing, the provider computes no more input anew than in the same turn of the
direct run. All together costs at most the planner's bound above direct, and no more than direct where nothing broke.
"""

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.clients.client import Client, Place, brain
from tests.clients.measure import Comparison, Run, Through, Tokens, anew, is_main, turns
from tests.clients.run import run
from tests.clients.table import CLIENTS
from tests.clients.tap import tapped
from tests.clients.task import STEPS, lay_out, result
from tests.end_to_end.agents import PROFILES, counted
from tests.end_to_end.running import Holdfast, Stage, holdfast, stage, wait_until

SLACK = 400
"""Tokens of a turn: caches count in steps of up to 128, and some texts of a client differ from run to run."""
BOUND = 1.02
"""The planner's worst case: an edit was paid for, and the run ended before it had paid back."""
EVEN = 1.005
ALWAYS = """
name: always
mask: {keep_newest: 5, min_tokens: 100, when: always}
"""

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_works_through_holdfast_as_it_does_direct(
    client: Client, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    if not client.needs.exists():
        pytest.skip(f"{client.name} is not installed (no {client.needs.name}): see `make clients`")
    compared = compare(client, tmp_path)
    record_property("client", json.dumps(compared.figures()))
    found = list(faults(compared))
    assert not found, "\n".join(found)


def faults(compared: Comparison) -> Iterator[str]:
    yield from (f"direct: {fault}" for fault in compared.direct.faults())
    yield from (f"through: {fault}" for fault in compared.through.faults())
    yield from (f"masking: {fault}" for fault in compared.masking.faults())
    if compared.direct.steps != len(STEPS):
        yield f"{compared.direct.steps} steps of {len(STEPS)}"
    if compared.maskable and not compared.masking.masked:
        yield "nothing was masked, though everything should have been"
    yield from _losses(compared)


def _losses(compared: Comparison) -> Iterator[str]:
    """What the provider's cache gave less than in the direct run."""
    through, direct = compared.through.run, compared.direct
    for turn, plain in zip(compared.through.turns, direct.main[1:], strict=False):
        if not turn.planned and turn.anew > anew(plain) + SLACK:
            yield f"request {turn.number}: {turn.anew} tokens computed anew, {anew(plain)} direct: {turn.plan}"
    bound = BOUND if any(turn.planned for turn in compared.through.turns) else EVEN
    if through.cost > bound * direct.cost:
        yield f"{through.cost:.4f} USD through, {direct.cost:.4f} direct"


def compare(client: Client, folder: Path) -> Comparison:
    """All runs, one after the other."""
    always = folder / "always.yaml"
    always.write_text(ALWAYS)
    with stage() as staged:
        direct = _run(client, staged, staged.urls["openai"], folder)  # the stage is the same on all its ports
        through = _through(client, staged, folder, "default")
        return Comparison(client, direct, through, _through(client, staged, folder, str(always)))


def _through(client: Client, staged: Stage, folder: Path, policy: str) -> Through:
    state = folder / "state" / Path(policy).stem
    with holdfast(state, staged.urls, "--policy", policy) as proxy, tapped(proxy.url) as tap:
        done = _run(client, staged, tap.url, folder)
        with suppress(AssertionError):  # what is still not counted then is a fault of its own
            wait_until(lambda: _counted(proxy) == done.tokens)
        counted, masked = _counted(proxy), proxy.numbers().total("holdfast_edits_total", kind="mask", verdict="applied")
    exchanges = tap.exchanges()
    return Through(done, exchanges, turns(client, exchanges, done.main), counted, int(masked))


def _counted(proxy: Holdfast) -> Tokens:
    """Accounted for after the client has its answer."""
    numbers = proxy.numbers()
    name = "holdfast_input_tokens_total"
    sums = numbers.total(name), numbers.total(name, cache="read"), numbers.total("holdfast_output_tokens_total")
    return Tokens(*map(int, sums))


def _run(client: Client, staged: Stage, url: str, folder: Path) -> Run:
    place = Place(url, folder / "home", folder / "work")
    for left in (place.home, place.work):
        shutil.rmtree(left, ignore_errors=True)
    lay_out(place.work)
    count = functools.cache(counted(client.model))  # a conversation says the same again in every request
    log = staged.simulate(brain(client, place), PROFILES, count=count)
    finished = run(client, place)
    main = (record for record in log if is_main(client, record.method, record.path, record.body))
    return Run(finished, result(place.work), tuple(log), tuple(main))
