"""The steepest chord from a point of a curve to a cap that may be granted: break-even caps and entry prices."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves.charged import Charged
from clear_alloc.curves.columns import Array

__all__ = ["steepest_chord"]

_STEPS = 60  # Dinkelbach's iteration is superlinear; about 8 are used


def steepest_chord(side: Charged, origin: Array, value: Array, start: Array, stop: Array) -> tuple[Array, Array]:
    """Slope (value per budget unit) and end (token) of the steepest chord from (origin, value) to [start, stop].

    start : where the concave branch begins, at least the origin. Where the origin is on the branch already, the
    slope is the marginal value there and the end the origin. O(n) per step, about 8 steps.
    Dinkelbach 1967: the best cap at the slope of the last best cap is steeper still, until nothing moves.
    """
    slope, paid = np.zeros(len(stop)), side.charge(origin)

    def chord_to(cap: Array) -> Array:
        run = side.charge(cap) - paid
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(run > 0, (side.curves.utility(cap) - value) / run, 0.0)

    # From the better end: between those of a wide curve lie more magnitudes than there are steps.
    end = np.where(chord_to(start) > chord_to(stop), start, stop)
    for _ in range(_STEPS):
        chord = chord_to(end)
        steeper = chord > slope
        if not steeper.any():
            break
        slope = np.where(steeper, chord, slope)
        end = np.where(steeper, np.clip(side.on_branch(slope), start, stop), end)
    bent = (origin >= start) & (stop > origin) & ~side.starts_with_a_call(origin)
    at_origin = np.where(bent, side.efficiency(origin), 0.0)
    return np.maximum(slope, at_origin), np.where(bent, origin, end)
