"""Which suites are run, against which mock server, from which pinned versions.

Rules of this room: data only. A suite is named as its upstream is in Holdfast. A suite and the description of
its API belong together: a newer SDK tests endpoints that the description does not have.
"""

from dataclasses import dataclass

BRACKETS = tuple(
    f"--validator-{place}-{kind}-format=brackets" for place in ("query", "form") for kind in ("array", "object")
)
"""How the SDK writes lists and objects in queries and forms; as its own scripts/mock says."""


RESOURCES = "tests/api_resources"
ANTHROPIC = ("messages", "skills", "test_files.py", "test_messages.py", "test_models.py", "test_skills.py")
"""Of its resources: what agents use. The others are those of an organisation's administration, thousands of them."""


@dataclass(frozen=True)
class Suite:
    name: str
    """Of the distribution; `NAME.txt` beside this file locks it and what its tests need."""
    version: str
    description: str | None
    """Of the API: a gzipped file of shared/specs, or None to describe it from the SDK itself."""
    tests: tuple[str, ...] = (RESOURCES,)
    options: tuple[str, ...] = ()
    """Of the mock server."""


SUITES = (
    Suite("openai", "3.3.1", "openai-3.3.1.yml.gz", options=BRACKETS),
    Suite(
        "anthropic", "2.12.0", None, tuple(f"{RESOURCES}/{part}{name}" for part in ("", "beta/") for name in ANTHROPIC)
    ),
)
