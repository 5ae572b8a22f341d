"""The authority: made once, kept to its user, and given to clients together with the usual ones."""

import ssl
import stat
import threading
from pathlib import Path

import pytest

from proxy.errors import ConfigError
from proxy.intercept.authority import Authority, ca_trusted, folder_of, open_authority, variables
from tests.proxy.intercept.running import Trust


def certificates(file: Path) -> set[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    return set(context.get_ca_certs(binary_form=True))


def test_only_its_user_reads_the_folder_and_what_is_in_it(trust: Trust) -> None:
    folder = trust.authority.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_an_authority_is_made_once(trust: Trust) -> None:
    before = trust.authority.certificate.read_bytes()
    assert open_authority(trust.authority.folder, {}).certificate.read_bytes() == before


def test_two_that_start_at_once_have_one_authority(trust: Trust, tmp_path: Path) -> None:
    made: list[bytes] = []

    def work() -> None:
        made.append(open_authority(tmp_path / "state" / "intercept", {}).bundle.read_bytes())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3 and len(set(made)) == 1
    assert [file.name for file in (tmp_path / "state").iterdir()] == ["intercept"]


def test_a_bundle_has_the_usual_authorities_and_ours_and_upstreams_are_not_verified_by_ours(trust: Trust) -> None:
    ours = certificates(trust.authority.certificate)
    bundle, upstream = certificates(trust.authority.bundle), certificates(trust.authority.upstream)
    assert len(ours) == 1 and ours < bundle and not ours & upstream
    assert bundle - ours <= upstream and len(bundle) > 50


def test_the_authorities_that_a_user_chose_stay_the_ones(trust: Trust, tmp_path: Path) -> None:
    own, node = trust.certificate, tmp_path / "node.pem"
    node.write_bytes(trust.certificate.read_bytes())
    environ = {"SSL_CERT_FILE": str(own), "NODE_EXTRA_CA_CERTS": str(node), "REQUESTS_CA_BUNDLE": str(tmp_path / "no")}
    made = open_authority(tmp_path / "a" / "intercept", environ)
    assert certificates(made.upstream) == certificates(own)
    assert certificates(made.bundle) == certificates(own) | certificates(made.certificate)


def test_a_bundle_of_ours_is_never_the_base_of_the_next(trust: Trust, tmp_path: Path) -> None:
    made = open_authority(tmp_path / "a" / "intercept", {})
    before = made.bundle.read_bytes()
    inside = variables("http://127.0.0.1:1", made)
    assert open_authority(made.folder, inside).bundle.read_bytes() == before


def test_a_folder_with_something_else_in_it_is_not_written_to(trust: Trust, tmp_path: Path) -> None:
    folder = tmp_path / "intercept"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="something else"):
        open_authority(folder, {})
    assert [file.name for file in tmp_path.rglob("*")] == ["intercept", "mine.txt"]


def test_who_trusts_it_is_seen_by_what_the_variables_name(trust: Trust, tmp_path: Path) -> None:
    authority = trust.authority
    assert not any(ca_trusted(authority, {}).values())
    assert all(ca_trusted(authority, variables("http://127.0.0.1:1", authority)).values())
    mixed = ca_trusted(authority, {"SSL_CERT_FILE": str(trust.certificate), "AWS_CA_BUNDLE": str(tmp_path / "none")})
    assert not any(mixed.values())


def test_nobody_trusts_an_authority_that_is_not_there(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    assert not any(ca_trusted(Authority(tmp_path), {"SSL_CERT_FILE": str(empty)}).values())


def test_it_lies_beside_the_store() -> None:
    assert folder_of({"HOME": "/home/me"}) == Path("/home/me/.local/state/holdfast/intercept")
    with pytest.raises(ConfigError, match="HOME"):
        folder_of({})


def test_a_child_is_told_of_proxy_and_authority_and_reaches_loopback_directly(tmp_path: Path) -> None:
    told = variables("http://127.0.0.1:1", Authority(tmp_path))
    assert told["HTTPS_PROXY"] == told["http_proxy"] == "http://127.0.0.1:1"
    assert "127.0.0.1" in told["NO_PROXY"].split(",")
    assert told["SSL_CERT_FILE"] == str(tmp_path / "bundle.pem")
    assert told["NODE_EXTRA_CA_CERTS"] == str(tmp_path / "mitmproxy-ca-cert.pem")
