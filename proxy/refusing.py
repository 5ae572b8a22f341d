"""An error of our own, in the shape that the agent's provider uses.

Rules of this room: pure. A message repeats nothing that a request held.
"""

import msgspec

from proxy.dialects import Dialect
from proxy.headers import Pair
from proxy.routes import Route, Routes, family_of

JSON: Pair = (b"content-type", b"application/json")


def error_body(routes: Routes, route: Route | None, dialect: Dialect | None, status: int, message: str) -> bytes:
    """JSON. Without a dialect, in that of the upstream's provider; without an upstream, in a shape of our own."""
    shape = dialect or (routes.relative(family_of(route.upstream.dialect)) if route else None)
    if shape is None:
        return msgspec.json.encode({"error": {"type": "holdfast_error", "message": message}})
    return shape.error(status, message)
