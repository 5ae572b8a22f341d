"""Which suites are run, against which mock server, from which pinned versions.

Rules of this room: data only. A suite and the description of its API belong together: a newer SDK tests
endpoints that the description does not have.
"""

from dataclasses import dataclass

BRACKETS = tuple(
    f"--validator-{place}-{kind}-format=brackets" for place in ("query", "form") for kind in ("array", "object")
)
"""How the SDK writes lists and objects in queries and forms; as its own scripts/mock says."""


@dataclass(frozen=True)
class Suite:
    name: str
    """Of the distribution; `NAME.txt` beside this file locks it and what its tests need."""
    version: str
    description: str
    """Of the API: a gzipped file of shared/specs."""
    upstream: str
    """Which of Holdfast's it talks to."""
    tests: str = "tests/api_resources"
    options: tuple[str, ...] = ()
    """Of the mock server."""


SUITES = (Suite("openai", "3.3.1", "openai-3.3.1.yml.gz", "openai", options=BRACKETS),)
