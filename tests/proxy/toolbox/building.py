"""Small sessions with tools, and a model whose prices are easy to reckon with."""

from policies.core.profile import LongestPrefix, Prices, Profile
from policies.core.usage import Usage
from proxy.dialects.definitions import Definition
from proxy.toolbox.tally import Request, Session

DEAR = Profile(
    name="dear",
    provider="nobody",
    match=("dear",),
    prices=Prices(input=10_000.0, read=1_000.0, output=0.0, write=20_000.0, write_long=40_000.0),
    cache=LongestPrefix(),
    context_limit=1_000_000,
    sources=(),
)
"""A token costs 1 cent of input, a tenth of a cent read, 2 cents written, 4 cents written for long."""


def tool(name: str, tokens: int = 10, **fields: str | bool) -> Definition:
    told = {"description": f"{name}: whatever only this one does, and when it is called for.", **fields}
    return Definition(name, tokens, **told)  # type: ignore[arg-type]  # what the fields take, the callers know


def request(*tools: Definition, head: int = 100, usage: Usage | None = None) -> Request:
    return Request(tools, head, usage)


def session(
    *requests: Request, calls: tuple[tuple[str, int], ...] = (), id: str = "one", model: str = "dear"
) -> Session:
    return Session(id, model, DEAR, requests, calls)
