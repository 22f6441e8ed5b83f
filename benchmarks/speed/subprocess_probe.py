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

from benchmarks.speed.profiling import house_order, profiled
from benchmarks.speed.rows import Case
from benchmarks.speed.subject import WARM, work_of

STATUS = Path("/proc/self/status")
LONG = 0.3  # seconds of calls to profile; a single longer one is enough


def memory(case: Case) -> dict[str, float]:
    """Bytes before a call with its inputs in memory and the peak after it; seconds from arrays to caps of the next.

    The first call has to ask the system for every page.
    """
    work_of(case, WARM).done()
    act = work_of(case).done
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


def stages(case: Case) -> dict[str, Any]:
    """Shares of the time by room, all rooms in the order of the house, and seconds per call with and without hook."""
    act = work_of(case).done
    work_of(case, min(case.n, WARM)).done()
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


def _seconds(act: Callable[[], Any]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


if __name__ == "__main__":
    kind, family, accounting, overrun, share, n = sys.argv[1:]
    case = Case(kind, family, accounting, int(n), float(overrun) if overrun else None, float(share))
    print(json.dumps({"memory": memory, "stages": stages}[kind](case)))
