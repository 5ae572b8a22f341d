"""The page: one file, nothing loaded, what came out of a trace escaped."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

from msgspec.structs import replace

from proxy.replay.page import DEAREST, page
from proxy.replay.report import document
from proxy.replay.session import Played, play
from proxy.replay.states import States
from proxy.replay.wire import script

from .sessions import count, policy, profile, trace

VOID = {"meta"}
SVG = "http://www.w3.org/2000/svg"


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
    assert not re.search(r"<(link|img|iframe)|\b(src|href|style|onclick)=|url\(|@import|//", text.replace(SVG, ""))
    assert "prefers-color-scheme:dark" in text and "width=device-width" in text


def test_the_browser_is_told_to_run_the_pages_own_style_and_script_and_nothing_else() -> None:
    text = made(played("s", 2))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    for kind in ("style", "script"):
        (inner,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        assert f"{kind}-src 'sha256-{b64encode(sha256(inner.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy


def test_every_table_scrolls_by_keyboard_and_sessions_are_sorted_by_their_figures() -> None:
    text = made(*(played(f"s{n}", n) for n in (2, 9)))
    assert text.count('<div class="wide" tabindex="0" role="region" aria-label=') == 2
    assert '<th scope="col"><button type="button">turns</button></th>' in text
    assert '<td data-value="10">10</td>' in text and '<td data-value="s9">s9</td>' in text


def test_what_was_shaped_stands_apart_from_what_was_masked() -> None:
    one = played("s", 3)
    assert ">shaped<" not in made(one) and ">compacted<" not in made(one)
    calls = [replace(call, states=States(shaped=50)) for call in one.policies["masking"]]
    assert ">shaped<" in made(replace(one, policies={"masking": tuple(calls)}))


def test_the_dearest_sessions_are_plotted_and_all_are_listed() -> None:
    text = made(*(played(f"session-{n}", n) for n in (2, 9, 4, 6)))
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["session-9", "session-6", "session-4", "All 4 sessions"]
    assert all(f">session-{n}</td>" in text for n in (2, 9, 4, 6))


def test_names_out_of_a_trace_are_escaped() -> None:
    text = made(played('"><script>alert(1)</script>', 2))
    assert text.count("<script") == 1 and "&quot;&gt;&lt;script&gt;" in text


def test_sessions_without_calls_are_listed_but_not_plotted() -> None:
    empty = Played("none", "made-up", {"masking": ()}, {"direct": (), "mask_every_turn": (), "optimum": ()})
    text = made(empty)
    assert "<svg" not in text and '<td data-value="0">0</td>' in text and ">none</td>" in text


def test_axes_have_round_figures() -> None:
    text = made(played("s", 12))
    labels = re.findall(r'<text class="end"[^>]*>([^<]*)</text>', text)
    assert {"0k", "$0", "0%", "100%"} <= set(labels)
    assert all(re.fullmatch(r"[\d.]+k|\$[\d.]+|[\d.]+%|\d+", label) for label in labels)
