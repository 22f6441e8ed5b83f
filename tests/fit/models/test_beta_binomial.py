"""Solvability: the posterior of a beta-binomial, against maximisation without its slopes."""

import numpy as np
import pytest
from scipy import optimize, stats

from clear_alloc.fit import fit
from clear_alloc.fit.models.beta_binomial import _loss


def test_the_solvability_is_the_beta_binomial_posterior_mean():
    rng = np.random.default_rng(11)
    k, n = rng.binomial(6, rng.beta(2.0, 1.0, 40)), 6

    def loss(x):
        m, size = 1.0 / (1.0 + np.exp(-x[0])), np.exp(x[1])
        likelihood = stats.betabinom.logpmf(k, n, m * size, (1.0 - m) * size).sum()
        return -(likelihood + 0.5 * np.log(m * (1.0 - m)) + stats.norm.logpdf(x[1], np.log(2.0), 1.5))

    best = optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).x
    m, size = 1.0 / (1.0 + np.exp(-best[0])), np.exp(best[1])
    correct = (np.arange(n) < k[:, None]).ravel()
    fitted = fit({"query_id": np.repeat(np.arange(40), n), "tokens": rng.integers(90, 110, 240), "correct": correct})
    assert fitted.curves.solvability == pytest.approx((k + m * size) / (n + size), rel=1e-3)
    a, b = k + m * size, n - k + (1.0 - m) * size
    assert fitted.report.solvability_error == pytest.approx(stats.beta(a, b).std(), rel=1e-3)


def test_a_pool_all_solved_is_the_beta_binomial_posterior_too():
    def loss(x):
        m, size = 1.0 / (1.0 + np.exp(-x[0])), np.exp(x[1])
        likelihood = 8 * stats.betabinom.logpmf(3, 3, m * size, (1.0 - m) * size)
        return -(likelihood + 0.5 * np.log(m * (1.0 - m)) + stats.norm.logpdf(x[1], np.log(2.0), 1.5))

    best = optimize.minimize(loss, [2.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).x
    m, size = 1.0 / (1.0 + np.exp(-best[0])), np.exp(best[1])
    fitted = fit({"query_id": np.repeat(np.arange(8), 3), "tokens": np.arange(100, 124), "correct": np.ones(24)})
    assert fitted.curves.solvability == pytest.approx((3 + m * size) / (3 + size), abs=1e-4)


def test_slopes_of_the_solvability_likelihood_are_those_of_its_value():
    data = (np.array([0.0, 2.0, 3.0]), np.array([1.0, 5.0, 3.0]), np.array([4.0, 1.0, 2.0]))
    for x in (np.array([0.3, 0.5]), np.array([-2.0, 3.0])):
        numeric = optimize.approx_fprime(x, lambda y: _loss(y, *data)[0], 1e-6)
        assert _loss(x, *data)[1] == pytest.approx(numeric, rel=1e-4)
