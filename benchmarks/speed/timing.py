"""Two things timed in turn in one process, and what their rounds say."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

ROUND = 0.005  # seconds: what ends sooner is called again, or the clock and cold caches would be timed
PATIENCE = 60.0  # seconds for all rounds of a case
LEAST = 3  # rounds, however long they take, unless fewer are asked for

Act = Callable[[], Any]


class Timed(NamedTuple):
    """Seconds per call in each round, and what the last calls gave. reference is empty where there is none."""

    ours: tuple[float, ...]
    reference: tuple[float, ...]
    result: Any
    other: Any


class Quartiles(NamedTuple):
    low: float
    median: float
    high: float


def seconds_of(act: Act) -> tuple[float, Any]:
    """Seconds per call, over as many calls as last ROUND together, and what the last one gave."""
    spent, calls, batch, result = 0.0, 0, 1, None
    while spent < ROUND:
        start = time.perf_counter()
        for _ in range(batch):
            result = act()
        spent += time.perf_counter() - start
        calls += batch
        batch *= 2
    return spent / calls, result


def in_turn(ours: Act, reference: Act | None, rounds: int) -> Timed:
    """Ours, reference, ours, reference: what slows the machine for a while slows both. At least one round.

    Fewer rounds than asked for, but not fewer than LEAST, where they would go beyond PATIENCE.
    """
    first, second = [], []
    result = other = None
    start, done = time.perf_counter(), 0
    while not done or (done < rounds and (done < LEAST or time.perf_counter() - start < PATIENCE)):
        result = other = None  # one result of 10^7 caps in memory is enough
        gc.collect()
        seconds, result = seconds_of(ours)
        first.append(seconds)
        if reference is not None:
            seconds, other = seconds_of(reference)
            second.append(seconds)
        done += 1
    return Timed(tuple(first), tuple(second), result, other)


def ratios(first: Sequence[float], second: Sequence[float]) -> Quartiles | None:
    """Of first / second round by round, not of their medians; None where one of them is missing."""
    if not first or not second:
        return None
    each = np.array(first) / np.array(second)
    return Quartiles(*(float(value) for value in np.quantile(each, (0.25, 0.5, 0.75))))


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Least-squares slope of log time against log n; NaN with fewer than two sizes."""
    if len(set(sizes)) < 2:
        return float("nan")
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def slopes(sizes: Sequence[float], seconds: Sequence[float]) -> list[float]:
    """The same between each size and the next; sizes rise."""
    return [float(value) for value in np.diff(np.log(seconds)) / np.diff(np.log(sizes))]
