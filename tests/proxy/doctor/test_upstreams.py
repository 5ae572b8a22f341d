"""Each provider is asked once, over real connections; what stopped the request is said, and no key goes astray."""

import asyncio
import socket
import threading
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from proxy.doctor.facts.upstreams import look_at_upstreams, request_to
from proxy.doctor.finding import Finding
from proxy.doctor.upstreams import Asked, check_upstreams
from proxy.upstream import Upstream
from tests.proxy.doctor.test_ports import free_port
from tests.proxy.running import scenario
from tests.proxy.secure import certificate, needs_openssl, tls_upstream
from tests.proxy.wire import Wire, answering, json_answer, upstream

NOW = 1_800_000_000.0
ANTHROPIC_KEY, OPENAI_KEY = "sk-ant-api03-canary-a", "sk-proj-canary-o"
KEYS = {"ANTHROPIC_API_KEY": ANTHROPIC_KEY, "OPENAI_API_KEY": OPENAI_KEY, "GEMINI_API_KEY": "AIzacanary-g"}


async def asked(*upstreams: Upstream, environ: Mapping[str, str] | None = None, step: float = 2.0) -> list[Asked]:
    return list(await asyncio.to_thread(look_at_upstreams, upstreams, environ or {}, lambda: NOW, step=step))


async def findings(destination: Upstream, environ: Mapping[str, str] | None = None) -> list[Finding]:
    found = list(check_upstreams(await asked(destination, environ=environ)))
    assert "canary" not in str(found)
    return found


@scenario
async def test_a_refusal_without_a_key_shows_that_the_way_is_free() -> None:
    async with upstream(json_answer(status=b"401 Unauthorized")) as up:
        (finding,) = await findings(Upstream("anthropic", up.url))
        assert finding.severity == "ok" and finding.what.endswith("wants a key in x-api-key")
        assert up.requests[0].line == b"GET /v1/models?limit=1 HTTP/1.1"
        assert up.requests[0].values(b"anthropic-version") == [b"2023-06-01"]


@scenario
async def test_each_key_goes_to_the_upstream_of_its_provider_and_to_no_other() -> None:
    async with upstream(json_answer()) as up:
        names = ("anthropic", "openai", "gemini", "openrouter", "local")
        found = await asked(*(Upstream(name, up.url) for name in names), environ=KEYS)
        assert [each.key_variable for each in found] == [*KEYS, "", ""]
        heads = sorted(seen.head for seen in up.requests)
        assert [head for head in heads if b"canary-a" in head and b"\r\nx-api-key: " in head] != []
        assert sum(head.count(b"canary") for head in heads) == 3
        assert "canary" not in str(found)


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("https://h.example.com", "OPENAI_API_KEY"),
        ("http://127.0.0.1:1", "OPENAI_API_KEY"),
        ("http://h.example.com", ""),
    ],
)
def test_a_key_leaves_this_machine_encrypted_or_not_at_all(url: str, variable: str) -> None:
    request = request_to(Upstream("openai", url), KEYS)
    assert request.key_variable == variable and "canary" not in repr(request)
    assert ("authorization" in request.headers) is bool(variable)


def test_a_key_that_does_not_say_whose_it_is_goes_to_no_other_upstream_either() -> None:
    for name in ("local", "openrouter", "deepseek"):
        request = request_to(Upstream(name, "https://h.example.com"), {"OPENAI_API_KEY": "sk-canary"})
        assert (request.key_variable, request.headers.get("authorization")) == ("", None)


@scenario
async def test_a_key_that_is_wrong_by_its_looks_stays_here() -> None:
    async with upstream(json_answer()) as up:
        for key in ("sk-ant-api03-x", '"sk-x"', "sk-x\n", "sk-é"):
            await asked(Upstream("openai", up.url), environ={"OPENAI_API_KEY": key})
        assert not any(seen.values(b"authorization") for seen in up.requests)


