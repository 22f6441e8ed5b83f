"""What needs a process of its own, since peaks never fall and threads are set before the start: prints JSON.

python -m benchmarks.speed.subprocess_probe memory|stages FAMILY ACCOUNTING OVERRUN SHARE N
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clear_alloc as ca
from benchmarks.speed.profiling import house_order, profiled
from benchmarks.speed.workloads import budget_of, columns, curves_of

__all__ = ["memory", "resident", "stages"]

WARM = 1_000  # queries of a call that is not counted
STATUS = Path("/proc/self/status")
LONG = 0.3  # seconds of calls to profile; a single longer one is enough


def memory(family: str, terms: dict[str, Any], share: float, n: int) -> dict[str, float]:
    """Bytes before a call with its inputs in memory and the peak after it; seconds from arrays to caps of the next.

    The first call has to ask the system for every page.
    """
    _call(family, terms, share, WARM)()
    act = _call(family, terms, share, n)
    before, peak_before = resident("VmRSS"), resident("VmHWM")
    act()
    peak = resident("VmHWM")
    return {"seconds": _seconds(act), "before": before, "peak_before": peak_before, "peak": peak}


def resident(name: str) -> float:
    """Bytes: VmRSS now, VmHWM at the peak of this program.

    Not `ru_maxrss` where the system tells better: a child begins with its parent's.
    """
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return 1024.0 * int(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def stages(family: str, terms: dict[str, Any], share: float, n: int) -> dict[str, Any]:
    """Shares of the time by room, all rooms in the order of the house, and seconds per call with and without hook."""
    act = _call(family, terms, share, n)
    _call(family, terms, share, min(n, WARM))()
    plain = [_seconds(act)]
    while sum(plain) < LONG:
        plain.append(_seconds(act))
    found = profiled(act, len(plain))
    total = sum(found.values())
    rooms = dict.fromkeys([*house_order(), *found])
    return {
        "seconds": statistics.median(plain),
        "profiled": total / len(plain),
        "shares": {room: found.get(room, 0.0) / total for room in rooms},
    }


def _call(family: str, terms: dict[str, Any], share: float, n: int) -> Callable[[], ca.Allocation]:
    given = columns(family, n)
    budget = budget_of(family, given, share)
    return lambda: ca.allocate(curves_of(family, given), budget, **terms)


def _seconds(act: Callable[[], Any]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


if __name__ == "__main__":
    kind, family, accounting, overrun, share, n = sys.argv[1:]
    terms = {"accounting": accounting, **({"overrun": float(overrun)} if overrun else {})}
    print(json.dumps({"memory": memory, "stages": stages}[kind](family, terms, float(share), int(n))))
