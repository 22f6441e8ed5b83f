"""The hazard of a standard normal, its peak and its inverse: what expected accounting asks of log-normal lengths.

phi/(1 - Phi) on a table finds the neighbourhood of a root in a few nanoseconds; one step with the function itself
makes it exact.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import erfcx

from clear_alloc.support.types import Array, Bool

__all__ = ["FAR", "OfSpread", "inverse_mills", "relative_hazard_peak", "relative_hazard_root"]


FAR = 5.997807  # Phi(FAR) = 1 - CEILING_SHORTFALL: beyond it nothing is asked
_NEAR = -24.0  # the largest spread has its peak above it
_PER_UNIT = 64.0  # nodes of the table
_TABLE_STEPS = 4  # Newton's, from the parabola at the peak
_MORE_STEPS = 6
_NOWHERE = 1e4  # the logarithm of no hazard: a price of 0, or one that nothing is worth
_TOLERANCE = 1e-13


def inverse_mills(z: Array) -> Array:
    """phi(z)/(1 - Phi(z)): the hazard of a standard normal."""
    ratio: Array = np.sqrt(2.0 / np.pi) / erfcx(z / np.sqrt(2.0))
    return ratio


class _Table(NamedTuple):
    """log m at evenly spaced nodes, m the hazard, with its first two derivatives."""

    node: Array
    log: Array
    slope: Array
    bend: Array


@cache
def _table() -> _Table:
    node = np.arange(_NEAR, FAR + 1.0, 1.0 / _PER_UNIT)
    m = inverse_mills(node)
    return _Table(node, np.log(m), m - node, m * (m - node) - 1.0)


class OfSpread:
    """A smooth function of the spread alone, from values at evenly spaced logarithms of it; below them, the first."""

    nodes: Array = np.geomspace(1e-3, 20.0, 1_024)
    _first, _per_unit = float(np.log(nodes[0])), 1.0 / float(np.log(nodes[1] / nodes[0]))

    def __init__(self, values: Array):
        # Parabolas through neighbouring nodes.
        self._value = values[1:-1]
        self._slope, self._bend = (
            0.5 * (values[2:] - values[:-2]),
            0.5 * (values[2:] - 2.0 * values[1:-1] + values[:-2]),
        )

    def __call__(self, spread: Array) -> Array:
        """The function, to about 1e-7 where it is smooth."""
        at = (np.log(spread) - self._first) * self._per_unit - 1.0
        np.clip(at, -1.0, len(self._value), out=at)
        node = np.clip(np.rint(at), 0, len(self._value) - 1).astype(np.intp)
        at -= node
        value: Array = self._value.take(node) + at * (self._slope.take(node) + at * self._bend.take(node))
        return value


@cache
def _peaks() -> OfSpread:
    table, spread = _table(), OfSpread.nodes
    return OfSpread(_peak_near(np.interp(spread, table.slope[::-1], table.node[::-1]), spread))


def relative_hazard_peak(spread: Array) -> Array:
    """The z at which a log-normal's hazard is highest, at most FAR: m(z) - z = spread."""
    return _peak_near(_peaks()(spread), spread)


def _peak_near(z: Array, spread: Array) -> Array:
    rows = np.arange(len(z))
    for _ in range(40):  # one or two, from so near
        before = z[rows]
        m = inverse_mills(before)
        z[rows] = np.minimum(before + (m - before - spread[rows]) / (1.0 - m * (m - before)), FAR)
        # Each stops on its own, whatever its neighbours are.
        rows = rows[np.abs(z[rows] - before) > 1e-6 * (1.0 + np.abs(before))]
        if not len(rows):
            break
    return z


def relative_hazard_root(target: Array, spread: Array, peak: Array) -> Array:
    """The z in [peak, FAR] with log m(z) - spread z = target; an end where there is none. Absolute error 1e-13.

    peak : `relative_hazard_peak` of the spreads. O(n), about 60 ns each.
    """
    table, target = _table(), np.clip(target, -_NOWHERE, _NOWHERE)
    # To the second order the left side falls from its peak like a parabola, and slower and slower beyond.
    height = np.log(np.maximum(peak + spread, 1e-300)) - spread * peak - target
    width = np.maximum(1.0 - (peak + spread) * spread, 1e-6)
    with np.errstate(invalid="ignore", over="ignore"):
        z = peak + np.sqrt(np.maximum(2.0 * height, 0.0) / width)
    z = np.clip(z, peak, FAR)
    for _ in range(_TABLE_STEPS):
        node = np.rint((z - _NEAR) * _PER_UNIT).astype(np.intp)
        off = z - table.node.take(node)
        slope, bend = table.slope.take(node), table.bend.take(node)
        excess = table.log.take(node) + off * (slope + 0.5 * off * bend) - spread * z - target
        falling = np.minimum(slope + off * bend - spread, -1e-12)
        z = np.clip(z - excess / falling, peak, FAR)
    z, rough = _exactly(z, target, spread, peak)
    if rough.any():
        target, spread, peak = (np.broadcast_to(a, z.shape)[rough] for a in (target, spread, peak))
        z[rough] = _closer(z[rough], target, spread, peak)
    return z


def _closer(z: Array, target: Array, spread: Array, peak: Array) -> Array:
    """Roots that one step did not settle: near a peak, where two roots meet, or from a poor start."""
    rows = np.arange(len(z))
    for _ in range(_MORE_STEPS):
        z[rows], rough = _exactly(z[rows], target[rows], spread[rows], peak[rows])
        rows = rows[rough]
        if not len(rows):
            return z
    z[rows] = _from_above(target[rows], spread[rows], peak[rows])
    return z


def _exactly(z: Array, target: Array, spread: Array, peak: Array) -> tuple[Array, Bool]:
    """One step of Halley's with the function itself, and where it may not have been enough."""
    m = inverse_mills(z)
    slope = m - z
    excess = np.log(m) - spread * z - target
    falling = np.minimum(slope - spread, -1e-12)
    with np.errstate(invalid="ignore", over="ignore"):
        step = excess / falling
        step /= np.maximum(1.0 - 0.5 * step * (m * slope - 1.0) / falling, 0.5)
    moved = np.clip(z - step, peak, FAR)
    # What is left of the error is its cube, over the square of the distance to the peak, where the slope vanishes.
    error = np.abs(moved - z)
    return moved, error**3 > _TOLERANCE * (moved - peak) ** 2


def _from_above(target: Array, spread: Array, peak: Array) -> Array:
    """Newton's steps from the far end, which never pass the root: the left side is concave and falls."""
    z, rows = np.full(target.shape, FAR), np.arange(len(target))
    for _ in range(60):
        before, width, least = z[rows], spread[rows], peak[rows]
        m = inverse_mills(before)
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = np.log(m) - width * before - target[rows]
            lowered = before - np.where(excess < 0.0, excess / (m - before - width), 0.0)
        lowered = np.where(lowered > least, lowered, least)
        z[rows] = np.minimum(lowered, before)
        rows = rows[lowered < before - _TOLERANCE * (1.0 + np.abs(before))]
        if not len(rows):
            break
    return z
