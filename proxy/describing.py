"""What a placeholder is told of the text that it stands for.

Rules of this room: the original's text is read only for what is newly old, once. It must not know what is masked when.
"""

from policies.core.index import Observed
from policies.mask import Reader
from proxy.dialects.mentions import named
from proxy.dialects.parts import CALL_TOKENS
from proxy.opening import Opening


def reader(opening: Opening) -> Reader:
    """For the mask policy. Tokens are counted with the structure of a tool's answer around them."""

    def names(one: Observed, room: int) -> tuple[str, ...]:
        return named(opening.text(one), room)

    return Reader(lambda text: CALL_TOKENS + opening.count(text), names)
