"""The command line: arguments to values, errors to one line and an exit status.

Rules of this room: `COMMANDS` is the one list of what there is; a command's body is elsewhere, and
is imported when it runs, so that `--help` is quick. The environment is read here and nowhere else.
Exit status: 0 done, 1 failed, 2 bad usage or configuration.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from proxy.commands import flags
from proxy.commands.terminal import Terminal, complain, wants_colour
from proxy.errors import ConfigError, ProxyError

if TYPE_CHECKING:
    from proxy.config import Settings

DONE, FAILED, MISUSED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Call:
    """What a command gets."""

    args: argparse.Namespace
    environ: Mapping[str, str]
    terminal: Terminal
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    help: str
    example: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Call], int]


def _serve(call: Call) -> int:
    from proxy.commands import serve
    from proxy.config import load_settings

    request = serve.request(call.args, call.environ)
    return serve.run(load_settings(request), request, call.clock)


def _intercept(call: Call) -> int:
    from proxy.commands import intercept
    from proxy.config import load_settings

    request = intercept.request(call.args, call.environ)
    return intercept.run(load_settings(request), request, call.args.port, call.clock)


def _run(call: Call) -> int:
    from proxy.commands import run

    return run.run(call.args, call.environ, call.clock)


def _simulate(call: Call) -> int:
    from proxy.commands import simulate

    return simulate.run(call.args.host, call.args.port, call.args.model)


def _demo(call: Call) -> int:
    from proxy.commands import demo

    return demo.run(call.args.output, call.args.serve, call.terminal, call.environ)


def _policy_check(call: Call) -> int:
    from proxy.commands import policy

    return policy.check(call.args.files, call.terminal)


def _policy_show(call: Call) -> int:
    from proxy.commands import policy

    return policy.show(call.args.name, call.args.effective, call.terminal)


def _policy_schema(call: Call) -> int:
    from proxy.commands import policy

    return policy.schema(call.terminal)


def _replay(call: Call) -> int:
    from proxy.commands import replay

    args = call.args
    return replay.run(
        args.traces,
        args.policy,
        args.model,
        args.gap,
        args.format,
        args.output,
        args.progress,
        args.workers,
        call.terminal,
    )


def _archive_get(call: Call) -> int:
    from proxy.commands import archive
    from proxy.recall.choosing import Asked

    asked = Asked(call.args.lines, call.args.grep, call.args.context)
    return archive.get(_stored(call), call.args.id, asked, call.terminal)


def _archive_search(call: Call) -> int:
    from proxy.commands import archive

    return archive.search(_stored(call), call.args.text, call.args.limit, call.args.tenant, call.terminal)


def _archive_list(call: Call) -> int:
    from proxy.commands import archive

    return archive.newest(_stored(call), call.args.limit, call.args.tenant, call.clock(), call.terminal)


def _archive_prune(call: Call) -> int:
    from proxy.commands import archive

    return archive.prune(_stored(call), call.clock(), call.terminal)


def _mcp(call: Call) -> int:
    from proxy.commands import mcp

    return mcp.run(_stored(call), call.args.tenant, call.clock)


def _explain(call: Call) -> int:
    from proxy.commands import explain

    return explain.explain(_stored(call), call.args.session, call.args.turn, call.terminal)


def _sessions(call: Call) -> int:
    from proxy.commands import explain

    return explain.sessions(_stored(call), call.args.limit, call.terminal)


def _stored(call: Call) -> "Settings":
    """The settings of a command that only reads what `serve` has kept."""
    from proxy.config import Override, Request, default_file, load_settings

    file = Path(call.args.config) if call.args.config else default_file(call.environ)
    flags = (Override(("store",), call.args.store, "--store"),) if call.args.store else ()
    return load_settings(Request(file, call.environ, flags))


def _tools(call: Call) -> int:
    from proxy.commands import tools

    return tools.run(call.args.files, call.args.model, call.terminal)


def _doctor(call: Call) -> int:
    from proxy.commands import doctor

    return doctor.run(call.args, call.environ, call.terminal, call.clock)


def _models(call: Call) -> int:
    from proxy.commands import models

    return models.one(call.args.name, call.terminal) if call.args.name else models.every(call.terminal)


COMMANDS = (
    Command(
        "serve",
        "run the proxy",
        "holdfast serve --policy observe --upstream local=http://127.0.0.1:8000",
        flags.serve,
        _serve,
    ),
    Command(
        "intercept",
        "run a forward proxy for agents whose base URL cannot be changed",
        "holdfast intercept --allow llm.example.com",
        flags.intercept,
        _intercept,
    ),
    Command(
        "run",
        "run an agent through a proxy of its own, and say what was saved",
        "holdfast run --policy observe -- claude",
        flags.run,
        _run,
    ),
    Command(
        "demo",
        "compare a recorded agent session with and without Holdfast; no key, no network",
        "holdfast demo --output out",
        flags.demo,
        _demo,
    ),
    Command(
        "simulate",
        "run a strict simulated provider, to test a client or a proxy without a key",
        "holdfast simulate --port 9000 --model claude-sonnet-4-5",
        flags.simulate,
        _simulate,
    ),
    Command(
        "policy check",
        "validate policy files",
        "holdfast policy check policies/*.yaml",
        flags.policy_check,
        _policy_check,
    ),
    Command(
        "policy show",
        "print a policy, with every default filled in where asked",
        "holdfast policy show default --effective",
        flags.policy_show,
        _policy_show,
    ),
    Command(
        "policy schema",
        "print the JSON Schema of policy files, for editors",
        "holdfast policy schema > policy.schema.json",
        flags.none,
        _policy_schema,
    ),
    Command(
        "replay",
        "run recorded sessions through the pipeline, offline, and compare what they would have cost",
        "holdfast replay traces.jsonl.gz --model claude-sonnet-4-5 --format html --output replay.html",
        flags.replay,
        _replay,
    ),
    Command(
        "explain",
        "what each turn read, cost and lost: where the prompt first differed, who changed it, what was planned",
        "holdfast explain 7d3c --turn 9",
        flags.explain,
        _explain,
    ),
    Command(
        "sessions",
        "the sessions in the store, with what their caches gave and what was saved",
        "holdfast sessions --limit 10",
        flags.sessions,
        _sessions,
    ),
    Command(
        "archive get",
        "print the original of what a placeholder stands for",
        "holdfast archive get hf-66o46nj7p6ipja5t --lines 1:40",
        flags.archive_get,
        _archive_get,
    ),
    Command(
        "archive search",
        "find what was elided by words, names or paths in it",
        "holdfast archive search getUserPage",
        flags.archive_search,
        _archive_search,
    ),
    Command(
        "archive list",
        "what was elided last",
        "holdfast archive list --limit 5",
        flags.archive_list,
        _archive_list,
    ),
    Command(
        "archive prune",
        "drop what is beyond the archive's bounds of age and size now",
        "holdfast archive prune",
        flags.archive_prune,
        _archive_prune,
    ),
    Command(
        "mcp",
        "give an agent tools to read back what was elided, and notes, over stdio",
        "holdfast mcp --tenant all",
        flags.mcp,
        _mcp,
    ),
    Command(
        "tools",
        "what the tool definitions of recorded sessions cost, and which of them were used",
        "holdfast tools recordings/*.jsonl",
        flags.tools,
        _tools,
    ),
    Command(
        "doctor",
        "find the usual mistakes of a set-up, and say what to type",
        "holdfast doctor --upstream anthropic",
        flags.doctor,
        _doctor,
    ),
    Command(
        "models",
        "prices, limits and cache rules of models, each with its source",
        "holdfast models claude-sonnet-4-5",
        flags.models,
        _models,
    ),
)

GROUPS = {"policy": "check, print and describe policy files", "archive": "read back and find what was elided"}


class Parser(argparse.ArgumentParser):
    """argparse, with its errors in one line."""

    def error(self, message: str) -> NoReturn:
        complain(f"{self.prog}: {message}; see `{self.prog} --help`")
        sys.exit(MISUSED)


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run a command; the exit status."""
    environ = os.environ if environ is None else environ  # noqa: TID251  the one place that reads it
    args = _parser().parse_args(argv)
    terminal = Terminal(colour=wants_colour(sys.stdout, environ), json=getattr(args, "format", "") == "json")
    command: Command = args.command
    try:
        return command.run(Call(args, environ, terminal, time.time))  # noqa: TID251  the clock of the program
    except ConfigError as error:
        complain(str(error))
        return MISUSED
    except (ProxyError, OSError) as error:
        return _failed(error)
    except KeyboardInterrupt:
        return FAILED


