"""What is decrypted and what is not, and where the proxy lets itself be sent."""

import asyncio
import ssl

import pytest

from proxy.upstream import Upstream
from tests.proxy.intercept.running import Trust, anywhere, connect, intercepting, secure, tunnel
from tests.proxy.running import scenario
from tests.proxy.wire import Wire, agent, json_answer, request, upstream

ELSEWHERE = Upstream("api", "https://api.example")


@scenario
async def test_another_host_is_reached_with_its_own_certificate_and_untouched(trust: Trust) -> None:
    async with (
        secure(json_answer(b"theirs"), trust) as other,
        intercepting(trust, ELSEWHERE, reach=anywhere) as running,
        tunnel(running, other, trust.direct(), host="other.example") as inside,
    ):
        sent = request(extra=b"x-holdfast-session: not ours to take\r\n")
        await inside.send(sent)
        assert (await inside.reply()).body == b"theirs"
    assert other.requests[0].head + other.requests[0].body == sent
    assert running.driver.requests == [] and running.recorder.begun == []


@scenario
async def test_another_port_of_a_provider_is_not_decrypted(trust: Trust) -> None:
    async with (
        secure(json_answer(), trust) as other,
        intercepting(trust, Upstream("api", "https://127.0.0.1:1"), reach=anywhere) as running,
        tunnel(running, other, trust.direct()),
    ):
        assert running.recorder.begun == []


@scenario
async def test_a_tunnel_to_a_provider_that_names_another_host_inside_is_not_decrypted(trust: Trust) -> None:
    context = trust.direct()
    context.check_hostname = False
    async with (
        secure(json_answer(b"theirs"), trust) as provider,
        intercepting(trust, Upstream("api", provider.url)) as running,
        tunnel(running, provider, context, named="other.example") as inside,
    ):
        await inside.send(request())
        assert (await inside.reply()).body == b"theirs"
    assert running.driver.requests == []


@scenario
async def test_an_agent_that_does_not_trust_the_authority_gets_no_connection(trust: Trust) -> None:
    async with (
        secure(json_answer(), trust) as provider,
        intercepting(trust, Upstream("api", provider.url)) as running,
    ):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with tunnel(running, provider, trust.direct()):
                pass
    assert provider.requests == []


@scenario
async def test_an_upstream_that_nobody_vouches_for_gets_no_request(trust: Trust) -> None:
    unknown = Trust(trust.authority, trust.authority.certificate, trust.authority.folder / "mitmproxy-ca.pem")
    async with (
        secure(json_answer(), unknown) as provider,
        intercepting(trust, Upstream("api", provider.url)) as running,
    ):
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            async with tunnel(running, provider, trust.agent()) as inside:
                await inside.send(request())
                assert (await inside.head()).status == 502
                raise ConnectionError
    assert provider.requests == []


@scenario
async def test_bytes_that_are_no_http_pass_through_a_tunnel_both_ways(trust: Trust) -> None:
    async def greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        writer.write(await reader.readexactly(4))
        writer.close()

    server = await asyncio.start_server(greeting, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with intercepting(trust, ELSEWHERE, reach=anywhere) as running, agent(running.port) as raw:
        assert (await connect(raw, "ssh.example", port)).status == 200
        assert await raw.reader.readexactly(11) == b"220 hello\r\n"
        await raw.send(b"\0\1\2\3")
        assert await raw.reader.read() == b"\0\1\2\3"
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0"])
@scenario
async def test_nobody_is_led_to_the_machine_of_the_proxy(trust: Trust, host: str) -> None:
    async with (
        upstream(json_answer()) as admin,
        intercepting(trust, ELSEWHERE) as running,
        agent(running.port) as raw,
    ):
        reply = await connect(raw, host, admin.port)
        assert reply.status == 403
    assert admin.connections == 0 and running.recorder.refusals == [403]


@scenario
async def test_a_name_that_nobody_knows_is_a_502(trust: Trust) -> None:
    async with intercepting(trust, ELSEWHERE) as running, agent(running.port) as raw:
        assert (await connect(raw, "nowhere.invalid", 443)).status == 502
    assert running.recorder.refusals == [502]


@scenario
async def test_a_plain_request_to_a_provider_is_planned(trust: Trust) -> None:
    async with (
        upstream(json_answer(b'{"input_tokens":3}')) as provider,
        intercepting(trust, Upstream("local", provider.url)) as running,
        agent(running.port) as raw,
    ):
        target = f"{provider.url}/v1/messages?x".encode()
        await raw.send(request(target, b'{"m":1}', extra=b"proxy-connection: keep-alive\r\nX-Api-Key: k\r\n"))
        reply = await raw.reply()
    assert reply.values(b"x-holdfast-turn") == [b"1"]
    seen = provider.requests[0]
    assert seen.line == b"POST /v1/messages?x HTTP/1.1" and seen.body == b'{"m":1}'
    assert [name for name, _ in seen.headers] == [b"host", b"X-Api-Key", b"content-length"]
    assert running.driver.requests[0].upstream == "local"


@scenario
async def test_a_plain_request_to_another_host_passes_and_is_not_held(trust: Trust) -> None:
    first = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.reader.readexactly(3)
        first.set()
        await wire.reader.readexactly(3)
        await json_answer(b"theirs")(wire)

    async with (
        upstream(script) as other,
        intercepting(trust, ELSEWHERE, reach=anywhere) as running,
        agent(running.port) as raw,
    ):
        other.read_body = False
        target = b"http://other.example:%d/v1/messages" % other.port
        for _ in range(7):  # more than mitmproxy opens connections at once to one address
            first.clear()
            await raw.send(b"POST %b HTTP/1.1\r\nHost: other.example\r\ncontent-length: 6\r\n\r\none" % target)
            await first.wait()
            await raw.send(b"two")
            assert (await raw.reply()).body == b"theirs"
    assert other.requests[0].head == b"POST /v1/messages HTTP/1.1\r\nHost: other.example\r\ncontent-length: 6\r\n\r\n"
    assert other.connections == 1 and running.driver.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
@scenario
async def test_a_web_page_reaches_nothing_through_the_proxy(trust: Trust, host: str) -> None:
    """It can only write requests as to an origin; after DNS rebinding, under a name of its own."""

    async def rebound(name: str, port: int) -> str:
        from proxy.intercept.reach import reach

        async def resolve(host: str, port: int) -> tuple[str, ...]:
            return ("127.0.0.1",)

        return await reach(name, port, resolve)

    async with (
        upstream(json_answer()) as admin,
        intercepting(trust, ELSEWHERE, reach=rebound) as running,
        agent(running.port) as raw,
    ):
        for port in (running.port, admin.port):
            await raw.send(
                b"GET / HTTP/1.1\r\nhost: %b:%d\r\norigin: http://evil.example\r\n\r\n" % (host.encode(), port)
            )
            assert (await raw.reply()).status == 403
    assert admin.connections == 0
