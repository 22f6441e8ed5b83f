"""The cumulative surge against its density and against draws of its lengths."""

from __future__ import annotations

import numpy as np
import pytest
from support.strategies import CUMULATIVE, draws

import clear_alloc as ca
from clear_alloc.curves.cumulative_surge import relative_break_even


def test_the_density_is_the_surge():
    curves, caps = ca.CumulativeSurge(200, 50, 0.8), np.array([210.0, 250, 300, 600])[:, None]
    y = (caps[:, 0] - 200) / 50
    np.testing.assert_allclose(curves.marginal(caps)[:, 0], 0.8 / 50 * y * np.exp(-y), rtol=1e-14)
    assert curves.concave_from.tolist() == [250]


def test_the_break_even_solves_its_equation():
    ratio = np.concatenate([[0.0, 1e-12], np.geomspace(1e-6, 1e12, 400)])
    y = relative_break_even(ratio)
    np.testing.assert_allclose(np.expm1(y) / y - 1.0 - y, ratio, rtol=1e-11, atol=1e-12)
    assert (np.diff(y) >= 0).all()


def test_moments_are_those_of_drawn_lengths():
    """A length is the threshold and a gamma of shape 2; four standard errors of 400,000 draws."""
    lengths = 100 + np.random.default_rng(1).gamma(2.0, 40.0, 400_000)
    curves = ca.CumulativeSurge(100, 40, 0.6)
    for cap in (120.0, 180.0, 300.0, 1e4):
        burned = np.minimum(lengths, cap)
        away = burned - burned.mean()
        error = away.std() / np.sqrt(len(burned))
        assert curves.expected_cost(cap)[0] == pytest.approx(burned.mean(), abs=4 * error)
        assert curves.deviation(cap)[0] == pytest.approx(away.std(), rel=0.01)
        assert curves.third_moment(cap)[0] == pytest.approx((away**3).mean(), rel=0.05, abs=1.0)


def test_the_hazard_rises_all_the_way():
    """So under expected accounting a query is run to its end or not at all."""
    curves = draws(CUMULATIVE, 9, np.random.default_rng(2))
    caps = np.linspace(0, 1, 200)[:, None] * curves.ceiling
    assert (np.diff(curves.hazard_value(caps), axis=0) >= 0).all()
    demand = curves.demand(0.5 * curves.reservation_price("expected"), "expected")
    np.testing.assert_array_equal(demand, curves.ceiling)