@pytest.mark.parametrize(
    ("status", "severity", "fix"),
    [
        (b"200 OK", "ok", ""),
        (b"401 Unauthorized", "failed", "read -rs OPENAI_API_KEY && export OPENAI_API_KEY"),
        (b"403 Forbidden", "failed", "read -rs OPENAI_API_KEY && export OPENAI_API_KEY"),
        (b"404 Not Found", "hint", "curl -si "),
        (b"407 Proxy Authentication Required", "failed", "env | grep -i _proxy= | cut -d= -f1"),
        (b"429 Too Many Requests", "warning", "sleep 60; holdfast doctor --upstream openai"),
        (b"503 Service Unavailable", "warning", "holdfast doctor --upstream openai"),
        (b"418 I'm a teapot", "hint", "curl -si "),
    ],
)
@scenario
async def test_every_status_means_something(status: bytes, severity: str, fix: str) -> None:
    async with upstream(json_answer(status=status)) as up:
        (finding,) = await findings(Upstream("openai", up.url), KEYS)
        assert finding.severity == severity and finding.type.startswith(fix)


@scenario
async def test_a_redirect_is_not_followed_but_written_into_the_url() -> None:
    answer = json_answer(status=b"301 Moved", extra=b"location: https://new.example.com/canary?canary=1\r\n")
    async with upstream(answer) as up:
        (finding,) = await findings(Upstream("openai", up.url), KEYS)
        assert finding.type == "export HOLDFAST_UPSTREAMS__OPENAI__URL=https://new.example.com"
        assert len(up.requests) == 1


@scenario
async def test_a_web_page_is_no_api() -> None:
    page = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi"
    async with upstream(answering(page)) as up:
        (finding,) = await findings(Upstream("openai", up.url))
        assert finding.severity == "warning" and "web page" in finding.what


@pytest.mark.parametrize(("minutes", "said"), [(0, ""), (10, "600 s ahead"), (-10, "600 s behind")])
@scenario
async def test_the_clock_is_compared_with_the_answers_date(minutes: int, said: str) -> None:
    date = formatdate(NOW - minutes * 60, usegmt=True).encode()
    async with upstream(json_answer(extra=b"date: " + date + b"\r\n")) as up:
        found = [finding for finding in await findings(Upstream("openai", up.url)) if finding.where == "clock"]
        assert [said in finding.what for finding in found] == ([True] if said else [])


@scenario
async def test_a_url_with_a_path_is_asked_below_it_and_a_version_is_not_doubled() -> None:
    async with upstream(json_answer()) as up:
        for path, wanted in (("/api", b"/api/v1/models"), ("/v1", b"/v1/models")):
            await asked(Upstream("local", up.url + path))
            assert up.requests[-1].line == b"GET " + wanted + b" HTTP/1.1"


@scenario
async def test_a_path_that_is_not_found_is_taken_off_a_far_url() -> None:
    far = Asked("openai", "https://h.example.com/x", "h.example.com", 443, "answered", path="/x/v1/models", status=404)
    (finding,) = check_upstreams([far])
    assert finding.type == "export HOLDFAST_UPSTREAMS__OPENAI__URL=https://h.example.com"
    (cloud,) = check_upstreams([replace(far, path="/")])
    assert cloud.severity == "ok"


@scenario
async def test_a_port_where_nobody_listens_and_a_name_that_nobody_knows_fail() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    (finding,) = await findings(Upstream("local", url))
    assert finding.severity == "failed" and "is its server running?" in finding.what
    assert finding.type.startswith(f"curl -v {url}")
    (unknown,) = await findings(Upstream("local", "https://nobody.invalid"))
    assert (unknown.severity, unknown.type) == ("failed", "getent hosts nobody.invalid")


@scenario
async def test_a_server_that_says_nothing_or_no_http_ends_in_time() -> None:
    async def nothing(wire: Wire) -> None:
        await wire.until_aborted()

    async with upstream(nothing) as silent, upstream(answering(b"220 mail\r\n")) as other:
        began = asyncio.get_running_loop().time()
        found = await asked(Upstream("a", silent.url), Upstream("b", other.url), step=0.3)
        assert asyncio.get_running_loop().time() - began < 3
        assert [(each.stage, each.problem) for each in found] == [
            ("http", "no answer in time"),
            ("http", "the answer is no http"),
        ]


