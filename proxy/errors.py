"""The errors that Holdfast raises itself; everything else is a builtin.

ProxyError
 +-- ConfigError     start-up or reload: file, line, key, what to do; exit status 2
 +-- DialectError    a body that cannot be viewed: it passes through, `reason` names why
 +-- StoreError      state cannot be read or written: the request goes on with an empty lineage
 +-- UpstreamError   the provider cannot be reached: 502 or 504 in the dialect's error shape
 +-- AskedError      what was asked of the archive cannot be given: 400 or 404, a failed tool call, exit status 1 or 2

Messages are lower case without a full stop, user input in backticks.
"""


class ProxyError(Exception):
    """Base of all of them."""


class ConfigError(ProxyError):
    """A configuration or policy file that cannot be used. `str()` is `file:line: message; help`."""

    def __init__(self, message: str, *, file: str = "", line: int = 0, help: str = "") -> None:
        self.message, self.file, self.line, self.help = message, file, line, help
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{message}{'; ' + help if help else ''}")


class DialectError(ProxyError):
    """A body that this dialect cannot view. `reason` is a short fixed word, used as a metric label."""

    def __init__(self, reason: str, message: str = "") -> None:
        self.reason = reason
        super().__init__(message or reason)


class StoreError(ProxyError):
    """State could not be read or written."""


class UpstreamError(ProxyError):
    """The provider could not be reached, or broke off. `status` is what the agent is told."""

    def __init__(self, message: str, *, status: int = 502) -> None:
        self.status = status
        super().__init__(message)


class AskedError(ProxyError):
    """A person or an agent asked for what cannot be given; the message says what can. `missing`: it is not there."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        self.missing = missing
        super().__init__(message)
