"""A request that the provider does not serve: the status, and the words in its own manner.

Each API turns it into its own error body.
"""


class Refusal(Exception):
    """`kind` is the provider's error type or status word; "" stands for the usual one of the status."""

    def __init__(
        self, status: int, message: str, *, kind: str = "", param: str | None = None, code: str | None = None
    ) -> None:
        self.status, self.message, self.kind, self.param, self.code = status, message, kind, param, code
        super().__init__(message)
