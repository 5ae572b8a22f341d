"""Sizes and durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.units import duration, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5GB", 5_000_000_000),
        ("5 gb", 5_000_000_000),
        ("1.5KB", 1500),
        ("1GiB", 1024**3),
        ("512MiB", 512 * 1024**2),
        ("1TB", 10**12),
        ("100B", 100),
        ("100", 100),
    ],
)
def test_a_size_is_bytes(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", 604800.0),
        ("90s", 90.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("250ms", 0.25),
        ("2w", 1209600.0),
        ("0.5", 0.5),
        ("90", 90.0),
    ],
)
def test_a_duration_is_seconds(text: str, expected: float) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "5XB", "5 G B", "-5GB", "5,0GB", "1e3", "٥GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a size such as"):
        size(text)


@pytest.mark.parametrize("text", ["", "d", "7 days", "1h30", "-7d", "7D", "1m1"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration such as"):
        duration(text)


@given(st.integers(1, 10**6), st.sampled_from(["s", "m", "h", "d", "w"]), st.integers(1, 59))
def test_the_parts_of_a_duration_add_up(number: int, unit: str, seconds: int) -> None:
    assert duration(f"{number}{unit}{seconds}s") == duration(f"{number}{unit}") + seconds
