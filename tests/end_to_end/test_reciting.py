"""Notes through a served proxy: every strict provider takes them, also where reasoning is bound; no cache is lost."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proxy.simulator.brains import script
from tests.end_to_end.agents import KINDS, PROFILES, TASK, counted, extends, turns
from tests.end_to_end.running import PATIENCE, Holdfast, Stage, done, holdfast

TURNS = 8
WORDS = f'the task as first stated: \\"{TASK}\\"]'
POLICY = """\
name: reciting
mask: {when: never}
recite: {enabled: true, at: 0, every: 3000}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def proxy(staged: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    folder: Path = tmp_path_factory.mktemp("reciting")
    (folder / "reciting.yaml").write_text(POLICY)
    with holdfast(folder, staged.urls, "--policy", str(folder / "reciting.yaml")) as running:
        yield running


@pytest.mark.parametrize("name", KINDS)
def test_every_provider_takes_notes_and_keeps_its_cache(name: str, staged: Stage, proxy: Holdfast) -> None:
    kind, model = KINDS[name]
    with httpx.Client(timeout=PATIENCE) as client:
        log = staged.simulate(script(turns(TURNS)), PROFILES, count=counted(model))
        agent = kind(proxy.url, client, model)
        agent.headers["x-api-key"] = f"key of {name}"  # a tenant each: the same words would be a retry
        agent.run()
    sent = done(log, TURNS + 1)
    assert [record.status for record in sent] == [200] * (TURNS + 1)
    recited = [record.body.count(WORDS.encode()) for record in sent]
    assert recited[0] == 0 and recited == sorted(recited) and recited[-1] >= 2
    assert sum("recite:1" in reply.plan for reply in agent.replies) == recited[-1]
    assert all(extends(before.body, after.body) for before, after in zip(sent, sent[1:], strict=False))
