"""Which tools are alike and which say too little, by measures that are stated."""

import pytest

from proxy.dialects.definitions import Definition
from proxy.toolbox.remarks import SAME, Overlap, overlaps, vagueness

LISTING = "Get a detailed listing of all files and directories in a specified path"
RESULT = "Results clearly distinguish files from directories with prefixes."


def tool(
    name: str, description: str = "Does what nothing else here ever does, on request.", **fields: int
) -> Definition:
    return Definition(name, 10, description, **fields)  # type: ignore[arg-type]  # counts only


def test_tools_whose_names_say_the_same_are_alike() -> None:
    assert overlaps([tool("Read"), tool("write_file", ""), tool("mcp__files__read_file", "")]) == (
        Overlap(("Read", "mcp__files__read_file"), "name", 1.0),
    )


def test_tools_whose_descriptions_begin_alike_are_alike() -> None:
    plain, sized = f"{LISTING}. {RESULT}", f"{LISTING}, including sizes. {RESULT}"
    (found,) = overlaps(
        [tool("list_directory", plain), tool("sizes", sized), tool("tree", "Draw a tree of all files.")]
    )
    assert (found.these, found.by) == (("list_directory", "sizes"), "description") and SAME <= found.score < 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cancel a cron job previously scheduled with CronCreate.", "List all cron jobs scheduled via CronCreate."),
        ("Update the flights of a reservation.", "Update the passengers of a reservation."),
        ("Get the details of a reservation.", "Get the details of a user and reservations."),
        ("", ""),
    ],
)
def test_descriptions_that_share_their_object_are_not_alike(one: str, other: str) -> None:
    assert overlaps([tool("first", one), tool("second", other)]) == ()


def test_what_the_manual_behind_the_beginning_says_does_not_count() -> None:
    letters = "bcdfghjklm"
    manual = " ".join(f"q{one}{other}" for one in letters for other in letters)
    first, second = (" ".join(f"{start}{one}{start}" for one in letters) for start in "xz")
    filled = [f"{opening} {opening.upper()} {opening.replace('b', 'v')} {manual}" for opening in (first, second)]
    assert overlaps([tool("one", filled[0]), tool("two", filled[1])]) == ()
    assert overlaps([tool("one", manual), tool("two", manual)]) != ()


def test_a_name_that_is_part_of_another_is_another_name() -> None:
    assert overlaps([tool("Edit", ""), tool("NotebookEdit", "")]) == ()


def test_built_in_tools_are_not_compared() -> None:
    assert overlaps([Definition("bash", 1, kind="bash_20250124"), tool("bash")]) == ()


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (tool("x", ""), ("no description",)),
        (tool("x", "Go."), ("a description of 1 word",)),
        (tool("x", "Run a bash command."), ("a description of 4 words",)),
        (tool("get_user_details", "Get the details of a user."), ("says no more than the name",)),
        (tool("x", parameters=4, undescribed=2), ("2 of 4 parameters without a description",)),
        (tool("x", parameters=4, undescribed=1), ()),
        (tool("x"), ()),
        (Definition("x", 1, kind="web_search"), ()),
        (Definition("x", 0, bare=True), ()),
    ],
)
def test_a_description_that_says_too_little_is_vague(one: Definition, why: tuple[str, ...]) -> None:
    assert vagueness(one) == why
