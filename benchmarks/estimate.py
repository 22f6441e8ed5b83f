"""How long a run will take: seconds measured once, scaled by a probe of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from scipy.special import lambertw, ndtr

from benchmarks.experiments import Case

# One processor's seconds for a case with all its budgets, by experiment, where the probe took PROBE.
SECONDS = {"scarcity": 5.2, "paper": 4.3, "noise": 5.0, "spending": 4.4, "peers": 0.7, "replay": 13.5}
BURSTY = 42.0  # ten windows to a budget
PROBE = 0.09


class Speed(NamedTuple):
    """probe : this machine's seconds for a job that took PROBE where SECONDS were measured. jobs : done at once."""

    probe: float
    jobs: int


def speed_of(jobs: int) -> Speed:
    """Sort, and call special functions, in as many threads as there will be processes; the best of three."""
    at_once, tried = min(jobs, os.cpu_count() or 1), []
    numbers = np.random.default_rng(0).random(300_000)
    with ThreadPoolExecutor(at_once) as pool:
        for _ in range(3):
            start = time.perf_counter()
            list(pool.map(_probe, [numbers] * at_once))
            tried.append(time.perf_counter() - start)
    return Speed(min(tried), at_once)


def _probe(numbers: np.ndarray) -> None:
    for _ in range(2):
        for work in (np.sort, np.log, ndtr, lambertw):  # none of them holds up the other threads
            work(numbers)


def estimate(cases: Iterable[Case], budgets: dict[str, int], speed: Speed) -> float:
    """Seconds that the cases should take. budgets : how many an experiment has in its full run."""
    each = []
    for case in cases:
        whole = BURSTY if case.stream == "Bursty" else SECONDS[case.experiment]
        each.append(whole * len(case.levels) / budgets[case.experiment])
    return max(sum(each) / speed.jobs, max(each, default=0.0)) * speed.probe / PROBE
