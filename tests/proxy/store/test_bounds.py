"""What goes first, and when to stop."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.store.bounds import Bounds

AGES = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 50))).map(sorted)


@given(ages=AGES, max_bytes=st.integers(0, 500), max_age=st.integers(0, 100))
def test_the_rest_is_within_bounds_and_nothing_goes_needlessly(
    ages: list[tuple[int, int]], max_bytes: int, max_age: int
) -> None:
    bounds, now, total = Bounds(max_bytes, max_age), 100, sum(size for _, size in ages)
    victims = list(bounds.beyond(total, now, ((n, float(at), size) for n, (at, size) in enumerate(ages))))
    assert victims == list(range(len(victims)))
    rest = ages[len(victims) :]
    assert sum(size for _, size in rest) <= max_bytes
    assert all(at >= now - max_age for at, _ in rest)
    if victims:
        at, size = ages[len(victims) - 1]
        assert at < now - max_age or size + sum(size for _, size in rest) > max_bytes
