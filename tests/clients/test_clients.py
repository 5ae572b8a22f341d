"""Real clients do their work through Holdfast as they do it direct: `make test-clients`.

Each runs the same task twice against the simulated provider, in fresh homes but at the same path, so that both
runs send the same prompts. See `measure.py` for what is judged.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.client import Client, Place, brain
from tests.clients.measure import Comparison, Run, is_main, turns
from tests.clients.run import run
from tests.clients.table import CLIENTS
from tests.clients.tap import tapped
from tests.clients.task import lay_out, result
from tests.end_to_end.agents import PROFILES, counted
from tests.end_to_end.running import Stage, holdfast, stage

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_works_through_holdfast_as_it_does_direct(
    client: Client, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    if not client.needs.exists():
        pytest.skip(f"{client.name} is not installed (no {client.needs.name}): run `make clients`")
    compared = compare(client, tmp_path)
    record_property("client", json.dumps(compared.figures()))
    assert compared.faults() == []


def compare(client: Client, folder: Path) -> Comparison:
    with stage() as staged:
        direct = _run(client, staged, staged.urls["openai"], folder)  # the stage is the same on all its ports
        with holdfast(folder / "holdfast", staged.urls) as proxy, tapped(proxy.url) as tap:
            through = _run(client, staged, tap.url, folder)
            exchanges = tap.exchanges()
    main = [each for each in exchanges if is_main(client, each.method, each.target.partition("?")[0], each.body)]
    return Comparison(
        client.name, client.version(), client.model, direct, through, turns(main, through.main, direct.main), exchanges
    )


def _run(client: Client, staged: Stage, url: str, folder: Path) -> Run:
    place = Place(url, folder / "home", folder / "work")
    for left in (place.home, place.work):
        shutil.rmtree(left, ignore_errors=True)
    lay_out(place.work)
    log = staged.simulate(brain(client, place), PROFILES, count=counted(client.model))
    finished = run(client, place)
    main = (record for record in log if is_main(client, record.method, record.path, record.body))
    return Run(finished, result(place.work), tuple(log), tuple(main))
