"""What is measured in processes of its own: peak memory, the time of an import, where the time of a call goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.speed.rows import Case, Row
from benchmarks.speed.timing import in_turn
from benchmarks.speed.workloads import SHARE

ROOT = Path(__file__).resolve().parents[3]
SMALLER = 10  # times fewer queries, with which the largest case of memory is compared
PROCESSES = 3  # of a case of memory, at most: each takes seconds
FEWEST, PAIRS = 5, 15  # of imports: they scatter more than calls

MEMORY = [
    Case("memory", family, "reserved", n, share=SHARE)
    for family in ("shifted_surge", "lognormal")
    for n in (1_000_000, 10_000_000)
]
IMPORT = [Case("import")]
STAGES = [
    Case("stages", family, accounting, n, overrun, share=SHARE)
    for family, accounting, overrun in (("shifted_surge", "reserved", None), ("lognormal", "expected", 0.5))
    for n in (1, 64, 1_000, 1_000_000)
]


def space(case: Case, rounds: int) -> Row:
    """A process per round; the largest case has one of a tenth of the queries in turn with it."""
    larger = case.n > min(other.n for other in MEMORY)
    whole, tenth = [], []
    for _ in range(min(rounds, PROCESSES)):
        whole.append(_child("memory", case, case.n))
        if larger:
            tenth.append(_child("memory", case, case.n // SMALLER))
    figures = {name: max(child[name] for child in whole) for name in ("before", "peak_before", "peak")}
    return Row.of(case, *(tuple(child["seconds"] for child in side) for side in (whole, tenth)), figures=figures)


def importing(case: Case, rounds: int) -> Row:
    """The package against what it needs, fresh interpreters in turn: two pairs for a round, within bounds."""
    ours, needs = "import clear_alloc", "import numpy, scipy.special, pydantic"
    _python("-c", ours)  # bytecode is written once, by whoever comes first
    timed = in_turn(lambda: _python("-c", ours), lambda: _python("-c", needs), min(max(FEWEST, 2 * rounds), PAIRS))
    return Row.of(case, timed.ours, timed.reference)


def profile(case: Case, _: int) -> Row:
    """Shares of the time by room, on one thread: the hook sees no other."""
    found = _child("stages", case, case.n, CLEAR_ALLOC_THREADS="1")
    return Row.of(case, (found["seconds"],), figures={"profiled": found["profiled"]}, shares=found["shares"])


def _child(kind: str, case: Case, n: int, **variables: str) -> dict[str, Any]:
    overrun = "" if case.overrun is None else str(case.overrun)
    words = (kind, case.family, case.accounting, overrun, str(case.share), str(n))
    found: dict[str, Any] = json.loads(_python("-m", "benchmarks.speed.subprocess_probe", *words, **variables))
    return found


def _python(*words: str, **variables: str) -> str:
    """What a fresh interpreter prints; RuntimeError with its last line where it fails."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise RuntimeError(f"a process ended with {done.returncode}: {last}")
    return done.stdout
