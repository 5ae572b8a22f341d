"""What several files of this folder use: a stage of upstreams, and a proxy in front of it."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.running import Holdfast, Stage, holdfast, stage


@pytest.fixture(scope="module")
def staged() -> Iterator[Stage]:
    with stage() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(staged: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holdfast]:
    """With the default policy, its upstreams on the stage."""
    with holdfast(tmp_path_factory.mktemp("holdfast"), staged.urls) as running:
        yield running
