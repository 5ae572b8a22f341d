"""The whole examination: what is looked at, in which order, and what each check says of it.

Rules of this room: looking comes first and may take seconds, checks are pure. One list has every check.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from proxy.config import Request, Settings
from proxy.config.typed import nearest
from proxy.doctor.agents import check_agents, provider_of
from proxy.doctor.certificates import check_certificates
from proxy.doctor.clock import check_clock
from proxy.doctor.configuration import check_configuration
from proxy.doctor.facts.agents import look_at_agents
from proxy.doctor.facts.certificates import Place, look_at_certificates
from proxy.doctor.facts.clock import Watch
from proxy.doctor.facts.configuration import look_at_configuration
from proxy.doctor.facts.knowledge import look_at_knowledge
from proxy.doctor.facts.ports import look_at_ports
from proxy.doctor.facts.software import look_at_software
from proxy.doctor.facts.state import look_at_state
from proxy.doctor.facts.upstreams import look_at_upstreams
from proxy.doctor.finding import Finding
from proxy.doctor.keys import check_keys, facts_of
from proxy.doctor.knowledge import check_knowledge
from proxy.doctor.ports import check_ports
from proxy.doctor.software import check_software
from proxy.doctor.state import check_state
from proxy.doctor.upstreams import check_upstreams
from proxy.errors import ConfigError
from proxy.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be examined. `upstreams` None: no provider; empty: every one."""

    request: Request
    folder: Path
    upstreams: Sequence[str] | None
    clock: Callable[[], float]
    authority_variables: Sequence[str]
    authority: Place | None


def examine(asked: Asked) -> tuple[list[Finding], bool]:
    """Every finding, and whether the configuration could be read. Raises ConfigError for an unknown upstream."""
    environ, watch = asked.request.environ, Watch.start(asked.clock)
    read = look_at_configuration(asked.request)
    upstreams = _chosen(read.settings, asked.upstreams)
    agents = look_at_agents(read.settings, environ, asked.folder)
    state, knowledge = look_at_state(read.settings), look_at_knowledge()
    findings = [
        *check_software(look_at_software()),
        *check_configuration(read.facts),
        *check_knowledge(knowledge.facts),
        *check_state(state.facts),
        *check_ports(look_at_ports(read.settings)),
        *check_agents(agents),
        *check_keys(facts_of(environ), {url.where: provider_of(url, agents) for url in agents.base_urls}),
        *check_certificates(look_at_certificates(environ, asked.authority_variables, asked.authority, asked.clock())),
        *check_upstreams(look_at_upstreams(upstreams, environ, asked.clock) if upstreams else ()),
        *check_clock(watch.look(environ, knowledge.newest, state.newest)),
    ]
    return findings, read.readable


def _chosen(settings: Settings, names: Sequence[str] | None) -> tuple[Upstream, ...]:
    """The upstreams that are to be asked."""
    if names is None:
        return ()
    known = {upstream.name: upstream for upstream in settings.upstreams}
    for name in names:
        if name not in known:
            raise ConfigError(f"no upstream is called `{name}`", help=nearest(name, list(known)))
    return tuple(known[name] for name in names or known)
