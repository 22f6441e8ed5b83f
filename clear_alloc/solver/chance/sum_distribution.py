"""How much a sum of uncertain costs may come to: its distribution where the terms are few, its moments where many."""

from __future__ import annotations

import math

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.market.smooth_demand import SmoothDemand
from clear_alloc.solver.primal.solution import Solution, charge_per_query
from clear_alloc.support.types import Bool

__all__ = ["margin_from_moments", "upper_quantile"]

_FEW = 256  # uncertain terms; of more, two moments and the skewness say enough
_LEAST_CHANCE = 1e-3  # below it a grid is too coarse for the tail
_GRID = 4_096  # points on which the distribution of the sum is known
_REACH = 30.0  # standard deviations beyond the mean that the grid reaches
_CELLS_AT_ONCE = 1 << 18  # of terms and grid points: 2 MB an array
_DOMINANT = 0.2  # of the variance of a sum: with a term of more than that it isn't near normal


def margin_from_moments(z_score: float, variance: Array, third: Array, largest: Array, room: Array) -> Array:
    """Margin of each of several sums from their moments, no more than the `room` for an overrun at worst.

    z_score : as many would do for a normal sum. third : central moment. largest : variance of the most uncertain
    term. Sums of skewed lengths pass their mean by more than normal ones would. So the quantile is corrected for
    that, to the first order (Cornish & Fisher 1938). Where one term makes up much of the variance nothing is near
    normal, and Cantelli's bound holds.
    """
    deviation = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.where(variance > 0.0, third / (variance * deviation), 0.0)
    usual = z_score + (z_score * z_score - 1.0) / 6.0 * np.clip(skewness, -1.0, 1.0)
    chance = chance_of(z_score)
    cantelli = math.sqrt((1.0 - chance) / chance) if chance > 0.0 else math.inf
    quantile = np.where(largest > _DOMINANT * variance, cantelli, np.maximum(usual, 0.0))
    with np.errstate(invalid="ignore"):  # no deviation, however often
        margin: Array = np.maximum(np.fmin(quantile * deviation, room), 0.0)
    return margin


def chance_of(z_score: float) -> float:
    """Chance that a normal sum passes its mean by more than so many standard deviations."""
    return 0.5 * math.erfc(z_score / math.sqrt(2.0))


def upper_quantile(market: Market, solution: Solution, z_score: float, among: Bool | None = None) -> float | None:
    """What the sum of the costs exceeds with the chance that `z_score` stand for, budget units.

    among : (n,) the queries that are summed, None for all. Returns None where the terms are too many or the chance
    too small for a grid. The distributions of min(length, cap) are put on one grid and convolved by Fourier
    transforms; menus, of which only the deviation is known, as a normal term. O(n x grid).
    """
    side, chance = market.divisible, chance_of(z_score)
    if side is None or chance < _LEAST_CHANCE or (among is None and _many_uncertain(side, solution.decisions[0])):
        return None
    summed = np.ones(len(market), dtype=bool) if among is None else among
    rows = np.flatnonzero((side.variance(solution.decisions[0]) > 0.0) & market.gather(summed, 0))
    if not 0 < len(rows) <= _FEW:
        return None
    finite = market.finite
    normal = 0.0
    if finite is not None:
        normal = float(finite.variance(solution.decisions[-1])[summed[market.rows[-1]]].sum())
    above_mean = _quantile_above_mean(side.take(rows), solution.decisions[0][rows], normal, chance)
    return float(charge_per_query(market, solution)[summed].sum()) + above_mean


def _quantile_above_mean(side: SmoothDemand, caps: Array, normal: float, chance: float) -> float:
    """By how much a sum passes its mean with a chance. normal : variance of one more, normal term."""
    rate = np.ones(len(side)) if side.charged.rate is None else side.charged.rate
    worst = rate * caps
    mean = float((rate * side.curves.expected_cost(caps)).sum())
    deviation = math.sqrt(float(side.variance(caps).sum()) + normal)
    # Room above the mean, and below it for the normal term, so that hardly anything wraps round.
    span = min(mean + _REACH * deviation, float(worst.sum()) * 1.001) + 12.0 * math.sqrt(normal)
    step = span / _GRID
    # The normal term may be negative, and what is below the grid would appear at its top: it is moved up.
    shift, turns = 6.0 * math.sqrt(normal), 2.0 * np.pi * np.fft.rfftfreq(_GRID, step)
    waves = np.exp(-0.5 * normal * turns**2 - 1j * turns * shift)
    # Beyond a query's cap nothing is burned, so that its masses end there.
    points = min(int(worst.max() / step) + 2, _GRID)
    terms, centre = max(_CELLS_AT_ONCE // _GRID, 1), 0.0
    for first in range(0, len(side), terms):
        batch = slice(first, first + terms)
        mass = _masses(side.take(batch), caps[batch], rate[batch], step, points)
        waves *= np.fft.rfft(mass, _GRID, axis=1).prod(axis=0)
        centre += float((mass @ np.arange(points)).sum()) * step
    below = np.cumsum(np.fft.irfft(waves, _GRID))
    return int(np.searchsorted(below, 1.0 - chance)) * step - centre - shift


def _many_uncertain(side: SmoothDemand, caps: Array) -> bool:
    """Whether a few of those that have a cap are too many already."""
    capped = caps.nonzero()[0]
    capped = capped[:: max(len(capped) // (8 * _FEW), 1)]
    return len(capped) > _FEW and int(np.count_nonzero(side.take(capped).variance(caps[capped]))) > _FEW


def _masses(side: SmoothDemand, caps: Array, rate: Array, step: float, points: int) -> Array:
    """Probability of each grid point, (terms, points), each length moved to its nearest."""
    edges = (np.arange(points) + 0.5)[:, None] * step
    beyond = np.where(edges < rate * caps, side.curves.length_survival(edges / rate), 0.0)
    beyond[-1] = 0.0  # what lies beyond the grid stands on its last point
    return np.ascontiguousarray(-np.diff(beyond, axis=0, prepend=1.0).T)
