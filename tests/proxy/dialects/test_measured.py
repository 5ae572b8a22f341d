"""A measured dialect reads usage and nothing else."""

import re

import pytest

from policies.core.usage import Usage
from proxy.dialects.measured import measured
from proxy.dialects.usages import Source, first
from proxy.errors import DialectError

SOURCE = Source(places=("",), hints=(b'"n"',), normalise=lambda answer: Usage(input=first(answer, "n")))
DIALECT = measured("mine", re.compile("/mine$"), SOURCE, lambda status, message: message.encode())


def test_it_recognises_measures_and_words_errors() -> None:
    assert DIALECT.recognises("/v1/mine") and not DIALECT.recognises("/v1/mine/more")
    assert DIALECT.usage(b'{"n":3}') == Usage(input=3)
    assert DIALECT.error(502, "x") == b"x"


def test_it_is_never_viewed_so_nothing_in_it_can_be_edited() -> None:
    with pytest.raises(DialectError, match="measured_only"):
        DIALECT.head(b"{}", "/mine", len)
    (block,) = DIALECT.message(b'{"role":"tool","content":"x"}', len).blocks
    assert not block.editable and not block.markable


def test_its_head_is_no_value_to_compare() -> None:
    with pytest.raises(DialectError, match="measured_only"):
        DIALECT.prompt(b"{}")
