"""What stays of a text: the same where the same happened again, different where anything else did."""

import pytest

from proxy.dialects.steady import steady

LONG = "line\n" * 1000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Chunk ID: 52a330\nWall time: 0.0120 seconds\nOutput:\n1",
            "Chunk ID: 891a57\nWall time: 1.5 seconds\nOutput:\n1",
        ),
        ("3 failed, 1 passed in 0.12s", "3 failed, 1 passed in 14.00s"),
        ("Ran 3 tests in 0.001s", "Ran 3 tests in 0.002s"),
        ("WARNING 11-06 04:15:40 no module", "WARNING 11-06 04:16:29.123 no module"),
        ("<Cache object at 0x7f0a12bc>", "<Cache object at 0x7f0b99ff>"),
        (f"10:00:00\n{LONG}10:00:01", f"11:00:00\n{LONG}11:00:01"),
    ],
)
def test_times_and_addresses_do_not_count(one: str, other: str) -> None:
    assert steady(one) == steady(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 failed in 1s", "2 failed in 1s"),
        ("64 batches, time=0.0938s", "64 batches, time=0.0360s"),
        ("line 12", "line 13"),
        ("12:3", "12:4"),
        ("5 sheep", "6 sheep"),
        (f"{LONG}10:00:00{LONG}", f"{LONG}11:00:00{LONG}"),
    ],
)
def test_everything_else_counts(one: str, other: str) -> None:
    assert steady(one) != steady(other)
