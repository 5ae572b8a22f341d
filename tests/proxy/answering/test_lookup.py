"""What a call is answered with: always a text, bounded, and only of the tenant's own."""

import json

import pytest

from proxy.answering.calls import Called
from proxy.answering.lookup import MAX_CHARACTERS, answered
from proxy.archive import Archive
from proxy.archive.memory import MemoryArchive
from proxy.errors import StoreError
from tests.proxy.running import scenario

TENANT, OTHER = b"tenant", b"other"
TEXT = b"first\nsecond with a Fact\nthird\nfourth"


class Broken(MemoryArchive):
    async def get(self, tenant: bytes, id: str) -> bytes | None:
        raise StoreError("damaged")


async def kept(text: bytes) -> tuple[MemoryArchive, str]:
    archive = MemoryArchive()
    (name,) = await archive.put(TENANT, [text], 0.0)
    return archive, name


async def asked(archive: Archive, tenant: bytes = TENANT, **arguments: str) -> str:
    return await answered(Called("recall", json.dumps(arguments)), archive, tenant)


@pytest.mark.parametrize(
    ("more", "result"),
    [
        ({}, TEXT.decode()),
        ({"lines": "2:3"}, "second with a Fact\nthird"),
        ({"lines": "3-"}, "third\nfourth"),
        ({"lines": ":1"}, "first"),
        ({"lines": "2"}, "second with a Fact"),
        ({"lines": "the end"}, TEXT.decode()),
        ({"lines": "9:12"}, ""),
        ({"grep": "fact"}, "2: second with a Fact"),
        ({"grep": "fact", "lines": "3:"}, "no line from 3 to 4 holds `fact`"),
        ({"grep": "(a+)+$"}, "no line from 1 to 4 holds `(a+)+$`"),
    ],
)
@scenario
async def test_all_some_lines_or_those_that_hold_a_text(more: dict[str, str], result: str) -> None:
    archive, name = await kept(TEXT)
    assert await asked(archive, id=name, **more) == result
    assert await asked(archive, id=f"`{name}`.", **more) == result


@scenario
async def test_what_another_tenant_keeps_is_not_there() -> None:
    archive, name = await kept(TEXT)
    assert await asked(archive, OTHER, id=name) == f"nothing is kept under the id `{name}`"


@pytest.mark.parametrize("arguments", ["", "{", "[]", "{}", '{"id": 7}', '{"id": "the file"}', '{"id":"\\ud800"}'])
@scenario
async def test_a_call_that_names_no_id_is_told_so(arguments: str) -> None:
    archive, _ = await kept(TEXT)
    assert (await answered(Called("recall", arguments), archive, TENANT)).startswith("an id is needed")


@scenario
async def test_a_fault_of_the_archive_becomes_words() -> None:
    assert await asked(Broken(), id="hf-abcdefghijklmnop") == "the original cannot be read at the moment"


@scenario
async def test_a_long_original_comes_in_parts() -> None:
    archive, name = await kept(b"0123456789\n" * 10_000)
    text = await asked(archive, id=name)
    assert len(text) < MAX_CHARACTERS + 100 and text.endswith("further lines: ask for them with `lines`]")
    assert await asked(archive, id=name, lines="9999:9999") == "0123456789"


@scenario
async def test_a_withdrawn_tool_is_said_to_be_away() -> None:
    text = await answered(Called("bash", "{}"), MemoryArchive(), TENANT)
    assert text == "the tool `bash` is not available at the moment; go on without it"
