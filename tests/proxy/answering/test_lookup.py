"""What a call is answered with: always a text, and only of the tenant's own."""

import json

import pytest

from proxy.answering.calls import Called
from proxy.answering.lookup import Result, answered
from proxy.archive import Whose
from proxy.archive.memory import MemoryArchive
from proxy.errors import StoreError
from proxy.recall.library import Library
from tests.proxy.running import scenario

TENANT, OTHER = b"tenant", b"other"
TEXT = b"first\nsecond with a Fact\nthird"


class Broken(MemoryArchive):
    async def get(self, whose: Whose, id: str) -> bytes | None:
        raise StoreError("damaged")


def library(archive: MemoryArchive) -> Library:
    return Library(archive, lambda: 0.0, lambda: None)


async def asked(archive: MemoryArchive, arguments: str, tenant: bytes = TENANT) -> Result:
    return await answered(Called("recall", arguments), library(archive), tenant)


async def kept() -> tuple[MemoryArchive, str]:
    archive = MemoryArchive()
    (name,) = await archive.put(TENANT, [TEXT], 0.0)
    return archive, name


@scenario
async def test_an_original_is_read_back_whole_or_in_part() -> None:
    archive, name = await kept()
    assert await asked(archive, json.dumps({"id": name})) == Result(TEXT.decode(), "recalled")
    assert await asked(archive, json.dumps({"id": name, "grep": "Fact"})) == ("2: second with a Fact", "recalled")


@scenario
async def test_what_another_tenant_keeps_is_not_there() -> None:
    archive, name = await kept()
    result = await asked(archive, json.dumps({"id": name}), OTHER)
    assert result.outcome == "absent" and f"`{name}`" in result.text


@pytest.mark.parametrize(
    "arguments", ["", "{", "[]", '{"id": 7}', '{"id": "the file"}', '{"id":"\\ud800"}', "[" * 9999]
)
@scenario
async def test_a_call_that_asks_for_nothing_known_is_told_so(arguments: str) -> None:
    archive, _ = await kept()
    result = await asked(archive, arguments)
    assert result.text and result.outcome == "absent"


@scenario
async def test_a_fault_of_the_archive_becomes_words() -> None:
    assert await asked(Broken(), '{"id": "hf-abcdefghijklmnop"}') == (
        "the original cannot be read at the moment",
        "absent",
    )


@scenario
async def test_a_withdrawn_tool_is_said_to_be_away() -> None:
    result = await answered(Called("bash", "{}"), library(MemoryArchive()), TENANT)
    assert result == ("the tool `bash` is not available at the moment; go on without it", "withdrawn")
