"""What the tools of the MCP server say: short definitions, bounded answers, words that an agent can act on."""

import json

import jsonschema
import pytest

from proxy.archive import About
from proxy.errors import AskedError
from proxy.recall.library import Reader
from proxy.recall.tools import MAX_CHARACTERS, TOOLS, call
from tests.proxy.recall.shelf import TEXT, Shelf
from tests.proxy.running import scenario


async def said(shelf: Shelf, tool: str, **arguments: object) -> str:
    return await call(shelf.library, Reader(), tool, arguments)


def test_the_definitions_cost_an_agent_little_on_each_turn() -> None:
    spelt = json.dumps([{"name": t.name, "description": t.description, "input_schema": t.schema} for t in TOOLS])
    assert len(spelt) < 1_400  # 370 tokens; most are keywords of JSON Schema
    for tool in TOOLS:
        jsonschema.Draft202012Validator.check_schema(tool.schema)


@scenario
async def test_recall_gives_the_text_as_it_was_or_lines_with_their_numbers() -> None:
    shelf = Shelf()
    id = await shelf.put()
    assert await said(shelf, "recall", id=id) == TEXT
    assert await said(shelf, "recall", id=id, lines="2:3") == "2: line 2 of a long output\n3: line 3 of a long output"
    assert await said(shelf, "recall", id=id, grep="line 7 ", lines=None) == "7: line 7 of a long output"
    around = await said(shelf, "recall", id=id, grep="line (3|9) ", context=1)
    assert [line.split(":")[0] for line in around.split("\n")] == ["2", "3", "4", "--", "8", "9", "10"]
    assert await said(shelf, "recall", id=id, grep="nowhere") == "no line of 40 matches"


@scenario
async def test_a_long_original_is_read_in_parts_that_meet() -> None:
    shelf = Shelf()
    text = "".join(f"{number} {'x' * 90}\n" for number in range(1, 3_001))
    id = await shelf.put(text=text)
    read: list[str] = []
    lines = ""
    for _ in range(20):
        answer = (await said(shelf, "recall", id=id, lines=lines)).split("\n")
        assert sum(map(len, answer)) < MAX_CHARACTERS + 100
        rest = answer[-1].partition("ask for lines `")[2].removesuffix("`]")
        read += [line.partition(": ")[2] for line in answer[: -1 if rest else None]]
        lines = rest
        if not rest:
            break
    assert "\n".join(read) + "\n" == text


@scenario
async def test_one_line_that_is_too_long_is_cut_and_what_follows_can_be_had() -> None:
    shelf = Shelf()
    id = await shelf.put(text="x" * 100_000 + "\nthe end")
    answer = await said(shelf, "recall", id=id)
    assert len(answer) < MAX_CHARACTERS + 100 and answer.endswith("…\n[1 of 2 lines left out: ask for lines `2:`]")
    assert await said(shelf, "recall", id=id, lines="2:") == "2: the end"


@scenario
async def test_search_names_what_it_finds_and_where() -> None:
    shelf = Shelf()
    id = await shelf.put(about=About("bash", "line 1", ("src/x.py",), "s", 321))
    answer = await said(shelf, "search", text="line 7 output")
    assert answer.startswith(f"{id} (bash, src/x.py, 321 tokens, 2027-01-15 08:00 UTC)\n  7: line 7 of a long output")
    assert await said(shelf, "search", text="nowhere") == "nothing that was elided holds `nowhere`"


@scenario
async def test_notes_are_written_listed_read_and_removed() -> None:
    shelf = Shelf()
    assert await said(shelf, "notes") == "no notes yet"
    assert await said(shelf, "note", text="the port is 8443\nand more", title="ports") == "note-1 kept"
    assert await said(shelf, "note", text="no title here\nsecond line") == "note-2 kept"
    assert await said(shelf, "notes") == "note-1: ports\nnote-2: no title here"
    assert await said(shelf, "notes", id="note-1") == "ports\n\nthe port is 8443\nand more"
    assert await said(shelf, "note", text="", id="note-1") == "note-1 removed"
    assert await said(shelf, "notes") == "note-2: no title here"


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("recall", {}, "missing required field `id`"),
        ("recall", {"id": 3}, "expected `str`, got `int`"),
        ("recall", {"id": "hf-aaaaaaaaaaaaaaaa", "pattern": "x"}, "contains unknown field `pattern`"),
        ("recall", {"id": "hf-aaaaaaaaaaaaaaaa"}, "has no original"),
        ("note", {"text": "  "}, "a note needs a text"),
        ("note", {"text": "", "id": "note-9"}, "there is no note `note-9`"),
        ("notes", {"id": "note-9"}, "there is no note `note-9`"),
        ("forget", {}, "there is no tool `forget`"),
    ],
)
@scenario
async def test_what_cannot_be_answered_says_why(tool: str, arguments: dict[str, object], says: str) -> None:
    with pytest.raises(AskedError, match=says):
        await call(Shelf().library, Reader(), tool, arguments)
