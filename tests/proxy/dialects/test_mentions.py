"""Which values a text has, and which of them are worth naming."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects import mentions
from proxy.dialects.mentions import marks, named, values


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see src/app/main.py:12", ["src/app/main.py"]),
        ("open README.md now", ["README.md"]),
        ("self._track_block(seq)", ["self._track_block"]),
        ("raise ValueError", ["ValueError"]),
        ("error TS2345 in it", ["TS2345"]),
        ("commit 9fceb02d0ae598e9", ["fceb02d0ae598e9"]),
        ("commit a9fceb02d0ae598e9", ["a9fceb02d0ae598e9"]),
        ("say 'no such column' twice", ["no such column"]),
        ('say "no such column" twice', ["no such column"]),
        ("plain words only, short a.b x_1", []),
    ],
)
def test_paths_identifiers_codes_and_quoted_strings_are_values(text: str, found: list[str]) -> None:
    assert list(values(text)) == found


def test_a_call_and_what_it_quotes_have_values_in_common() -> None:
    shown = "12\tdef load_table(self):\n13\t    return self.rows_by_key\n"
    asked = '{"old_str":"def load_table(self):\\n    return self.rows_by_key\\n"}'
    assert len(marks(shown) & marks(asked, json=True)) == 2
    assert not marks("an other_name") & marks(asked, json=True)


def test_the_same_text_has_the_same_marks_in_every_process() -> None:
    text = "src/app/main.py and self.rows_by_key"
    code = f"from proxy.dialects.mentions import marks; print(sorted(marks({text!r})))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == str(sorted(marks(text)))


def test_no_more_than_a_bounded_number_of_values_is_kept_and_of_a_long_text_only_the_front_is_read() -> None:
    assert len(marks(" ".join(f"name_{n}" for n in range(2000)))) == mentions.KEPT
    assert marks("x " * mentions.READ + "late_name") == frozenset()
    assert named("x " * mentions.READ + "def late_name", 100) == ()


def test_a_text_that_cannot_be_encoded_has_values_all_the_same() -> None:
    assert len(marks("a/\ud800b_name/c")) == 1


LISTING = """\
from app.tables import Table
import app.columns

class Loader(Table):
    total_rows: int = 0
14	    limit_rows = self.settings.limit
    def load_table(self):
        if total == 3: return "src/app/rows.txt"
"""


def test_definitions_and_imports_are_named_first_then_members_and_assignments_then_paths() -> None:
    assert named(LISTING, 1000) == (
        "app.tables",
        "app.columns",
        "Loader",
        "load_table",
        "self.settings.limit",
        "total_rows",
        "limit_rows",
        "src/app/rows.txt",
    )


def test_what_another_name_says_is_not_named_again() -> None:
    assert named("class LoaderOfRows:\n    def Loader(self): ...\n", 100) == ("LoaderOfRows",)


def test_a_name_that_does_not_fit_leaves_its_room_to_the_next() -> None:
    assert named("def a_very_long_name_indeed(): ...\ndef short_one(): ...", 20) == ("short_one",)


@given(st.text(alphabet="abcdef_./=: \n0(\"'", max_size=300), st.integers(0, 120))
def test_names_fit_and_stand_in_the_text(text: str, room: int) -> None:
    found = named(text, room)
    assert sum(len(name) + 2 for name in found) <= room
    assert all(name in text and len(name) >= mentions.SHORTEST for name in found)
