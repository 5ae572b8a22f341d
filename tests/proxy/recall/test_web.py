"""The archive over HTTP, behind the admin port's own checks."""

from collections.abc import Mapping

import httpx
import pytest
from starlette.applications import Starlette

from proxy.admin import AdminApp
from proxy.archive import Whose
from proxy.archive.memory import MemoryArchive
from proxy.errors import StoreError
from proxy.recall.library import tenant_name
from proxy.recall.web import routes
from tests.proxy.recall.shelf import ALICE, BOB, TEXT, Shelf
from tests.proxy.running import scenario


class Broken(MemoryArchive):
    async def get(self, whose: Whose, id: str) -> bytes | None:
        raise StoreError("the disk is gone")


async def ask(shelf: Shelf, path: str, headers: Mapping[str, str] | None = None, token: str = "") -> httpx.Response:
    mounted = Starlette(routes=routes(shelf.library))
    app = AdminApp(lambda accept: (b"", accept), mounted=mounted, token=token)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8788") as client:
        return await client.get(path, headers=headers)


@scenario
async def test_an_original_is_plain_text_that_no_browser_runs() -> None:
    shelf = Shelf()
    id = await shelf.put(text="<script>alert(1)</script>")
    answer = await ask(shelf, f"/api/archive/{id}")
    assert (answer.status_code, answer.text) == (200, "<script>alert(1)</script>")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert shelf.recalled == 1


@scenario
async def test_lines_pattern_and_context_choose_from_it() -> None:
    shelf = Shelf()
    id = await shelf.put()
    assert (await ask(shelf, f"/api/archive/{id}?lines=2:3")).text.splitlines() == TEXT.splitlines()[1:3]
    answer = await ask(shelf, f"/api/archive/{id}?grep=line+5+&context=1", {"accept": "application/json"})
    assert answer.json()["total"] == 40
    assert [line["number"] for line in answer.json()["lines"]] == [4, 5, 6]


@scenario
async def test_originals_are_found_and_listed_for_one_tenant_or_all() -> None:
    shelf = Shelf()
    hers, his = await shelf.put(ALICE), await shelf.put(BOB)
    found = (await ask(shelf, "/api/archive?search=output")).json()
    assert {one["id"] for one in found["originals"]} == {hers, his} and found["complete"]
    assert found["originals"][0]["excerpts"][0] == {"number": 1, "text": "line 1 of a long output"}
    (only,) = (await ask(shelf, f"/api/archive?search=output&tenant={tenant_name(ALICE)}")).json()["originals"]
    assert (only["id"], only["tenant"], only["tool"]) == (hers, tenant_name(ALICE), "bash")
    assert len((await ask(shelf, "/api/archive")).json()["originals"]) == 2
    assert len((await ask(shelf, "/api/archive?limit=1")).json()["originals"]) == 1


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("hf-aaaaaaaaaaaaaaaa", 404, "has no original"),
        ("..%2f..%2fetc%2fpasswd", 404, ""),
        ("ID?lines=a", 400, "no range"),
        ("ID?grep=(", 400, "no regular expression"),
        ("ID?context=-1", 400, "whole number"),
        ("ID?tenant=nobody12", 400, "no tenant"),
    ],
)
@scenario
async def test_what_cannot_be_given_is_said_in_one_line(path: str, status: int, says: str) -> None:
    shelf = Shelf()
    answer = await ask(shelf, f"/api/archive/{path.replace('ID', await shelf.put())}")
    assert answer.status_code == status and says in answer.text


@scenario
async def test_a_fault_of_the_archive_is_503() -> None:
    answer = await ask(Shelf(Broken()), "/api/archive/hf-aaaaaaaaaaaaaaaa")
    assert (answer.status_code, answer.text) == (503, "the disk is gone\n")


@scenario
async def test_the_token_a_foreign_origin_and_a_foreign_host_are_the_admin_ports_to_refuse() -> None:
    shelf = Shelf()
    path = f"/api/archive/{await shelf.put()}"
    assert (await ask(shelf, path, token="t0ken")).status_code == 401
    assert (await ask(shelf, path, {"authorization": "Bearer t0ken"}, "t0ken")).status_code == 200
    assert (await ask(shelf, path, {"origin": "http://evil.test"})).status_code == 403
    assert (await ask(shelf, path, {"host": "evil.test"})).status_code == 421
    assert shelf.recalled == 1
