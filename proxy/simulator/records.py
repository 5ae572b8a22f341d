"""What the simulator saw, request by request, for tests to read. Grows for as long as the server runs."""

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from proxy.simulator.bills import Bill

SECRET_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "cookie")


class Record(Struct, frozen=True):
    """One request. `status` None: no answer was begun."""

    number: int
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    started: float
    api: str = ""
    model: str = ""
    stream: bool = False
    status: int | None = None
    usage: Bill | None = None
    error: str | None = None
    reports: tuple[Any, ...] = ()
    """What was changed in the input before the model saw it (dropped reasoning)."""
    left: Literal["", "before", "during"] = ""
    """The caller went away before the answer began, or during it."""
    done: bool = False
    """Nothing more happens to this request."""


class Log:
    """All records, in order of arrival."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def begin(self, record: Record) -> None:
        self.records.append(record)

    def note(self, number: int, **changes: Any) -> None:
        self.records[number] = replace(self.records[number], **changes)

    def listing(self) -> list[dict[str, Any]]:
        """For the JSON endpoint: bodies as text, credentials left out."""
        return [_listed(record) for record in self.records]


def _listed(record: Record) -> dict[str, Any]:
    bill = record.usage
    usage = None if bill is None else {
        "input": bill.input.total, "cache_read": bill.input.read,
        "cache_write": bill.input.write + bill.input.write_long, "cache_write_long": bill.input.write_long,
        "output": bill.output, "reasoning": bill.reasoning,
    }  # fmt: skip
    headers = [[name, "..." if name in SECRET_HEADERS else value] for name, value in record.headers]
    return {
        "number": record.number, "method": record.method, "path": record.path, "headers": headers,
        "body": record.body.decode("utf-8", "replace"), "started": record.started, "api": record.api,
        "model": record.model, "stream": record.stream, "status": record.status, "usage": usage,
        "error": record.error, "reports": list(record.reports), "left": record.left, "done": record.done,
    }  # fmt: skip
