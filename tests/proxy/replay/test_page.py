"""The page: one file, nothing loaded, what came out of a trace escaped."""

import re
from html.parser import HTMLParser

from proxy.replay.page import DEAREST, page
from proxy.replay.report import document
from proxy.replay.session import Played, play
from proxy.replay.wire import script

from .sessions import count, policy, profile, trace

VOID = {"meta"}


class Tags(HTMLParser):
    """Checks that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def played(id: str, turns: int) -> Played:
    return play(script(trace([300] * turns, id=id), profile()), profile(), [policy(2)], count)


def made(*sessions: Played) -> str:
    return page(document(sessions), sessions)


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    text = made(*(played(f"s{n}", n) for n in range(1, 6)))
    tags = Tags()
    tags.feed(text)
    assert tags.open == [] and tags.seen.count("svg") == 3 * DEAREST
    assert not re.search(r"<(script|link|img|iframe)|\b(src|href)=|url\(|@import", text)
    assert "prefers-color-scheme:dark" in text and "width=device-width" in text


def test_the_dearest_sessions_are_plotted_and_all_are_listed() -> None:
    text = made(*(played(f"session-{n}", n) for n in (2, 9, 4, 6)))
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["session-9", "session-6", "session-4"]
    assert all(f"<td>session-{n}</td>" in text for n in (2, 9, 4, 6))


def test_names_out_of_a_trace_are_escaped() -> None:
    text = made(played("<script>alert(1)</script>", 2))
    assert "<script" not in text and "&lt;script&gt;" in text


def test_sessions_without_calls_are_listed_but_not_plotted() -> None:
    empty = Played("none", "made-up", {"masking": ()}, {"direct": (), "mask_every_turn": (), "optimum": ()})
    text = made(empty)
    assert "<svg" not in text and "<td>none</td><td>0</td>" in text


def test_axes_have_round_figures() -> None:
    text = made(played("s", 12))
    labels = re.findall(r'<text class="end"[^>]*>([^<]*)</text>', text)
    assert {"0k", "$0", "0%", "100%"} <= set(labels)
    assert all(re.fullmatch(r"[\d.]+k|\$[\d.]+|[\d.]+%|\d+", label) for label in labels)
