"""What rows say: means over seeds, paired differences and ratios with their intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from benchmarks.rows import Row

Place = tuple[str, str, float, float]  # experiment, stream, level, noise


class Paired(NamedTuple):
    """One policy against another over the same seeds.

    difference, low, high : in accuracy, mean and 95 % interval (Student's t over seeds; NaN with one seed).
    ratio : of the means, infinite where the other got nothing. least : the low end of the ratio's 95 % interval: the
    largest multiple of the other's accuracy that the paired differences still exclude from below (Fieller).
    """

    seeds: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    ratio: float
    least: float


def by_setting(rows: Iterable[Row]) -> dict[Place, dict[str, dict[int, Row]]]:
    """Rows without errors by experiment, stream, level and noise; then policy; then seed."""
    found: dict[Place, dict[str, dict[int, Row]]] = {}
    for row in rows:
        if row.error is None:
            place = (row.experiment, row.stream, row.level, row.noise)
            found.setdefault(place, {}).setdefault(row.policy, {})[row.seed] = row
    return found


def paired(first: dict[int, Row], second: dict[int, Row]) -> Paired:
    """The seeds that both have; raises ValueError where there is none."""
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        raise ValueError("the two policies have no seed in common")
    ours, theirs = (np.array([side[seed].accuracy for seed in seeds], dtype=float) for side in (first, second))
    low, high = _interval(ours - theirs)
    top, bottom = float(ours.mean()), float(theirs.mean())
    ratio = top / bottom if bottom else float("inf") if top else float("nan")
    return Paired(len(seeds), top, bottom, top - bottom, low, high, ratio, _least_ratio(ours, theirs))


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean of values over seeds and its 95 % interval; the interval is NaN with one seed, and all are with none."""
    return (float(values.mean()) if len(values) else float("nan"), *_interval(values))


def _interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean."""
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    half = float(stdtrit(n - 1, 0.975)) * float(values.std(ddof=1)) / np.sqrt(n)
    return float(values.mean()) - half, float(values.mean()) + half


def _least_ratio(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest k for which mean(ours - k theirs) is above 0 at 97.5 %; infinite where theirs are all 0."""
    if len(ours) < 2:
        return float("nan")
    if not theirs.any():
        return float("inf") if _interval(ours)[0] > 0.0 else float("nan")
    if _interval(ours)[0] <= 0.0:
        return 0.0
    low, high = 0.0, 1.0
    while _interval(ours - high * theirs)[0] > 0.0 and high < 1e9:
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _interval(ours - middle * theirs)[0] > 0.0 else (low, middle)
    return low
