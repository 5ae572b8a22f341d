"""Whether a comparison of two taps sees what a proxy may do to a message, and nothing else."""

import pytest

from tests.sdk_suites.exchanges import Exchange, compare, exchanges

ASKED = b"POST /up/v1/files?a=1&a=2 HTTP/1.1\r\nHost: proxy\r\nConnection: keep-alive\r\nX-A: 1\r\nx-a: 2\r\n"
ASKED += b"Content-Length: 5\r\n\r\nhello"
ARRIVED = ASKED.replace(b"/up/", b"/").replace(b"proxy", b"mock").replace(b"Connection: keep-alive\r\n", b"")
GIVEN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
GIVEN += b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
GOT = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nx-holdfast-turn: 1\r\ntransfer-encoding: chunked\r\n\r\n"
GOT += b"3\r\nabc\r\n0\r\n\r\n"


def compared(arrived: bytes = ARRIVED, got: bytes = GOT) -> tuple[int, list[str]]:
    before, behind = list(exchanges(ASKED, got)), list(exchanges(arrived, GIVEN))
    comparison = compare(before, behind, b"/up")
    return comparison.requests, [line.partition(":")[0] for line in comparison.altered]


def test_what_belongs_to_one_connection_and_our_own_headers_are_no_alteration() -> None:
    assert compared() == (1, [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"X-A: 1\r\nx-a: 2\r\n", b"x-a: 2\r\nX-A: 1\r\n"),
        (b"X-A", b"x-a"),
        (b"X-A: 1\r\nx-a: 2\r\n", b"X-A: 1, 2\r\n"),
        (b"X-A: 1\r\n", b""),
        (b"X-A: 1\r\n", b"X-A: 1\r\nAccept: */*\r\n"),
        (b"a=1&a=2", b"a=2"),
        (b"POST", b"PUT"),
        (b"hello", b"jello"),
    ],
)
def test_any_other_change_to_a_request_is_seen(old: bytes, new: bytes) -> None:
    altered = ["request sent", "answer received"] if old in ARRIVED.partition(b"\r\n")[0] else ["request sent"]
    assert compared(arrived=ARRIVED.replace(old, new)) == (1, altered)


@pytest.mark.parametrize(("old", "new"), [(b"200 OK", b"200 Fine"), (b"text/plain", b"text/html"), (b"abc", b"abd")])
def test_any_other_change_to_an_answer_is_seen(old: bytes, new: bytes) -> None:
    assert compared(got=GOT.replace(old, new)) == (1, ["answer received"])


@pytest.mark.parametrize("cut", [b"3\r\nabc\r\n", b"3\r\na", b"3\r\nabc\r\n0\r\n"])
def test_an_answer_that_the_client_did_not_wait_for_is_not_compared(cut: bytes) -> None:
    assert compared(got=GOT.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + cut) == (1, [])


def test_a_request_that_is_sent_twice_is_seen() -> None:
    behind = list(exchanges(ARRIVED * 2, GIVEN * 2))
    assert len(compare(list(exchanges(ASKED, GOT)), behind, b"/up").altered) == 1


def test_messages_of_one_connection_are_told_apart_by_their_framing() -> None:
    sent = b"HEAD /a HTTP/1.1\r\n\r\nDELETE /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n"
    sent += b"POST /d HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;x=y\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    sent += b"GET /e HTTP/1.1\r\n\r\n"
    received = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    received += b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    received += b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the end"
    found = list(exchanges(sent, received))
    assert [(exchange.request.line[-11:-9], exchange.answer.line[9:12], _bodies(exchange)) for exchange in found] == [
        (b"/a", b"200", (b"", b"")),
        (b"/b", b"204", (b"", b"")),
        (b"/c", b"200", (b"", b"ok")),
        (b"/d", b"304", (b"{}", b"")),
        (b"/e", b"200", (b"", b"to the end")),
    ]


def _bodies(exchange: Exchange) -> tuple[bytes, bytes]:
    return exchange.request.body, exchange.answer.body
