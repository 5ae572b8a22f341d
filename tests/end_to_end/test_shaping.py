"""Shapes through a served proxy: strict providers take them, also where reasoning is bound; no cache is lost."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proxy.simulator.brains import script
from tests.end_to_end.agents import KINDS, PROFILES, counted, extends, turns
from tests.end_to_end.running import PATIENCE, Holdfast, Stage, done, holdfast

TURNS = 6
CUT = b"elided here; to read them: holdfast archive get hf-"
POLICY = """\
name: shaping
mask: {when: never}
per_tool:
  read: {shape: {max_tokens: 600}}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def proxy(staged: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    folder: Path = tmp_path_factory.mktemp("shaping")
    (folder / "shaping.yaml").write_text(POLICY)
    with holdfast(folder, staged.urls, "--policy", str(folder / "shaping.yaml")) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "below"), [("anthropic bound", 0), ("chat", 0), ("responses bound", 0), ("gemini signed", 2)]
)
def test_every_provider_takes_shapes_and_keeps_its_cache(name: str, below: int, staged: Stage, proxy: Holdfast) -> None:
    """`below`: observations that would leave too little for the provider to cache."""
    kind, model = KINDS[name]
    with httpx.Client(timeout=PATIENCE) as client:
        log = staged.simulate(script(turns(TURNS)), PROFILES, count=counted(model))
        agent = kind(proxy.url, client, model, lines=(120, 160))
        agent.headers["x-api-key"] = f"key of {name}"  # a tenant each: the same words would be a retry
        agent.run()
    sent = done(log, TURNS + 1)
    assert [record.status for record in sent] == [200] * (TURNS + 1)
    cuts = [max(0, cut - below) for cut in (0, 1, 2, 3, 4, 6, 7)]
    assert [record.body.count(CUT) for record in sent] == cuts, "two calls in the fifth turn"
    assert ["shape:" in reply.plan for reply in agent.replies] == [number > below for number in range(TURNS + 1)]
    assert all(extends(before.body, after.body) for before, after in zip(sent, sent[1:], strict=False))
