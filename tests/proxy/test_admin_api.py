"""The calls of the admin port."""

from pathlib import Path

import httpx
import pytest

from proxy.admin_api import admin_api
from proxy.config import Live, Request, load_settings
from tests.proxy.driving import run


def asked(live: Live, method: str = "POST", path: str = "/api/reload") -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(admin_api(live)), base_url="http://admin") as client:
            return await client.request(method, path)

    return run(ask())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "holdfast.yaml"
    file.write_text("routes: [{policy: observe}]\nstore: 'memory:'\n")
    return file


def test_a_reload_takes_what_the_file_says_now(file: Path) -> None:
    request = Request(file)
    live = Live(request, load_settings(request))
    assert asked(live).json()["changed"] is False
    file.write_text("routes: [{policy: aggressive}]\nstore: 'memory:'\n")
    answer = asked(live)
    assert answer.status_code == 200 and answer.json()["changed"] is True
    assert live.routes.entries[0].policy == "aggressive"


def test_the_policies_in_use_are_told(file: Path) -> None:
    request = Request(file)
    answer = asked(Live(request, load_settings(request)), "GET", "/api/status")
    assert answer.json() == {"policies": ["observe"]}


def test_a_bad_file_is_refused_with_its_line_and_the_old_one_stays(file: Path) -> None:
    request = Request(file)
    live = Live(request, load_settings(request))
    file.write_text("routes: [{policy: observe}]\nstroe: 'memory:'\n")
    answer = asked(live)
    assert answer.status_code == 400 and ":2: unknown key `stroe`" in answer.json()["error"]
    assert live.routes.entries[0].policy == "observe"


def test_looking_is_not_reloading(file: Path) -> None:
    request = Request(file)
    assert asked(Live(request, load_settings(request)), "GET").status_code == 405
