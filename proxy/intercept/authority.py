"""The certificate authority of this machine's own: where it lies, who trusts it, and how a client is told.

mitmproxy shows agents certificates that this authority signs, so whoever holds its key can pose as any host to
whoever trusts it. Rules of this room: the key never leaves its folder (0700, the files 0600); it is meant to be
trusted by single processes through variables, not by a system. `SSL_CERT_FILE` and its like *replace* a client's
authorities, so they name a bundle of the usual ones and ours. The environment is an argument; mitmproxy is imported
only where an authority is made.
"""

import contextlib
import os
import shutil
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from proxy.errors import ConfigError

NAME = "mitmproxy"
"""What mitmproxy calls the files of an authority in its `confdir`."""
KEY_BITS = 2048

REPLACING = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
"""Variables whose file is used in place of the usual authorities: httpx and rustls, requests, curl, botocore."""
ADDING = ("NODE_EXTRA_CA_CERTS",)
"""Variables whose file is used besides them. Node replaces none."""
NOT_PROXIED = "localhost,127.0.0.1,::1"


@dataclass(frozen=True, slots=True)
class Authority:
    folder: Path

    @property
    def certificate(self) -> Path:
        """Ours alone, in PEM form."""
        return self.folder / f"{NAME}-ca-cert.pem"

    @property
    def bundle(self) -> Path:
        """The usual authorities and ours: what a client is to trust."""
        return self.folder / "bundle.pem"

    @property
    def upstream(self) -> Path:
        """The usual authorities without ours: what an upstream is verified by."""
        return self.folder / "upstream.pem"


def folder_of(environ: Mapping[str, str]) -> Path:
    """Beside the store. Raises ConfigError."""
    home = environ.get("HOME", "")
    if not home:
        raise ConfigError("there is no place for the certificate authority where HOME is not set")
    return Path(home) / ".local" / "state" / "holdfast" / "intercept"


def open_authority(folder: Path, environ: Mapping[str, str], more: Iterable[str] = ()) -> Authority:
    """The authority of this folder, made where there is none; its bundles are written anew.

    `more`: files of further authorities that upstreams are verified by."""
    authority = Authority(folder)
    if not (folder / f"{NAME}-ca.pem").exists():
        _make(folder)
    usual = b"\n".join(_usual(environ, authority))
    _write(authority.upstream, b"\n".join((usual, *(Path(file).read_bytes() for file in more))))
    _write(authority.bundle, usual + b"\n" + authority.certificate.read_bytes())
    return authority


def variables(url: str, authority: Authority) -> dict[str, str]:
    """What a child process needs so that its requests come here and are trusted."""
    proxies = {name: url for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")}
    return {
        **proxies,
        # what an agent runs on this machine (MCP servers, engines) is reached directly
        **dict.fromkeys(("NO_PROXY", "no_proxy"), NOT_PROXIED),
        **dict.fromkeys(REPLACING, str(authority.bundle)),
        **dict.fromkeys(ADDING, str(authority.certificate)),
        # Node's own fetch reads HTTPS_PROXY only with this (from 22.21 and 24.0 on); others ignore it
        "NODE_USE_ENV_PROXY": "1",
    }


def ca_trusted(authority: Authority, environ: Mapping[str, str]) -> dict[str, bool]:
    """For each variable that clients read: whether the file it names, if any, holds our certificate.

    For `doctor`: it needs no mitmproxy. A folder without an authority is trusted by nobody."""
    ours = _certificate(authority)
    named = {name: environ.get(name, "") for name in (*REPLACING, *ADDING)}
    return {name: bool(ours and file) and ours in _read(Path(file)) for name, file in named.items()}


def _certificate(authority: Authority) -> bytes:
    return _read(authority.certificate).strip()


def _usual(environ: Mapping[str, str], authority: Authority) -> Iterable[bytes]:
    """The user's own choice where there is one, else the system's, else certifi's; then what Node is told to add."""
    own = {authority.bundle, authority.certificate}
    chosen = [Path(environ[name]) for name in (*REPLACING, *ADDING) if environ.get(name)]
    files = [file for file in dict.fromkeys(chosen) if file not in own and file.is_file()]
    if not any(environ.get(name) and Path(environ[name]) in files for name in REPLACING):
        files.insert(0, _system())
    return [file.read_bytes() for file in files]


def _system() -> Path:
    paths = ssl.get_default_verify_paths()
    candidates = (paths.openssl_cafile, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
    found = next((Path(name) for name in candidates if Path(name).is_file()), None)
    if found:
        return found
    import certifi

    return Path(certifi.where())


def _make(folder: Path) -> None:
    """In a folder beside it, then renamed: two processes that start at once have one authority."""
    from mitmproxy.certs import CertStore

    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".intercept-"))
    try:
        CertStore.create_store(made, NAME, KEY_BITS, organization="Holdfast", cn="Holdfast, this machine only")
        for file in made.iterdir():
            file.chmod(0o600)
        with contextlib.suppress(OSError):  # the other process was first
            made.rename(folder)
        if not (folder / f"{NAME}-ca.pem").exists():
            raise ConfigError(f"`{folder}` holds something else than an authority", help="remove it")
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: another process may be reading it."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(name, path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
