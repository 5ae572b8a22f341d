"""TRANSPARENT, seen from both sockets."""

import asyncio

from proxy.upstream import Upstream
from tests.proxy.running import proxy
from tests.proxy.wire import agent, json_answer, request, upstream


def test_a_request_that_is_not_edited_is_the_same_bytes_upstream() -> None:
    async def scenario() -> None:
        body = b'{"model" : "m", "n":1.0e5, "n":2, "x":"\\ud800"}'
        async with upstream(json_answer()) as up, proxy(Upstream("anthropic", up.url)) as running:
            async with agent(running.port) as client:
                headers = b"x-api-key: k\r\nAccept: */*\r\nx-a: 1\r\nx-b: 2\r\nx-a: 3\r\ncookie: a=1\r\ncookie: b=2\r\n"
                await client.send(request(b"/v1/messages?beta=true&x=%2F+%20&&y", body, extra=headers))
                reply = await client.reply()
            seen = up.requests[0]
            print(seen.head.decode(), reply)
            assert seen.line == b"POST /v1/messages?beta=true&x=%2F+%20&&y HTTP/1.1"
            assert seen.body == body
            assert reply.status == 200 and reply.body == b"{}"

    asyncio.run(scenario())
