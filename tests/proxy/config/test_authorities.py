"""A `ca_file` that cannot be used is told at the start, with its line."""

from pathlib import Path

import pytest

from proxy.config import ConfigErrors, Request, Settings, load_settings
from tests.proxy.secure import certificate, needs_openssl


def load(text: str, folder: Path) -> Settings:
    file = folder / "holdfast.yaml"
    file.write_text(text)
    return load_settings(Request(file, {"HOME": str(folder)}))


@needs_openssl
def test_each_upstream_has_its_own_file_or_that_of_the_top_level(tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path)
    other = tmp_path / "other.pem"
    other.write_bytes(cert.read_bytes())
    text = "ca_file: cert.pem\nupstreams:\n  local: {url: https://h, ca_file: ~/other.pem}\n"
    files = {upstream.name: upstream.ca_file for upstream in load(text, tmp_path).upstreams}
    assert (files["local"], files["openai"]) == (str(other), str(cert))


def test_without_one_only_the_public_authorities_count(tmp_path: Path) -> None:
    assert {upstream.ca_file for upstream in load("", tmp_path).upstreams} == {None}


def test_every_file_that_cannot_be_used_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("no certificate\n")
    text = "ca_file: none.pem\nupstreams:\n  local:\n    url: https://h\n    ca_file: empty.pem\n"
    with pytest.raises(ConfigErrors) as caught:
        load(text, tmp_path)
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "holdfast.yaml:1: `none.pem` cannot be read: no such file or directory",
        "holdfast.yaml:5: `empty.pem` holds no certificate; it must be a file in PEM form",
    ]
