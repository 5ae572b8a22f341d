"""Settings of the stabilize policy."""

import msgspec
import pytest

from policies.stabilize import Stabilize


def test_replay_is_on_and_what_is_not_in_effect_is_off_unless_asked_for() -> None:
    assert Stabilize() == Stabilize(replay=True, pin_system=False, pin_tools=False)


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="pin_model"):
        msgspec.convert({"pin_model": True}, Stabilize)
