"""A process of its own that writes to a store's file, and says after each record what was kept.

Run as `python -m tests.proxy.store.writer FILE NAME COUNT`; COUNT 0 goes on until it is killed. Each line
of output is the turn and the text that the store has for it.
"""

import asyncio
import itertools
import sys
from pathlib import Path

from proxy.store.sqlite import open_sqlite
from tests.proxy.store.records import record


async def write(file: Path, name: str, count: int) -> None:
    """Turn after turn of one lineage, with NAME in each."""
    store = open_sqlite(file, timeout=30.0)
    for turn in range(count) if count else itertools.count():
        kept = await store.put(record(turn, text=f"{name} " + "x" * 2_000))
        print(turn, kept.sent[0].split()[0].decode(), flush=True)
    await store.close()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
