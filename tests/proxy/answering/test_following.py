"""The request that goes on has every byte of the one before, then what was added."""

import json

import pytest

from proxy.answering.following import followed
from proxy.errors import DialectError


@pytest.mark.parametrize("body", [b'{"messages": [ {"a":1.0} \n], "x": [1]}', b'{"y":{"messages":[]},"messages":[{}]}'])
def test_more_messages_stand_behind_those_that_were_sent(body: bytes) -> None:
    longer = followed(body, "messages", (b'{"b":2}', b'{"c":3}'))
    at = longer.index(b',{"b":2},{"c":3}')
    assert longer[:at] + longer[at:].replace(b',{"b":2},{"c":3}', b"") == body
    assert json.loads(longer)["messages"][-2:] == [{"b": 2}, {"c": 3}]


def test_a_body_without_the_list_is_refused() -> None:
    with pytest.raises(DialectError):
        followed(b'{"input": "text"}', "input", (b"{}",))
