"""The shifted surge against the formulas of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import lambertw

import clear_alloc as ca


def test_the_surge_of_the_paper():
    """Wan et al. 2026: alpha (b - tau) exp(-beta (b - tau)) with alpha 1.5, beta 0.005, tau 200; the peak is 110."""
    curves = ca.ShiftedSurge.from_alpha_beta(200, alpha=1.5, beta=0.005)
    x = np.array([0.0, 1.0, 50.0, 199.0, 200.0, 400.0])
    np.testing.assert_allclose(curves.literal((200 + x)[:, None])[:, 0], 1.5 * x * np.exp(-0.005 * x), rtol=1e-14)
    assert curves.top[0] == pytest.approx(1.5 / (0.005 * np.e), rel=1e-14)
    assert curves.peak[0] == 1.0
    assert curves.ceiling.tolist() == [400]
    assert curves.break_even[0] == pytest.approx(200 + (np.sqrt(200**2 + 4 * 200 * 200) - 200) / 2, rel=1e-14)
    # The demand of the paper, tau + (1 - W0(price e / alpha)) / beta.
    price = 0.25
    root = 200 + (1 - lambertw(price * np.e / 1.5).real) / 0.005
    assert curves.demand(price)[0] == pytest.approx(root, rel=1e-14)


def test_alpha_and_beta_of_a_probability():
    curves = ca.ShiftedSurge.from_alpha_beta([100, 300], alpha=0.005, beta=[0.004, 0.01], weight=2)
    np.testing.assert_allclose(curves.peak, 0.005 / (np.array([0.004, 0.01]) * np.e), rtol=1e-14)
    assert curves.weight.tolist() == [2, 2]
    np.testing.assert_allclose(curves.width, [250, 100], rtol=1e-14)


def test_the_literal_curve_falls_again_beyond_the_peak_and_utility_does_not():
    curves = ca.ShiftedSurge(100, 50, 0.8)
    b = np.array([50.0, 100, 120, 150, 151, 300])
    literal, kept = curves.literal(b[:, None])[:, 0], curves.utility(b[:, None])[:, 0]
    np.testing.assert_allclose(literal[:4], kept[:4], rtol=1e-14)
    assert (literal[4:] < 0.8).all()
    assert (kept[4:] == 0.8).all()
    assert literal[5] == pytest.approx(0.8 * 4 * np.exp(-3))
