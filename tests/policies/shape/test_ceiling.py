"""Too long an output keeps whole lines of both ends, and says where the rest is."""

import re

from hypothesis import given
from hypothesis import strategies as st

from policies.shape.ceiling import cut

NOTE = re.compile(r"\[(\d+) lines, (\d+) characters elided here; to read them: holdfast archive get hf-abc\]")


def words(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def test_head_and_tail_stay_in_whole_lines() -> None:
    lines = [f"line number {n} of many" for n in range(1000)]
    text = "\n".join(lines) + "\n"
    made = cut(text, words(text), 500, "hf-abc", words)
    before, note, behind = made.partition("[")[0], NOTE.search(made), made.partition("]\n")[2]
    assert note and text.startswith(before) and text.endswith(behind) and before.endswith("many\n")
    assert behind.startswith("line number") and len(behind) > len(before) > 500
    assert int(note[1]) == 1000 - before.count("\n") - behind.count("\n")
    assert int(note[2]) == len(text) - len(before) - len(behind)
    assert 400 <= words(made) <= 500


def test_a_long_line_is_cut_within() -> None:
    text = "word " * 10_000
    made = cut(text, 10_000, 200, "hf-abc", words)
    head, tail = NOTE.split(made)[0], NOTE.split(made)[-1]
    assert text.startswith(head.rstrip("\n")) and text.endswith(tail.lstrip("\n")) and 100 < words(made) <= 200


@given(st.lists(st.text("ab \n.", max_size=60), min_size=1), st.integers(40, 400))
def test_both_ends_are_the_texts_own_and_fit(pieces: list[str], most: int) -> None:
    text = "\n".join(pieces) + "x" * 2000 + ". " * 500
    made = cut(text, words(text), most, "hf-abc", words)
    note = NOTE.search(made)
    assert note and words(made) <= most
    head, tail = made[: note.start()], made[note.end() + 1 :]
    assert (text.startswith(head) or text.startswith(head[:-1])) and text.endswith(tail)
    assert int(note[2]) == len(text) - len(tail) - len(head if text.startswith(head) else head[:-1])


def test_a_ceiling_too_low_for_its_own_note_leaves_nothing_but_the_note() -> None:
    made = cut("word " * 1_000, 1_000, 2, "hf-abc", words)
    assert made == "[1 lines, 5000 characters elided here; to read them: holdfast archive get hf-abc]\n"
