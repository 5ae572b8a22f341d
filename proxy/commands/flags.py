"""The flags of each command.

Rules of this room: names and texts only; nothing heavy is imported, for `--help` passes here. A flag
of `serve` that is not given is None, so that the file and the environment are asked.
"""

from argparse import REMAINDER, ArgumentParser, ArgumentTypeError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.replay.gaps import Gap


def none(parser: ArgumentParser) -> None:
    """No flags."""


def serve(parser: ArgumentParser) -> None:
    parser.add_argument("--host", help="address of the traffic port (127.0.0.1)")
    parser.add_argument("--port", help="traffic port (8787); 0 takes a free one")
    parser.add_argument("--admin-port", help="port of metrics and inspector (8788); 0 takes a free one")
    _proxy(parser)
    parser.add_argument("--workers", help="processes that share the traffic port (1)")


def run(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--intercept",
        action="store_true",
        help="as a forward proxy with a certificate of its own, for agents whose base URL cannot be changed",
    )
    _proxy(parser)
    _format(parser)
    parser.add_argument("--output", metavar="FILE", help="write the summary there and not to standard error")
    parser.add_argument("agent", nargs=REMAINDER, metavar="-- COMMAND...", help="the agent, as you start it")


def _proxy(parser: ArgumentParser) -> None:
    """What every command that runs a proxy takes."""
    parser.add_argument("--policy", metavar="NAME-or-FILE", default="", help="one policy for everything")
    parser.add_argument(
        "--upstream",
        metavar="NAME=URL",
        action="append",
        default=[],
        type=_upstream,
        help="a provider's URL; a known name (anthropic, openai, gemini, ...) keeps its dialect; may be repeated",
    )
    parser.add_argument("--store", metavar="URL", help="memory: or sqlite:///FILE")
    parser.add_argument("--record", metavar="DIR", help="record every exchange here, for `replay`")
    _config(parser)


def intercept(parser: ArgumentParser) -> None:
    parser.add_argument("--port", default=8790, type=_port, help="port on 127.0.0.1 (8790); 0 takes a free one")
    parser.add_argument("--admin-port", help="port of metrics and inspector (8788); 0 takes a free one")
    parser.add_argument(
        "--allow",
        metavar="HOST",
        action="append",
        default=[],
        help="a host to decrypt besides those of the upstreams, with a port where it is not 443; may be repeated",
    )
    _proxy(parser)


def demo(parser: ArgumentParser) -> None:
    parser.add_argument("--serve", action="store_true", help="keep proxy and simulated provider running until Ctrl-C")
    parser.add_argument("--output", metavar="DIR", default="out", help="folder for the plot (out)")
    _format(parser)


def simulate(parser: ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address (127.0.0.1)")
    parser.add_argument("--port", default=0, type=_port, help="port; 0, the default, takes a free one")
    parser.add_argument("--model", default="", help="a model whose rules hold for every name; default: each its own")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ArgumentTypeError("a whole number from 0 to 65535 is allowed")
    return int(text)


def _upstream(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not name or not equals or not url:
        raise ArgumentTypeError("write NAME=URL, for instance local=http://127.0.0.1:8000")
    return name, url


def _config(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", help="holdfast.yaml (~/.config/holdfast/holdfast.yaml where that exists)"
    )


def policy_check(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a policy file, or the name of a preset")
    _format(parser)


def policy_show(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME-or-FILE", help="a preset (default, observe, ...) or a file")
    parser.add_argument("--effective", action="store_true", help="fill in every default")
    _format(parser)


def archive_get(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="as the placeholder names it: hf-...")
    parser.add_argument("--lines", metavar="A:B", default="", help="these lines only, counted from 1")
    parser.add_argument("--grep", metavar="RE", default="", help="lines that match this regular expression only")
    parser.add_argument("--context", metavar="N", default=0, type=_counted, help="and so many lines around each")
    _stored(parser)
    _format(parser)


def archive_search(parser: ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help="words, names or paths; all of them must occur")
    _listed(parser)


def archive_list(parser: ArgumentParser) -> None:
    _listed(parser)


def archive_prune(parser: ArgumentParser) -> None:
    _stored(parser)
    _format(parser)


def mcp(parser: ArgumentParser) -> None:
    _tenant(parser)
    _stored(parser)


def _listed(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", metavar="N", default=20, type=_counted, help="so many at most (20)")
    _tenant(parser)
    _stored(parser)
    _format(parser)


def _tenant(parser: ArgumentParser) -> None:
    parser.add_argument("--tenant", default="", help="one credential's only, as `archive list` names it; or `all`")


def explain(parser: ArgumentParser) -> None:
    parser.add_argument(
        "session",
        nargs="?",
        metavar="SESSION",
        default="",
        help="its name, or the beginning of it; default: the newest",
    )
    parser.add_argument("--turn", metavar="N", type=_counted, help="this turn alone, in full")
    _stored(parser)
    _format(parser)


def sessions(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", metavar="N", type=_counted, default=20, help="at most so many, newest first (20)")
    _stored(parser)
    _format(parser)


def _stored(parser: ArgumentParser) -> None:
    parser.add_argument("--store", metavar="URL", help="the store that `serve` was given, where it was by flag")
    _config(parser)


def doctor(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--upstream",
        metavar="NAME",
        nargs="*",
        help="ask these providers (every one without a NAME): name, connection, TLS, answer, clock, key",
    )
    _config(parser)
    _format(parser)


def models(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="a model, as requests name it: every figure of it")
    _format(parser)


def tools(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a trace or a recording, .jsonl or .jsonl.gz")
    parser.add_argument("--model", metavar="M", help="price by this model's rules; default: each session's own")
    _format(parser)


def replay(parser: ArgumentParser) -> None:
    parser.add_argument("traces", nargs="+", metavar="TRACE", help="a trace or a recording, .jsonl or .jsonl.gz")
    parser.add_argument("--model", metavar="M", help="price by this model's rules; default: each session's own")
    parser.add_argument(
        "--policy",
        metavar="NAME-or-FILE",
        action="append",
        help="default: `default`; may be repeated",
    )
    parser.add_argument(
        "--gap",
        metavar="GAP",
        type=_gap,
        help="between calls: seconds, `recorded`, or `p50=20s,p99=400s`; default: a recording's own, 10 for traces",
    )
    parser.add_argument("--format", choices=("table", "json", "html"), default="table", help="default: table")
    parser.add_argument("--output", metavar="FILE", help="write there and not to standard output")
    parser.add_argument("--progress", action="store_true", help="tell of progress also where no terminal is")
    parser.add_argument("--workers", metavar="N", type=_counted, help="processes; default: one for each processor")


def _gap(text: str) -> "Gap":
    from proxy.replay.gaps import parsed

    try:
        return parsed(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{error} is allowed") from None


def _counted(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError("a whole number from 1 on is allowed")
    return int(text)


def _format(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
