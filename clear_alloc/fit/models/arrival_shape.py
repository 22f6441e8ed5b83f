"""The shape of a surge in relative tokens, pooled over all right answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from clear_alloc.fit.rollouts import Array

__all__ = ["RISES", "Shape", "arrivals", "fit_shape"]

_LEVELS = (np.arange(199) + 0.5) / 199  # of what was seen: every arrival counts the same
PRIOR_ARRIVALS = 3.0
_PRIOR_Z = ndtri((np.arange(15) + 0.5) / 15)


def _cumulative(y: Array) -> Array:
    return 1.0 - (1.0 + y) * np.exp(-y)


def _shifted(y: Array) -> Array:
    return np.minimum(y, 1.0) * np.exp(1.0 - np.minimum(y, 1.0))


# Share of the right answers that arrived by threshold + y width, y >= 0.
RISES: dict[str, Callable[[Array], Array]] = {"shifted_surge": _shifted, "cumulative_surge": _cumulative}


@dataclass(frozen=True)
class Shape:
    """threshold = `threshold` x median and width = `width` x median; `rmse` of the share that arrived."""

    threshold: float
    width: float
    rmse: float


def arrivals(length: Array, stopped: Array, chance_right: Array, spread: float) -> tuple[Array, Array]:
    """Lengths, and the shares of the right answers that have arrived by them; both of shape (199,).

    length : of right rollouts, in medians, shape (right,).
    stopped : caps of the stopped rollouts, in medians, shape (stopped,).
    chance_right : that a stopped rollout is a right answer yet to come, shape (stopped,).
    spread : of the log-normal that counts as PRIOR_ARRIVALS more answers, so that few answers make no step.

    Kaplan & Meier 1958, with weights; shares end at the largest that the caps let be seen.
    O(rollouts log rollouts).
    """
    expected = np.exp(spread * _PRIOR_Z)
    share = np.full(len(expected), PRIOR_ARRIVALS / len(expected))
    at = np.concatenate([length, expected, stopped])
    event = np.arange(len(at)) < len(length) + len(expected)
    weight = np.concatenate([np.ones(len(length)), share, chance_right])
    order = np.lexsort((~event, at))  # at a tie the answer comes before the cap
    at, event, weight = at[order], event[order], weight[order]
    waiting = np.cumsum(weight[::-1])[::-1]
    arrived = 1.0 - np.cumprod(1.0 - event * weight / waiting)
    shares = arrived[-1] * _LEVELS
    return at[np.searchsorted(arrived, shares)], shares


def fit_shape(family: str, quantiles: Array, shares: Array) -> Shape:
    """Threshold and width, in medians, by least squares on the share that arrived. O(1)."""
    from scipy.optimize import least_squares  # a third of the package's import time, for fits alone

    rise = RISES[family]
    low, middle, high = quantiles[[len(quantiles) // 4, len(quantiles) // 2, -len(quantiles) // 4]]
    unit = max(high - low, 1e-9 * middle)
    z = (quantiles - middle) / unit

    def residuals(x: Array) -> Array:
        return rise(np.maximum(z - x[0], 0.0) / np.exp(x[1])) - shares

    # No threshold lies below the first token, and one beyond every arrival would have no slope to follow.
    bounds = ([-middle / unit, -10.0], [max(float(z[-1]), -0.5 * middle / unit), 10.0])
    start = np.clip([-1.0, 0.0], *bounds)
    found = least_squares(residuals, start, bounds=bounds)
    threshold, width = middle + unit * found.x[0], unit * np.exp(found.x[1])
    return Shape(max(float(threshold), 0.0), float(width), float(np.sqrt(np.mean(found.fun**2))))
