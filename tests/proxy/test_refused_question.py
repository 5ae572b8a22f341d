"""A question of ours that an upstream refuses costs the agent nothing: its request is sent once more without it."""

import gzip
from dataclasses import dataclass, field

import pytest

from proxy import exchange
from proxy.upstream import Upstream
from tests.proxy.running import Driver, proxy, scenario
from tests.proxy.wire import Wire, agent, request, upstream

PLAIN, ASKING = b'{"model":"m"}', b'{"model":"m","asks":1}'


@dataclass
class Asking(Driver):
    """Asks in each request."""

    ended: list[bool] = field(default_factory=list)

    async def prepare(self, request: exchange.Request, context: exchange.Context, now: float) -> exchange.Prepared:
        return exchange.Prepared(request, ASKING, (("x-holdfast-turn", "1"),), plain=request.body)

    async def settle(self, prepared: exchange.Prepared, *args: object, **named: object) -> None:
        self.ended.append(prepared.refused)
        self.settling.set()


def _answering(*statuses: bytes) -> "list[bytes]":
    return [b"HTTP/1.1 %b\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}" % one for one in statuses]


@pytest.mark.parametrize(
    ("statuses", "sent", "status", "refused"),
    [
        ((b"200 OK",), [ASKING], 200, False),
        ((b"400 No", b"200 OK"), [ASKING, PLAIN], 200, True),
        ((b"400 No", b"400 No"), [ASKING, PLAIN], 400, False),
        ((b"400 No", b"529 Busy"), [ASKING, PLAIN], 529, False),
        ((b"429 Wait",), [ASKING], 429, False),
    ],
)
@scenario
async def test_a_request_is_sent_without_the_question_where_it_is_refused(
    statuses: tuple[bytes, ...], sent: list[bytes], status: int, refused: bool
) -> None:
    answers, driver = _answering(*statuses), Asking()

    async def script(wire: Wire) -> None:
        await wire.send(answers.pop(0))

    async with (
        upstream(script) as up,
        proxy(Upstream("anthropic", up.url), driver=driver) as running,
        agent(running.port) as client,
    ):
        await client.send(request(body=PLAIN))
        reply = await client.reply()
        await driver.settling.wait()
        assert [seen.body for seen in up.requests] == sent
    assert (reply.status, reply.whole, driver.ended) == (status, True, [refused])


@scenario
async def test_the_second_request_is_the_very_one_that_came() -> None:
    # TRANSPARENT: still encoded, with its own headers
    wire_body, driver = gzip.compress(PLAIN, mtime=0), Asking()
    answers = _answering(b"400 No", b"200 OK")

    async def script(wire: Wire) -> None:
        await wire.send(answers.pop(0))

    async with (
        upstream(script) as up,
        proxy(Upstream("anthropic", up.url), driver=driver) as running,
        agent(running.port) as client,
    ):
        await client.send(request(body=wire_body, extra=b"content-encoding: gzip\r\n"))
        await client.reply()
        first, second = up.requests
        assert (first.body, first.values(b"content-encoding")) == (ASKING, [])
        assert (second.body, second.values(b"content-encoding")) == (wire_body, [b"gzip"])
