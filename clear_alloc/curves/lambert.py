"""The two real branches of the Lambert W function on the intervals that demand needs.

Real-valued and vectorised; `scipy.special.lambertw` is complex and about ten times slower.
Corless et al. 1996 for the function; Winitzki 2003 and Chatzigeorgiou 2013 for the first guesses.
"""

from __future__ import annotations

import numpy as np

from clear_alloc.curves.columns import Array

__all__ = ["w0", "w_minus_one"]


_DEGREE = 7  # of the first guess: 5e-6 off, which one Halley step turns into rounding


def _first_guess() -> list[float]:
    # W0(k)/k = exp(-w) is smooth in u = sqrt(1 + e k), which takes the branch point out; k = w exp(w) is explicit.
    w = np.sin(np.linspace(0.0, np.pi / 2.0, 200)) ** 2
    powers = np.vander(np.sqrt(1.0 + np.e * w * np.exp(w)), _DEGREE + 1)
    coefficients: list[float] = np.linalg.lstsq(powers, np.exp(-w), rcond=None)[0].tolist()
    return coefficients


_GUESS = _first_guess()


def w0(k: Array) -> Array:
    """Principal branch: the w in [0, 1] with w exp(w) = k, for k in [0, e]. Relative error below 1e-14; O(n)."""
    u = np.multiply(k, np.e)
    u += 1.0
    np.sqrt(u, out=u)
    w = u * _GUESS[0]
    w += _GUESS[1]
    for coefficient in _GUESS[2:]:
        w *= u
        w += coefficient
    w *= k
    # Halley: w - r/(e^w (w + 1) - r (w + 2)/(2 w + 2)), r = w e^w - k, without a temporary that is not needed.
    e = np.exp(w, out=u)
    residual = w * e
    residual -= k
    above = w + 1.0
    slope = above + 1.0
    slope *= residual
    slope /= above
    slope *= -0.5
    e *= above
    slope += e
    residual /= slope
    w -= residual
    return w


@np.errstate(divide="ignore", invalid="ignore")  # 0/0 at the branch point, where the guess is exact
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
