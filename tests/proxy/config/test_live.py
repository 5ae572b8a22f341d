"""Hot reload: at most one look a second, one swap, and a bad file changes nothing."""

import logging
from pathlib import Path

import pytest

from proxy.config import Live, Request, load_settings


class Watched:
    """A configuration in a folder, with its holder."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "holdfast.yaml"
        self.policy = folder / "mine.yaml"
        self.policy.write_text("name: mine\nmask: {keep_newest: 1}\n")
        self.file.write_text("routes:\n  - policy: mine.yaml\n")
        request = Request(self.file, {"HOME": str(folder)})
        self.live = Live(request, load_settings(request))

    @property
    def keep_newest(self) -> int:
        return self.live.routes.policies["mine"].mask.keep_newest


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_an_unchanged_file_is_not_read_again(watched: Watched) -> None:
    before = watched.live.routes
    watched.file.touch()
    assert watched.live.poll(0.0) is None
    assert watched.live.routes is before


def test_a_changed_policy_file_is_in_force_at_the_next_turn(watched: Watched) -> None:
    watched.policy.write_text("name: mine\nmask: {keep_newest: 2}\n")
    reloaded = watched.live.poll(0.0)
    assert reloaded is not None and reloaded.changed
    assert (watched.keep_newest, watched.live.reloads) == (2, 1)


def test_files_are_looked_at_once_a_second_at_most(watched: Watched) -> None:
    watched.live.poll(100.0)
    watched.policy.write_text("name: mine\nmask: {keep_newest: 2}\n")
    assert watched.live.poll(100.9) is None and watched.keep_newest == 1
    assert watched.live.poll(101.0) is not None and watched.keep_newest == 2


def test_a_clock_that_was_set_back_does_not_keep_us_from_looking(watched: Watched) -> None:
    watched.live.poll(1000.0)
    watched.policy.write_text("name: mine\nmask: {keep_newest: 2}\n")
    assert watched.live.poll(10.0) is not None


def test_a_turn_that_took_the_routes_keeps_them(watched: Watched) -> None:
    taken = watched.live.routes
    watched.policy.write_text("name: mine\nmask: {keep_newest: 2}\n")
    watched.live.poll(0.0)
    assert taken.policies["mine"].mask.keep_newest == 1


def test_a_bad_file_keeps_the_old_one_is_counted_and_logged_once(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.policy.write_text("name: mine\nmaks: {}\n")
    with caplog.at_level(logging.INFO, "holdfast.config"):
        reloaded = watched.live.poll(0.0)
        assert watched.live.poll(5.0) is None
    assert reloaded is not None and not reloaded.changed
    assert "mine.yaml:2: unknown key `maks`" in reloaded.error
    assert (watched.keep_newest, watched.live.failures, watched.live.reloads) == (1, 1, 0)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_file_that_was_put_right_is_taken(watched: Watched) -> None:
    watched.policy.write_text("name: mine\nmaks: {}\n")
    watched.live.poll(0.0)
    watched.policy.write_text("name: mine\nmask: {keep_newest: 3}\n")
    watched.live.poll(5.0)
    assert watched.keep_newest == 3


def test_a_file_that_is_gone_keeps_the_old_one_until_it_is_back(watched: Watched) -> None:
    text = watched.policy.read_text()
    watched.policy.unlink()
    reloaded = watched.live.poll(0.0)
    assert reloaded is not None and "cannot be read" in reloaded.error
    watched.policy.write_text(text)
    assert watched.live.poll(5.0) is not None
    assert (watched.keep_newest, watched.live.failures) == (1, 1)


def test_a_file_that_a_new_route_names_is_watched_from_then_on(watched: Watched) -> None:
    other = watched.file.parent / "other.yaml"
    other.write_text("name: other\nmask: {keep_newest: 5}\n")
    watched.file.write_text("routes:\n  - policy: other.yaml\n")
    watched.live.poll(0.0)
    other.write_text("name: other\nmask: {keep_newest: 6}\n")
    watched.live.poll(5.0)
    assert watched.live.routes.policies["other"].mask.keep_newest == 6


def test_what_takes_effect_at_the_next_start_is_named_until_then(watched: Watched) -> None:
    watched.file.write_text("port: 1\nroutes:\n  - policy: mine.yaml\n")
    reloaded = watched.live.poll(0.0)
    assert reloaded is not None
    assert (reloaded.changed, reloaded.at_next_start) == (False, ("port",))
    assert watched.live.reload().at_next_start == ("port",)
