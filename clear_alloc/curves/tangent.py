"""The steepest chord from a point of a curve to a cap that may be granted: break-even caps and entry prices."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves.base import Accounting, Smooth
from clear_alloc.curves.charged import Charged
from clear_alloc.support.types import Array, Index

__all__ = ["steepest_chord", "tangent_from_zero"]

_ENOUGH = 1e-12  # of the slope: the next step would add the square of what this one added
_STEPS = 60  # Dinkelbach's iteration is superlinear; about 8 are used


def steepest_chord(
    side: Charged, origin: Array, value: Array, start: Array, stop: Array, likely: Array | None = None
) -> tuple[Array, Array]:
    """Slope (value per budget unit) and end (token) of the steepest chord from (origin, value) to [start, stop].

    start : where the concave branch begins, at least the origin. Where the origin is on the branch already, the
    slope is the marginal value there and the end the origin. likely : a good guess of the end, token.
    O(n) per step, about 8 steps, 2 from a good guess.
    Dinkelbach 1967: the best cap at the slope of the last best cap is steeper still, until nothing moves.
    """
    paid = side.charge(origin)
    if likely is not None:
        end = np.clip(likely, start, stop)
    else:  # from the better end: between those of a wide curve lie more magnitudes than there are steps
        end = np.where(_chord(side, value, paid, start) > _chord(side, value, paid, stop), start, stop)
    slope = _steepest(side, value, paid, start, stop, end)
    bent = (origin >= start) & (stop > origin) & ~side.starts_with_a_call(origin)
    at_origin = np.where(bent, side.efficiency(origin), 0.0)
    # A chord to a cap beside the origin is all rounding; the slope there is not.
    return np.where(at_origin > 0.0, at_origin, slope), np.where(bent, origin, end)


def tangent_from_zero(curves: Smooth, accounting: Accounting) -> tuple[Array, Array]:
    """Highest value per token charged, and the cap that has it. O(n) per step of `steepest_chord`."""
    zero = np.zeros(len(curves))
    start = np.minimum(curves.branch_start(accounting), curves.ceiling)
    likely = curves.likely_run if accounting == "expected" else None
    return steepest_chord(Charged(curves, accounting), zero, zero, start, curves.ceiling, likely)


def _chord(side: Charged, value: Array, paid: Array, cap: Array) -> Array:
    run = side.charge(cap) - paid
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(run > 0, (side.curves.utility(cap) - value) / run, 0.0)


def _steepest(side: Charged, value: Array, paid: Array, start: Array, stop: Array, end: Array) -> Array:
    """The slopes, with the ends moved to where they are reached; each query stops on its own."""
    slope = np.zeros(len(end))
    rows: Index | slice = slice(None)
    for _ in range(_STEPS):
        chord = _chord(side, value, paid, end[rows])
        steeper, slope[rows] = chord > slope[rows] * (1.0 + _ENOUGH), np.maximum(chord, slope[rows])
        moving = np.count_nonzero(steeper)
        if not moving:
            break
        end[rows] = np.where(steeper, np.clip(side.on_branch(slope[rows]), start, stop), end[rows])
        if moving < 0.5 * len(steeper):  # the others have converged
            kept = steeper.nonzero()[0]
            rows = kept if isinstance(rows, slice) else rows[kept]
            side, value, paid, start, stop = side.take(kept), *(c[kept] for c in (value, paid, start, stop))
    return slope
