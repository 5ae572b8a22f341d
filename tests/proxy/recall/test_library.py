"""Whose originals and notes a reader sees (ISOLATED)."""

import pytest

from proxy.errors import AskedError
from proxy.recall.choosing import Asked
from proxy.recall.library import Reader, tenant_name
from tests.proxy.recall.shelf import ALICE, BOB, TEXT, Shelf
from tests.proxy.running import scenario


@scenario
async def test_a_named_tenant_reads_its_own_originals_and_no_others() -> None:
    shelf = Shelf()
    hers, his = await shelf.put(ALICE), await shelf.put(BOB)
    alice = await shelf.library.reader(tenant_name(ALICE))
    assert (await shelf.library.recall(alice, hers, Asked())).text == TEXT
    with pytest.raises(AskedError, match="has no original") as refused:
        await shelf.library.recall(alice, his, Asked())
    assert refused.value.missing
    assert [hit.entry.id for hit in (await shelf.library.search(alice, "output", 9)).hits] == [hers]
    assert [entry.id for entry in await shelf.library.newest(alice, 9)] == [hers]


@scenario
async def test_where_there_are_several_tenants_a_search_is_for_one_or_says_all() -> None:
    shelf = Shelf()
    hers = await shelf.put(ALICE)
    assert [hit.entry.id for hit in (await shelf.library.search(Reader(), "output", 9)).hits] == [hers]
    his = await shelf.put(BOB)
    with pytest.raises(AskedError, match="2 credentials .*aaaaaaaaaaaa, bbbbbbbbbbbb.* `all`"):
        await shelf.library.search(Reader(), "output", 9)
    with pytest.raises(AskedError, match="2 credentials"):
        await shelf.library.newest(Reader(), 9)
    everybody = await shelf.library.reader("all")
    assert {hit.entry.id for hit in (await shelf.library.search(everybody, "output", 9)).hits} == {hers, his}


@scenario
async def test_an_id_is_enough_where_no_tenant_is_named() -> None:
    """It cannot be guessed, and whoever has one was given it."""
    shelf = Shelf()
    hers, his = await shelf.put(ALICE), await shelf.put(BOB)
    for id in (hers, his):
        assert (await shelf.library.recall(Reader(), id, Asked("1:1"))).lines[0].text == "line 1 of a long output"


@scenario
async def test_notes_are_those_of_the_tenant_or_of_the_person_at_this_machine() -> None:
    shelf = Shelf()
    await shelf.put(ALICE)
    alice, nobody, everybody = [await shelf.library.reader(name) for name in (tenant_name(ALICE), "", "all")]
    await shelf.library.write(alice, "hers", "", "")
    local = await shelf.library.write(nobody, "of this machine", "", "")
    assert [note.text for note in await shelf.library.notes(alice)] == ["hers"]
    assert await shelf.library.notes(nobody) == await shelf.library.notes(everybody) == (local,)


@pytest.mark.parametrize("name", ["aaaa", "cccccccccccc", "ALL", "aaaaaaaaaaaz", "*"])
@scenario
async def test_a_name_that_is_no_tenants_is_refused(name: str) -> None:
    shelf = Shelf()
    await shelf.put(ALICE)
    with pytest.raises(AskedError, match="`holdfast archive list` names those"):
        await shelf.library.reader(name)


@scenario
async def test_what_is_read_back_is_counted_and_what_is_not_is_not() -> None:
    shelf = Shelf()
    id = await shelf.put()
    await shelf.library.recall(Reader(), id, Asked())
    for wrong in (("hf-aaaaaaaaaaaaaaaa", Asked()), (id, Asked("x")), ("../../etc/passwd", Asked())):
        with pytest.raises(AskedError):
            await shelf.library.recall(Reader(), *wrong)
    assert shelf.recalled == 1
