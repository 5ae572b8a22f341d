"""Secrets: read from a variable or from a file of their own, never from holdfast.yaml.

Rules of this room: no message repeats one; what can be guessed is refused.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from proxy.config.nodes import ConfigErrors, Place
from proxy.config.policies import read_text
from proxy.config.settings import Secret, Settings
from proxy.errors import ConfigError

SHORTEST = 16  # characters


def secret(key: str, file: str | None, environ: Mapping[str, str]) -> Secret | None:
    """The secret of the variable HOLDFAST_KEY, else of the file; None where neither is set."""
    text = environ.get(f"HOLDFAST_{key.upper()}", "").strip() or (secret_text(Path(file)) if file else "")
    if not text:
        return None
    if len(text) < SHORTEST:
        message = f"`{key}` is shorter than {SHORTEST} characters"
        raise ConfigErrors([ConfigError(message, help="`openssl rand -hex 32` makes one")])
    return Secret(text)


def secret_text(path: Path) -> str:
    """What a file with a secret holds, without the line's end."""
    text = read_text(path).strip()
    if not text:
        raise ConfigErrors([ConfigError("is empty", file=str(path))])
    return text


def check_admin(settings: Settings, place: Place) -> None:
    """The admin port shows prompts and tool output: beyond loopback only with a token."""
    if settings.admin_token is None and not _is_loopback(settings.admin_host):
        help = "set HOLDFAST_ADMIN_TOKEN or `admin_token_file`"
        raise ConfigErrors([place.error("`admin_host` is not loopback and has no token", help)])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
