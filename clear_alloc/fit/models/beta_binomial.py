"""How likely each query is to be answered right at any length: beta-binomial, shrunk towards the pool."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, expit, psi

from clear_alloc.fit.rollouts import Array

__all__ = ["Solvability", "fit_solvability"]

# Weak priors on the pool, worth about one rollout: they keep a pool of all or none solved inside (0, 1).
_PRIOR_COUNT = 0.5  # pseudo right and pseudo wrong on the pool's mean
_PRIOR_LOG_SIZE = (np.log(2.0), 1.5)  # centre and scale of log(a + b); 2 is the uniform distribution's
_BOUNDS = ((-12.0, 12.0), (-5.0, 9.0))  # logit mean, log(a + b)


@dataclass(frozen=True)
class Solvability:
    """Posterior of each query's chance: Beta(a + right, b + wrong).

    a, b : of the pool's beta distribution.
    mean, error : posterior mean and standard deviation, shape (queries,).
    pool_error : standard errors of the pool's mean and of log(a + b).
    """

    a: float
    b: float
    mean: Array
    error: Array
    pool_error: tuple[float, float]

    @property
    def pool_mean(self) -> float:
        """Mean of the pool, a / (a + b)."""
        return self.a / (self.a + self.b)


def fit_solvability(right: Array, finished: Array) -> Solvability:
    """Shrink right/finished towards the pool; `right` and `finished` are counts of shape (queries,).

    (a, b) maximise the marginal likelihood of the beta-binomial, under the two weak priors above; each query
    gets the posterior mean (right + a)/(finished + a + b), which lies strictly between 0 and 1.
    O(queries log queries). Skellam 1948; Casella 1985 for the empirical Bayes reading.
    """
    from scipy.optimize import minimize  # a third of the package's import time, for fits alone

    (k, n), counts = np.unique(np.stack([right, finished]), axis=1, return_counts=True)
    times = counts.astype(np.float64)
    start = np.array([0.0, _PRIOR_LOG_SIZE[0]])
    result = minimize(_loss, start, (k, n, times), method="L-BFGS-B", jac=True, bounds=_BOUNDS)
    size = float(np.exp(result.x[1]))
    m = float(expit(result.x[0]))
    a, b = m * size, (1.0 - m) * size
    mean = (right + a) / (finished + size)
    covariance = np.linalg.inv(_curvature(result.x, k, n, times))
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    error = np.sqrt(mean * (1.0 - mean) / (finished + size + 1.0))
    return Solvability(a, b, mean, error, (float(m * (1.0 - m) * errors[0]), float(errors[1])))


def _loss(x: Array, right: Array, finished: Array, times: Array) -> tuple[float, Array]:
    m, size = expit(x[0]), np.exp(x[1])
    a, b = m * size, (1.0 - m) * size
    wrong = finished - right
    centre, scale = _PRIOR_LOG_SIZE
    pull = (x[1] - centre) / scale
    value = times @ (betaln(right + a, wrong + b) - betaln(a, b)) - 0.5 * pull**2
    value += _PRIOR_COUNT * (np.log(m) + np.log1p(-m))
    common = psi(size) - psi(finished + size)
    by_a = times @ (psi(right + a) - psi(a) + common)
    by_b = times @ (psi(wrong + b) - psi(b) + common)
    by_logit = m * (1.0 - m) * size * (by_a - by_b) + _PRIOR_COUNT * (1.0 - 2.0 * m)
    by_log_size = a * by_a + b * by_b - pull / scale
    return -float(value), -np.array([by_logit, by_log_size])


def _curvature(x: Array, right: Array, finished: Array, times: Array) -> Array:
    step = 1e-4
    slopes = [_loss(x + h, right, finished, times)[1] for h in (*step * np.eye(2), *-step * np.eye(2))]
    rows: Array = np.asarray(slopes[:2]) - np.asarray(slopes[2:])
    return rows / (2.0 * step)
