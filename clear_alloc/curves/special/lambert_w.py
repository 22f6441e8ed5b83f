"""The two real branches of the Lambert W function on the intervals that demand needs.

Real-valued and vectorised; `scipy.special.lambertw` is complex and about ten times slower.
Corless et al. 1996 for the function; Winitzki 2003 and Chatzigeorgiou 2013 for the first guesses.
"""

from __future__ import annotations

import numpy as np

from clear_alloc.support.types import Array

__all__ = ["w0", "w_minus_one"]


_DEGREE = 7  # of the first guess: 5e-6 off, which one Halley step turns into rounding


def _first_guess() -> list[float]:
    # W0(k)/k = exp(-w) is smooth in u = sqrt(1 + e k), which takes the branch point out; k = w exp(w) is explicit.
    w = np.sin(np.linspace(0.0, np.pi / 2.0, 200)) ** 2
    powers = np.vander(np.sqrt(1.0 + np.e * w * np.exp(w)), _DEGREE + 1)
    coefficients: list[float] = np.linalg.lstsq(powers, np.exp(-w), rcond=None)[0].tolist()
    return coefficients


_GUESS = _first_guess()


def _polynomial(coefficients: list[float], at: Array) -> Array:
    """Highest power first, by Horner's scheme in one array."""
    value = at * coefficients[0]
    value += coefficients[1]
    for coefficient in coefficients[2:]:
        value *= at
        value += coefficient
    return value


def w0(k: Array) -> Array:
    """Principal branch: the w in [0, 1] with w exp(w) = k, for k in [0, e]. Relative error below 1e-14; O(n)."""
    u = np.multiply(k, np.e)
    u += 1.0
    np.sqrt(u, out=u)
    w = _polynomial(_GUESS, u)
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


_HALF = 8.0  # of u, in s below
_FAR = 2_900.0  # log k beyond it is nearly x already


def _second_guess() -> list[float]:
    # x = 1 + u + u^2 r with u = sqrt(2 (x - 1 - log x)); r falls from 1/2 far out to 1/3 at the branch point, and is
    # smooth in s = 1/(1 + u/8). Weighted so that x is 6e-7 off at most.
    beyond = np.geomspace(1e-2, 3_200.0, 400)
    u = np.sqrt(2.0 * (beyond - np.log1p(beyond)))
    weight = u * u / (1.0 + beyond)
    powers = np.vander(_HALF / (_HALF + u), _DEGREE + 1)
    target = weight * (beyond - u) / (u * u)
    coefficients: list[float] = np.linalg.lstsq(powers * weight[:, None], target, rcond=None)[0].tolist()
    return coefficients


_GUESS_BELOW = _second_guess()


def w_minus_one(log_k: Array) -> Array:
    """Minus the lower branch: the x >= 1 with x exp(-x) = k, given log k <= -1. Relative error below 1e-14; O(n).

    The logarithm is the argument because k underflows long before x is large.
    """
    v = np.clip(-log_k - 1.0, 0.0, 1e16)  # 1e16 stands for a price of 0
    u = np.sqrt(2.0 * v)
    s = u + _HALF
    np.divide(_HALF, s, out=s)
    x = _polynomial(_GUESS_BELOW, s)
    x *= u
    x += 1.0
    x *= u
    x += 1.0
    v += 1.0
    far = v > _FAR
    if far.any():
        beyond = v[far]
        x[far] = beyond + np.log(beyond + np.log(beyond))
    # Halley on h(x) = x - log x - (1 + v); at the branch point, where h and its slope vanish, the guess is exact.
    h = x - np.log(x)
    h -= v
    slope = 1.0 - 1.0 / x
    bend = h / (x * x)
    bend *= 0.5
    h *= slope
    slope *= slope
    slope -= bend
    h /= np.maximum(slope, 1e-300, out=slope)
    x -= h
    return np.maximum(x, 1.0, out=x)
