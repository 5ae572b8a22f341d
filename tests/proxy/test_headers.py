"""What crosses the proxy and what stays."""

from proxy.headers import for_edited, for_reading, nominated, request_headers, response_headers, valid, with_length


def test_what_connection_nominates_is_dropped_in_any_case_and_form() -> None:
    headers = ((b"Connection", b"X-One , x-two"), (b"CONNECTION", b"close"), (b"x-ONE", b"1"), (b"X-Two", b"2"))
    assert nominated(headers) == {b"x-one", b"x-two", b"close"}
    assert request_headers(headers) == ()


def test_nominating_the_framing_does_not_change_the_framing() -> None:
    headers = ((b"connection", b"content-length"), (b"content-length", b"3"))
    assert request_headers(headers) == ((b"content-length", b"3"),)


def test_our_own_headers_replace_the_upstreams_of_the_same_name() -> None:
    kept = response_headers(((b"X-Holdfast-Turn", b"9"), (b"a", b"1")), ((b"x-holdfast-turn", b"2"),))
    assert kept == ((b"a", b"1"), (b"x-holdfast-turn", b"2"))


def test_a_length_beside_a_transfer_coding_is_dropped() -> None:
    assert response_headers(((b"transfer-encoding", b"chunked"), (b"content-length", b"3"))) == ()


def test_a_header_that_would_end_its_line_is_not_valid() -> None:
    assert valid(((b"a", b"b c"), (b"x-1", b"\xe9\t")))
    assert not valid(((b"a", b"b\r\nc: d"),))
    assert not valid(((b"a b", b"c"),))
    assert not valid(((b"", b"c"),))


def test_a_length_is_stated_where_it_was_stated() -> None:
    assert with_length(((b"Content-Length", b"1"), (b"a", b"b")), 22) == ((b"Content-Length", b"22"), (b"a", b"b"))
    assert with_length(((b"a", b"b"),), 22) == ((b"a", b"b"), (b"content-length", b"22"))


def test_an_edited_body_is_sent_without_what_described_the_original() -> None:
    headers = ((b"Content-Encoding", b"gzip"), (b"Digest", b"x"), (b"Content-Type", b"application/json"))
    assert for_edited(headers, 5) == ((b"Content-Type", b"application/json"), (b"content-length", b"5"))


def test_an_answer_that_is_looked_into_is_asked_for_in_no_coding() -> None:
    headers = ((b"Accept-Encoding", b"gzip, br"), (b"x-api-key", b"k"), (b"accept-encoding", b"zstd"))
    assert for_reading(headers) == ((b"x-api-key", b"k"), (b"accept-encoding", b"identity"))
