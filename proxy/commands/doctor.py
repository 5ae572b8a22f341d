"""`holdfast doctor`: the examination, printed.

Rules of this room: this is wiring; where the intercepting front end keeps its authority is known here.
"""

from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from proxy.commands.terminal import Terminal
from proxy.config import Request, default_file
from proxy.doctor.examination import Asked, examine
from proxy.doctor.facts.certificates import Place
from proxy.doctor.report import document, status, table
from proxy.intercept.authority import ADDING, REPLACING, Authority, ca_trusted, folder_of


def run(args: Namespace, environ: Mapping[str, str], terminal: Terminal, clock: Callable[[], float]) -> int:
    """Say what is wrong and what to type; the exit status."""
    file = Path(args.config) if args.config else default_file(environ)
    asked = Asked(
        request=Request(file, environ),
        folder=Path.cwd(),
        upstreams=args.upstream,
        clock=clock,
        authority_variables=(*REPLACING, *ADDING),
        authority=_authority(environ),
    )
    findings, readable = examine(asked)
    if terminal.json:
        terminal.table((), (), document(findings, readable))
    else:
        terminal.text(table(findings, home=environ.get("HOME", ""), colour=terminal.colour))
    return status(findings, readable)


def _authority(environ: Mapping[str, str]) -> Place | None:
    """None where there is no home to look in."""
    if not environ.get("HOME"):
        return None
    authority = Authority(folder_of(environ))
    trusting = [name for name, trusted in ca_trusted(authority, environ).items() if trusted]
    return Place(authority.certificate, authority.bundle, trusting)
