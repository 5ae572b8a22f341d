"""Files with certificates of authorities: each must hold some before the first request needs them.

Rules of this room: they are read to be checked, nothing of them is kept.
"""

from proxy.config.nodes import ConfigErrors
from proxy.config.paths import Paths
from proxy.config.settings import File
from proxy.errors import ConfigError


def check_authorities(parsed: File, paths: Paths) -> None:
    """Raises ConfigErrors where a `ca_file` cannot be used."""
    written: list[tuple[tuple[str, ...], str | None]] = [(("ca_file",), parsed.ca_file)]
    written += [(("upstreams", name, "ca_file"), entry.ca_file) for name, entry in parsed.upstreams.items()]
    errors = [_error(text, paths, *key) for key, text in written if text is not None]
    if found := [error for error in errors if error]:
        raise ConfigErrors(found)


def _error(text: str, paths: Paths, *key: str) -> ConfigError | None:
    import ssl  # here: only who names such a file pays for it

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(paths.of(text, *key))
    except ssl.SSLError:
        return paths.place(*key).error(f"`{text}` holds no certificate", "it must be a file in PEM form")
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        return paths.place(*key).error(f"`{text}` cannot be read: {reason}")
    return None
