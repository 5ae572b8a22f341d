"""What can be read of a message, however it is spelled."""

import pytest

from proxy.websocket.events import answer_of, envelope_of, event_of, readable

CUT = b'{"type":"response.completed","response":{"id":"r","output":[{"text":"half \\ud83d"}]}}'


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b'"x"', b'{"type":1}', b'{"type":"a"', b"[" * 100_000, b"\xff"])
def test_what_is_no_event_is_none(body: bytes) -> None:
    assert envelope_of(body) is None and event_of(body) is None


def test_an_object_without_a_type_is_of_no_type() -> None:
    envelope, event = envelope_of(b"{}"), event_of(b"{}")
    assert envelope is not None and event is not None
    assert envelope.type == event.type == "" and not event.last and answer_of(event) is None


def test_a_message_cut_in_an_emoji_is_read_all_the_same_and_said_to_be_no_exact_copy() -> None:
    event = event_of(CUT)
    assert event is not None and event.last and not event.exact
    answer = answer_of(event)
    assert answer is not None and answer.id == "r" and len(answer.output) == 1
    assert len(readable(CUT)) == len(CUT)
    envelope = envelope_of(b'{"input":"\\uD83D","type":"response.create","stream_id":"a","generate":false}')
    assert envelope is not None
    assert (envelope.type, envelope.stream_id, envelope.generate) == ("response.create", "a", False)


@pytest.mark.parametrize("response", [b"null", b"[]", b'{"id":7}', b'{"output":{}}'])
def test_an_answer_of_an_unknown_form_is_none(response: bytes) -> None:
    event = event_of(b'{"type":"response.completed","response":%b}' % response)
    assert event is not None and answer_of(event) is None
