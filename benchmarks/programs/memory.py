"""Measures in a process of its own how far a stream or a rebuild raises the peak of memory."""

import asyncio
import resource
import sys
from pathlib import Path

import ramax
from benchmarks.programs.library import contacts, stores_of

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def peak() -> int:
    """Return the highest resident size so far, in bytes."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak() -> None:
    """Let the peak start again from now, where the system can do that."""
    if _RESET.exists():
        _RESET.write_text("5")


async def main(target: str, how: str) -> int:
    """Return the bytes that the work added."""
    async with ramax.connect(target) as db:
        (store,) = await stores_of(db, 1)
        await store.pstate.count()
        forget_peak()
        before = peak()
        if how == "stream":
            async for _ in store.events.stream_space_events():
                pass
        else:
            assert contacts.name
            await store.rebuild_pstate()
        return peak() - before


if __name__ == "__main__":
    print(asyncio.run(main(*sys.argv[1:])))
