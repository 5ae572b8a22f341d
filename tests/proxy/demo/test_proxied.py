"""The proxy of the demo: the user's configuration has no say, and what does not start says why."""

import asyncio
import os
from pathlib import Path

import pytest

from proxy.demo.proxied import proxy


def start(upstream: str, environ: dict[str, str], folder: Path) -> str:
    async def work() -> str:
        async with proxy(upstream, environ, folder / "demo.db") as running:
            return running.url

    return asyncio.run(work())


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, **more}  # noqa: TID251  the child needs PATH and the like


@pytest.mark.slow
def test_no_file_and_no_variable_of_the_user_changes_it(tmp_path: Path) -> None:
    folder = tmp_path / "holdfast"
    folder.mkdir()
    (folder / "holdfast.yaml").write_text("nonsense: true\n")
    given = environment(XDG_CONFIG_HOME=str(tmp_path), HOLDFAST_PORT="nonsense", HOME=str(tmp_path))
    assert start("http://127.0.0.1:9", given, tmp_path).startswith("http://127.0.0.1:")


@pytest.mark.slow
def test_a_proxy_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"^the proxy did not start: .*`ftp://h`; allowed: http://HOST"):
        start("ftp://h", environment(), tmp_path)