def _failed(error: ProxyError | OSError) -> int:
    if isinstance(error, BrokenPipeError):
        # whoever read the output (`| head`) has seen enough; nothing more can be written, not even on exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    complain(f"holdfast: {' '.join(str(error).split())}")
    return FAILED


def _parser() -> Parser:
    parser = Parser(prog="holdfast", description="A proxy that keeps prompt caches warm and shows why they were lost.")
    parser.add_argument("--version", action="version", version=f"holdfast {_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    groups: dict[str, argparse._SubParsersAction[Parser]] = {}
    for command in COMMANDS:
        group, _, name = command.name.rpartition(" ")
        if group and group not in groups:
            groups[group] = commands.add_parser(group, help=GROUPS[group]).add_subparsers(
                metavar="COMMAND", required=True
            )
        _add(groups.get(group, commands), name, command)
    return parser


def _add(commands: "argparse._SubParsersAction[Parser]", name: str, command: Command) -> None:
    parser = commands.add_parser(
        name,
        help=command.help,
        description=command.help[0].upper() + command.help[1:] + ".",
        epilog=f"example:\n  {command.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a flag added later must not change what an abbreviation meant
    )
    command.arguments(parser)
    parser.set_defaults(command=command)


def _version() -> str:
    try:
        return version("holdfast")
    except PackageNotFoundError:  # run from a checkout
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
