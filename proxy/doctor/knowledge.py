"""What Holdfast brings along: vocabularies for counting tokens, and profiles of models.

Rules of this room: pure. Without a vocabulary nothing can be counted, so nothing is edited: every request
is relayed as it came, with the reason `fault`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from proxy.doctor.finding import Finding


@dataclass(frozen=True, slots=True)
class KnowledgeFacts:
    vocabularies: Mapping[str, str]
    """Why each cannot be loaded; empty where it can."""
    profiles: int
    problem: str = ""
    """Why the profiles cannot be read."""


def check_knowledge(facts: KnowledgeFacts) -> Iterator[Finding]:
    if facts.problem:
        fix = "pip install --force-reinstall holdfast"
        yield Finding("failed", "model profiles", facts.problem, fix)
    else:
        yield Finding("ok", "model profiles", f"{facts.profiles} are read")
    broken = {name: problem for name, problem in facts.vocabularies.items() if problem}
    for name, problem in broken.items():
        what = f"{name}: {problem}; without it requests are relayed unedited and nothing is counted"
        yield Finding("failed", "vocabulary", what, "pip install --force-reinstall bpe-openai tiktoken")
    if not broken:
        yield Finding("ok", "vocabulary", f"{', '.join(facts.vocabularies)}: from the package, no network")