def test_a_thread_that_outlives_its_time_is_left_behind() -> None:
    release, daemons = threading.Event(), list[bool]()

    class Stuck(dict[str, str]):
        def get(self, *_: object) -> str:  # stands for a name that is never resolved
            daemons.append(threading.current_thread().daemon)
            release.wait(10)
            return ""

    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        (found,) = look_at_upstreams([Upstream("a", url)], Stuck(), lambda: NOW, step=0.05)
        release.set()
    assert found.problem == "no answer in time"
    assert daemons == [True], "it would keep the program from ending"


@needs_openssl
@scenario
async def test_an_authority_that_nobody_knows_is_named_and_ca_file_lets_it_in(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    async with tls_upstream(cert, key) as url:
        finding, soon = await findings(Upstream("openai", url), KEYS)
        assert finding.severity == "failed" and "issued by upstream" in finding.what
        assert soon.severity == "hint" and "ends on" in soon.what
        assert finding.type == "export HOLDFAST_CA_FILE=/path/to/your-authority.pem"
        (trusted, *_) = await findings(Upstream("openai", url, ca_file=str(cert)))
        assert trusted.severity == "ok" and "TLS by upstream" in trusted.what


@needs_openssl
@scenario
async def test_no_key_is_sent_where_the_certificate_is_refused(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    async with tls_upstream(cert, key) as url:
        (found,) = await asked(Upstream("openai", url), environ=KEYS)
        assert (found.stage, found.key_variable, found.verify_code) == ("tls", "", 18)


@needs_openssl
@scenario
async def test_a_certificate_for_another_name_says_which(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    async with tls_upstream(cert, key) as url:
        other = url.replace("127.0.0.1", "localhost")
        finding, *_ = await findings(Upstream("openai", other, ca_file=str(cert)))
        assert finding.type == f"export HOLDFAST_UPSTREAMS__OPENAI__URL={url}"


@scenario
async def test_https_to_a_server_that_speaks_http_is_told() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        at = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        (finding,) = await findings(Upstream("openai", f"https://{at}"))
        assert finding.type == f"export HOLDFAST_UPSTREAMS__OPENAI__URL=http://{at}"


REFUSED = Asked("openai", "https://h", "h", 443, "tls", "certificate verify failed", issuer="Corp", now=NOW)


@pytest.mark.parametrize(
    ("asked", "fix"),
    [
        (replace(REFUSED, verify_code=20), "export HOLDFAST_CA_FILE=/path/to/your-authority.pem"),
        (replace(REFUSED, verify_code=19, system_trusts="/etc/ca.crt"), "export HOLDFAST_CA_FILE=/etc/ca.crt"),
        (replace(REFUSED, verify_code=9), "sudo timedatectl set-ntp true"),
        (replace(REFUSED, verify_code=10), "date -u"),
        (replace(REFUSED, verify_code=62, names=("other",)), "export HOLDFAST_UPSTREAMS__OPENAI__URL=https://other"),
        (replace(REFUSED, verify_code=1), "openssl s_client -connect h:443"),
        (replace(REFUSED, stage="tcp", problem="no answer in time"), "curl -v https://h"),
    ],
)
def test_each_way_to_be_refused_has_its_remedy(asked: Asked, fix: str) -> None:
    (finding,) = check_upstreams([asked])
    assert (finding.severity, finding.type) == ("failed", fix)


def test_a_certificate_that_ends_soon_is_a_hint() -> None:
    fine = Asked("openai", "https://h", "h", 443, "answered", status=200, now=NOW, until=NOW + 8 * 86_400)
    assert [finding.severity for finding in check_upstreams([fine])] == ["ok"]
    assert [finding.severity for finding in check_upstreams([replace(fine, until=NOW + 86_400)])] == ["ok", "hint"]
