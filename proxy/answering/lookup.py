"""What a call is answered with.

Rules of this room: an answer is always a text; a fault becomes words that a model can act on. Only the tenant's own
originals are read (ISOLATED). It must not know how an answer travels.
"""

import json
import logging
from typing import Literal, NamedTuple

from proxy.answering.calls import Called
from proxy.answering.definition import NAME
from proxy.errors import AskedError, StoreError
from proxy.recall.library import Library, Reader
from proxy.recall.tools import call

log = logging.getLogger("holdfast.answering")

WITHDRAWN = "the tool `{}` is not available at the moment; go on without it"


class Result(NamedTuple):
    """`outcome` is a metric label."""

    text: str
    outcome: Literal["recalled", "absent", "withdrawn", "too_many"]


async def answered(called: Called, library: Library, tenant: bytes) -> Result:
    """The result of one call."""
    if called.name != NAME:
        return Result(WITHDRAWN.format(called.name), "withdrawn")
    try:
        given = json.loads(called.arguments or "{}")
        if not isinstance(given, dict):
            raise AskedError("the arguments are no object")
        return Result(await call(library, Reader(tenant), NAME, given), "recalled")
    except AskedError as error:
        return Result(str(error), "absent")
    except (ValueError, RecursionError):
        return Result("the arguments cannot be read", "absent")
    except StoreError as error:
        log.warning("an original cannot be read back: %s", error)
        return Result("the original cannot be read at the moment", "absent")
