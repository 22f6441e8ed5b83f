"""Integrals over a query's log median when some of its rollouts only say `longer than the cap`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from clear_alloc.fit.rollouts import Array, Ints

__all__ = ["Caps", "censored_moments"]

# Seven Gauss-Legendre nodes on either side of the mode, out to 4.5 of that side's own standard deviations:
# of half a normal they miss 3e-6 of its mass and 6e-5 of its variance.
_SIDE, _SIDE_WEIGHTS = np.polynomial.legendre.leggauss(7)
_REACH = 4.5
_OUT = 0.5 * _REACH * (_SIDE + 1.0)
_LOG_WEIGHTS = np.log(np.tile(0.5 * _REACH * _SIDE_WEIGHTS, 2) / np.sqrt(2.0 * np.pi))
_NEWTON_STEPS = 5
_LEAST_FALL = 0.05  # should the mode be off, a side is taken as at most some three times its first guess
_LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True)
class Caps:
    """Distinct caps that stopped a rollout, sorted by query.

    query, start : shape (censored queries,); which query it is, and where its caps begin.
    owner, log_cap, times : shape (caps,); position in `query`, log token, how often the query ran into it.
    """

    query: Ints
    start: Ints
    owner: Ints
    log_cap: Array
    times: Array

    def total(self, values: Array) -> Array:
        """Sum over each query's caps, along the first axis."""
        return values if self.one_each else np.add.reduceat(values, self.start, axis=0)

    def each(self, values: Array) -> Array:
        """One entry per cap from one per query, along the first axis."""
        return values if self.one_each else values[self.owner]

    @property
    def one_each(self) -> bool:
        """No query has two different caps: the usual case, in which sums and copies can be spared."""
        return len(self.owner) == len(self.query)


def censored_moments(mean: Array, precision: Array, spread: Array, caps: Caps) -> tuple[Array, Array, Array]:
    """Condition mu ~ Normal(mean, 1/precision) on every censored length passing its cap.

    mean, precision, spread : shape (censored queries, nodes); log lengths are Normal(mu, spread^2).
    Returns log probability of the event, and the mean and variance of mu given it, all of that shape.
    Gauss-Legendre on both sides of the mode; the integrand is log-concave. O(caps x nodes).
    """
    mode, left, right = _two_sides(mean, precision, spread, caps)
    offset = np.concatenate([-left[..., None] * _OUT, right[..., None] * _OUT], axis=-1)
    mu = mode[..., None] + offset
    z = (caps.log_cap[:, None, None] - caps.each(mu)) / caps.each(spread)[..., None]
    survival = caps.total(caps.times[:, None, None] * log_ndtr(-z))
    prior = 0.5 * np.log(precision)[..., None] - 0.5 * precision[..., None] * (mu - mean[..., None]) ** 2
    reach = np.repeat(np.log(np.stack([left, right], axis=-1)), len(_OUT), axis=-1)
    log_terms = _LOG_WEIGHTS + reach + prior + survival
    top = log_terms.max(axis=-1, keepdims=True)
    weight = np.exp(log_terms - top)
    total = weight.sum(axis=-1)
    weight /= total[..., None]
    centre = (weight * mu).sum(axis=-1)
    variance = (weight * (mu - centre[..., None]) ** 2).sum(axis=-1)
    return top[..., 0] + np.log(total), centre, variance


def _two_sides(mean: Array, precision: Array, spread: Array, caps: Caps) -> tuple[Array, Array, Array]:
    """The mode, and how far the density reaches below and above it, each as a normal's standard deviation."""
    # Caps cut the left side steeply and leave the right to the prior: one curvature for both sides would
    # place the nodes in a third of the mass. So each side is measured by its own fall.
    mode, curvature = _mode(mean, precision, spread, caps)
    left, right = 1.0 / np.sqrt(curvature), 1.0 / np.sqrt(precision)
    peak = _log_density(mode, mean, precision, spread, caps)
    below = peak - _log_density(mode - left, mean, precision, spread, caps)
    above = peak - _log_density(mode + right, mean, precision, spread, caps)
    left, right = (
        side / np.sqrt(2.0 * np.maximum(fall, _LEAST_FALL)) for side, fall in ((left, below), (right, above))
    )
    return mode, left, right


def _log_density(mu: Array, mean: Array, precision: Array, spread: Array, caps: Caps) -> Array:
    z = (caps.log_cap[:, None] - caps.each(mu)) / caps.each(spread)
    return caps.total(caps.times[:, None] * log_ndtr(-z)) - 0.5 * precision * (mu - mean) ** 2


def _mode(mean: Array, precision: Array, spread: Array, caps: Caps) -> tuple[Array, Array]:
    # The slope -(mu - mean) precision + sum hazard/spread falls and is convex in mu, so that Newton's method
    # from the left end, the uncensored mean, climbs to its root without ever passing it.
    mode, width = mean, caps.each(spread)
    for step in range(_NEWTON_STEPS + 1):
        z = (caps.log_cap[:, None] - caps.each(mode)) / width
        hazard = np.exp(-0.5 * z * z - _LOG_SQRT_2PI - log_ndtr(-z))
        pull = caps.total(caps.times[:, None] * hazard / width)
        bend = np.maximum(hazard * (hazard - z), 0.0) / width**2
        curvature = precision + caps.total(caps.times[:, None] * bend)
        if step < _NEWTON_STEPS:
            mode = mode + (pull - (mode - mean) * precision) / curvature
    return mode, curvature
