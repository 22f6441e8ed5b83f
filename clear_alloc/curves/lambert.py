"""The two real branches of the Lambert W function on the intervals that demand needs.

Real-valued and vectorised; `scipy.special.lambertw` is complex and about ten times slower.
Corless et al. 1996 for the function; Winitzki 2003 and Chatzigeorgiou 2013 for the first guesses.
"""

from __future__ import annotations

import numpy as np

from clear_alloc.curves.columns import Array

__all__ = ["w0", "w_minus_one"]


def w0(k: Array) -> Array:
    """Principal branch: the w >= 0 with w exp(w) = k, for k >= 0. Relative error below 1e-14; O(n)."""
    log = np.log1p(k)
    w = log * (1.0 - np.log1p(log) / (2.0 + log))  # within 2 % everywhere, exact at 0
    for _ in range(2):  # Halley triples the correct digits: 2 %, 1e-5, below 1e-15
        e = np.exp(w)
        residual = w * e - k
        w = w - residual / (e * (w + 1.0) - residual * (w + 2.0) / (2.0 * w + 2.0))
    return w


def w_minus_one(log_k: Array) -> Array:
    """Minus the lower branch: the x >= 1 with x exp(-x) = k, given log k <= -1.

    The logarithm is the argument because k underflows long before x is large. O(n).
    """
    v = np.clip(-log_k - 1.0, 0.0, 1e16)  # 1e16 stands for a price of 0
    u = np.sqrt(2.0 * v)
    # Between the bounds 1 + u + 2v/3 and 1 + u + v; exact to second order at the branch point v = 0.
    x = 1.0 + u + v * (2.0 / 3.0 + u / (3.0 * u + 18.0))
    for _ in range(3):  # Halley on h(x) = x - log x - (1 + v)
        h = x - np.log(x) - 1.0 - v
        slope = 1.0 - 1.0 / x
        step = 2.0 * h * slope / (2.0 * slope * slope - h / (x * x))
        x = np.where(slope > 0.0, x - np.where(np.isfinite(step), step, 0.0), x)
    return x
