"""Both branches against scipy's complex function, and where that one ends."""

from __future__ import annotations

import numpy as np
from scipy.special import lambertw

from clear_alloc.curves.special.lambert_w import w0, w_minus_one


def test_w0_is_the_principal_branch():
    k = np.concatenate([[0.0, np.e], np.geomspace(1e-300, np.e, 3000), np.linspace(0, np.e, 3001)])
    np.testing.assert_allclose(w0(k), lambertw(k).real, rtol=1e-13, atol=0)
    assert w0(np.array([0.0]))[0] == 0
    assert (np.diff(w0(np.linspace(0, np.e, 5000))) > 0).all()


def test_w_minus_one_is_the_lower_branch():
    log_k = -1.0 - np.geomspace(1e-2, 650.0, 3000)
    np.testing.assert_allclose(w_minus_one(log_k), -lambertw(-np.exp(log_k), -1).real, rtol=1e-13)


def test_w_minus_one_near_the_branch_point_and_far_beyond_the_reach_of_exp():
    """Near the branch point the error of x is that of log k over the slope 1 - 1/x; that, and no more."""
    v = np.concatenate([[0.0], np.geomspace(1e-14, 1e-2, 500), np.geomspace(1e3, 1e15, 200)])
    x = w_minus_one(-1.0 - v)
    assert x[0] == 1.0
    v = -(-1.0 - v) - 1.0  # as the function sees it
    assert (np.abs(x - np.log(x) - 1.0 - v) <= 1e-15 * np.maximum(1.0, x)).all()
    u = np.sqrt(2 * v[1:100])
    np.testing.assert_allclose(x[1:100] - 1, u + u * u / 3 + u**3 / 36, rtol=1e-8 + 4e-16 / u.min() ** 2)
    assert w_minus_one(np.array([-0.5]))[0] == 1.0  # steeper than the curve ever is
    assert np.isfinite(w_minus_one(np.array([-np.inf])))[0]  # a price of 0
