"""Several processes on one port.

Rules of this room: sockets are bound before the processes are made, so all accept on the same one. A
worker that dies ends them all: whoever supervises the program restarts it whole. It must not know
what a worker does.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable

from proxy.errors import ConfigError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(count: int, work: Callable[[int], None]) -> int:
    """Run `work(number)` in `count` processes until all have ended; 0 where all did so well."""
    if not hasattr(os, "fork"):
        raise ConfigError("`workers` needs an operating system with fork", help="set it to 1")
    children = {_start(number, work) for number in range(count)}
    asked: set[int] = set()

    def pass_on(number: int, frame: object) -> None:
        asked.add(number)
        _send(children, number)

    for number in SIGNALS:
        signal.signal(number, pass_on)
    status = 0
    while children:
        pid, result = os.wait()
        children.discard(pid)
        # a worker that was still starting dies of the signal itself: that is an end as well
        if result != 0 and os.waitstatus_to_exitcode(result) not in {-number for number in asked}:
            status = 1
            pass_on(signal.SIGTERM, None)
    return status


def _start(number: int, work: Callable[[int], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    # a group of its own: Ctrl-C reaches the parent alone, which passes it on once
    os.setpgid(0, 0)
    status = 1
    try:
        work(number)
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _send(children: set[int], number: int) -> None:
    for pid in tuple(children):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
