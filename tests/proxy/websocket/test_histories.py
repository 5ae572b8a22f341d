"""What stands under the id of an answer: by tenant, within a bound."""

from proxy.websocket.histories import OVERHEAD, Histories

ME, OTHER = b"me", b"other"


def test_a_chain_is_all_that_its_answers_added_in_order() -> None:
    histories = Histories(10_000)
    histories.keep(ME, "a", None, [b"1", b"2"])
    histories.keep(ME, "b", "a", [b"3"])
    histories.keep(ME, "fork", "a", [b"4"])
    assert histories.find(ME, "b") == (b"1", b"2", b"3")
    assert histories.find(ME, "fork") == (b"1", b"2", b"4")


def test_an_id_of_one_tenant_means_nothing_to_another() -> None:
    histories = Histories(10_000)
    histories.keep(ME, "a", None, [b"1"])
    assert histories.find(OTHER, "a") is None
    histories.keep(OTHER, "b", "a", [b"2"])
    assert histories.find(OTHER, "b") is None


def test_a_chain_with_a_gap_or_a_ring_is_not_known() -> None:
    histories = Histories(10_000)
    histories.keep(ME, "b", "a", [b"2"])
    assert histories.find(ME, "b") is None
    histories.keep(ME, "a", "b", [b"1"])
    assert histories.find(ME, "b") is None


def test_the_bound_holds_and_what_is_used_stays() -> None:
    histories = Histories(3 * (OVERHEAD + 100))
    histories.keep(ME, "a", None, [b"x" * 100])
    histories.keep(ME, "b", "a", [b"x" * 100])
    histories.keep(ME, "old", None, [b"x" * 100])
    assert histories.find(ME, "b")
    histories.keep(ME, "new", None, [b"x" * 100])
    assert histories.find(ME, "old") is None and histories.find(ME, "b") and histories.find(ME, "new")
    histories.keep(ME, "huge", None, [b"x" * 10_000])
    assert histories.find(ME, "huge") is None


def test_an_answer_kept_twice_counts_once() -> None:
    histories = Histories(2 * (OVERHEAD + 100))
    for _ in range(10):
        histories.keep(ME, "a", None, [b"x" * 100])
    histories.keep(ME, "b", "a", [b"x" * 100])
    assert histories.find(ME, "b")
