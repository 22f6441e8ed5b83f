"""Log-normal lengths under expected accounting: moments, hazards and entry prices against scipy, row by row."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, ndtr
from scipy.stats import norm
from support.spreads import SPREADS, one_by_one

import clear_alloc as ca
from clear_alloc.curves.special.normal_hazard import FAR


def curves_of(n=240, seed=4):
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.uniform(np.log(1e-3), np.log(20), n))
    spread[: len(SPREADS)] = SPREADS
    median = 10.0 ** rng.uniform(-1, 7, n)
    return ca.LognormalArrival(median, spread, rng.uniform(0.05, 1, n), rng.uniform(0.1, 3, n)), rng


@pytest.mark.parametrize("method", ["expected_cost", "expected_square", "deviation", "third_moment", "hazard_value"])
def test_neighbours_never_change_a_moment(method):
    """Exact: alone, in a column, in a slice and in a table of several caps each."""
    curves, rng = curves_of()
    caps = np.floor(curves.median * np.exp(curves.spread * rng.uniform(-4, 4, (3, len(curves)))).clip(0, 1e9))
    caps[0, ::7] = 0.0
    table = getattr(curves, method)(caps)
    assert np.isfinite(table).all()
    for row, own in zip(table, caps, strict=True):
        assert (getattr(curves, method)(own) == row).all()
        assert (one_by_one(lambda c, x: getattr(c, method)(x), curves, own) == row).all()
        assert (getattr(curves[7:90], method)(own[7:90]) == row[7:90]).all()


def moments_by_quadrature(median, spread, cap):
    """Mean, square and third central moment of min(length, cap), in units of the cap."""
    end = np.log(cap / median) / spread

    def integral(act):
        def inner(z):
            return act(np.exp(min(spread * (z - end), 0.0))) * norm.pdf(z)

        inside = [end - 1 / spread, end - 8 / spread, end - 30 / spread, -7.0, -3.0, 0.0, 3.0, 7.0, end]
        inside = sorted({float(np.clip(x, -38, 38)) for x in inside} | {-38.0, 38.0})
        return sum(quad(inner, a, b, epsabs=1e-16, epsrel=1e-11, limit=200)[0] for a, b in pairwise(inside))

    mean, square = integral(lambda x: x), integral(lambda x: x * x)
    return mean, square, integral(lambda x: (x - mean) ** 3)


@pytest.mark.parametrize("spread", [0.01, 0.05, 0.3, 1.0, 2.5, 8.0, 20.0])
@pytest.mark.parametrize("end", [-3.5, -1.0, 0.0, 1.0, 3.0])
def test_moments_are_those_of_quadrature(spread, end):
    median = 700.0
    cap = median * np.exp(spread * end)
    curves = ca.LognormalArrival(median, spread, 0.6)
    mean, square, third = moments_by_quadrature(median, spread, cap)
    # Raw moments tell central ones to their rounding: 1e-12 of the cap, more of it at small spreads.
    rounding = 1e-12 * max(1.0, 0.1 / spread)
    assert curves.expected_cost(cap)[0] / cap == pytest.approx(mean, rel=rounding)
    assert curves.expected_square(cap)[0] / cap**2 == pytest.approx(square, rel=rounding)
    assert (curves.deviation(cap)[0] / cap) ** 2 == pytest.approx(max(square - mean**2, 0.0), abs=4 * rounding)
    assert curves.third_moment(cap)[0] / cap**3 == pytest.approx(third, rel=1e-9, abs=10 * rounding)


@pytest.mark.parametrize("median", [1e-12, 1e-3, 1.0, 2.0**53])
@pytest.mark.parametrize("spread", [1e-9, 0.5, 20.0])
def test_extreme_lengths_have_finite_moments_in_their_order(median, spread):
    curves = ca.LognormalArrival(median, spread, 1.0)
    caps = np.concatenate([[0.0], np.geomspace(1e-9, 2.0**53, 60)])[:, None]
    mean, square = curves.expected_cost(caps), curves.expected_square(caps)
    for moment in (mean, square, curves.deviation(caps), curves.third_moment(caps)):
        assert np.isfinite(moment).all()
        assert moment[0] == 0.0
    assert ((mean >= 0) & (mean <= caps)).all()
    assert (np.diff(mean, axis=0) >= -1e-12 * caps[1:]).all()
    assert (square >= mean**2 * (1 - 1e-9)).all()


@pytest.mark.parametrize("spread", [16.0, 17.9, 18.0, 20.0])
def test_the_square_of_long_lengths_is_exact_where_its_factors_leave_the_floats(spread):
    median, cap = 2.0**52, 2.0**53
    _, square, _ = moments_by_quadrature(median, spread, cap)
    found = ca.LognormalArrival(median, spread, 1.0).expected_square(cap)[0] / cap**2
    assert found == pytest.approx(square, rel=1e-9)
    later = ndtr(-np.log(2.0) / spread)
    assert found - later == pytest.approx(square - later, rel=1e-6)


def test_a_worthless_query_has_a_demand_at_any_price():
    curves = ca.LognormalArrival(500.0, [0.05, 0.5, 5.0], 0.5, 0.0)
    for price in (0.0, 1e-300, 1.0):
        caps = curves.inverse_hazard(price)
        assert ((caps >= curves.hazard_peak * (1 - 1e-12)) & (caps <= curves.ceiling)).all()
    assert (curves.demand(0.0, "expected") == 0.0).all()


def test_a_narrow_spread_is_a_step():
    curves = ca.LognormalArrival(500.0, 1e-9, 1.0)
    assert curves.expected_cost([100.0, 499.0, 501.0, 9e5]) == pytest.approx([100.0, 499.0, 500.0, 500.0], rel=1e-8)
    assert curves.third_moment([100.0, 9e5])[0] == pytest.approx(0.0, abs=1e-9)


def test_far_caps_burn_the_whole_mean():
    spread = np.array([0.1, 0.5, 1.0, 1.5])
    curves = ca.LognormalArrival(100.0, spread, 1.0)
    far = np.full(4, 2.0**53)
    assert curves.expected_cost(far) == pytest.approx(100.0 * np.exp(0.5 * spread**2), rel=1e-12)
    lengths = [norm_third(100.0, s) for s in spread]
    assert curves.third_moment(far)[2:] == pytest.approx(lengths[2:], rel=1e-3)


def norm_third(median, spread):
    grown = np.exp(spread * spread)
    return (median * np.exp(0.5 * spread**2)) ** 3 * (grown - 1) ** 2 * (grown + 2)


def value_per_token(z, spread, cap_at):
    """Value over expected cost of a cap z deviations beyond a median of 1, with solvability 1."""
    cap = min(np.exp(spread * z), cap_at)
    z = np.log(cap) / spread
    ended = np.exp(0.5 * spread * spread + log_ndtr(z - spread)) if spread < 30 else 0.0
    return ndtr(z) / min(ended + cap * ndtr(-z), cap)


@pytest.mark.parametrize("spread", [*SPREADS, 0.12, 0.14, 0.155, 0.162, 0.18, 0.25, 3.0, 14.0])
def test_the_entry_price_is_the_best_of_a_line_search(spread):
    most = min(np.exp(FAR * spread), 2.0**53 / 300.0)
    grid = np.linspace(-24.0, FAR, 3_001)
    values = [value_per_token(z, spread, most) for z in grid]
    best = int(np.argmax(values))
    ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    fine = minimize_scalar(
        lambda z: -value_per_token(z, spread, most), bounds=ends, method="bounded", options={"xatol": 1e-10}
    )
    highest = max(-fine.fun, values[best])
    curves = ca.LognormalArrival(300.0, spread, 0.7, 1.5)
    # A spread of 1e-9 leaves seven digits of log cap - log median.
    rounding = 1e-10 if spread > 1e-5 else 1e-7
    assert curves.reservation_price("expected")[0] * 300.0 / 1.05 == pytest.approx(highest, rel=rounding)


def test_the_likely_run_is_a_good_guess():
    """It is where the search for the entry price begins: what it is worth per token is nearly the best."""
    spread = np.geomspace(1e-4, 20.0, 400)
    curves = ca.LognormalArrival(300.0, spread, 0.7)
    run = curves.likely_run
    worth = curves.utility(run) / curves.expected_cost(run)
    best = curves.reservation_price("expected")
    assert (worth <= best * (1 + 1e-12)).all()
    assert (worth >= best * (1 - 1e-6)).all()
    long = ca.LognormalArrival(2.0**53, spread, 0.7)
    assert (long.likely_run <= long.ceiling).all()


@pytest.mark.parametrize("spread", [0.05, 0.158, 0.2, 0.7, 1.5, 6.0, 20.0])
def test_demand_is_where_the_hazard_is_the_price(spread):
    curves = ca.LognormalArrival(900.0, spread, 0.8, 2.0)
    (peak,) = curves.hazard_peak
    (highest,) = curves.hazard_value(peak)
    prices = highest * np.array([1.0, 1.0 - 1e-9, 0.99, 0.5, 0.1, 1e-3, 1e-9, 0.0, 1.1, 1e30])[:, None]
    caps = curves.inverse_hazard(prices)[:, 0]
    assert ((caps >= peak * (1 - 1e-12)) & (caps <= curves.ceiling[0])).all()
    inside = (caps > peak * (1 + 1e-5)) & (caps < curves.ceiling[0] * (1 - 1e-9))
    assert curves.hazard_value(caps[inside]) == pytest.approx(prices[inside, 0], rel=1e-9)
    assert caps[-1] == pytest.approx(peak, rel=1e-9)
    assert caps[7] == curves.ceiling[0]
    assert (np.diff(caps[:8]) >= 0).all()


def test_neighbours_never_change_an_entry_price():
    curves, _ = curves_of()
    prices = curves.reservation_price("expected")
    assert (one_by_one(lambda c: c.reservation_price("expected"), curves) == prices).all()


def test_neighbours_change_an_entry_price_by_rounding_alone():
    curves, _ = curves_of()
    prices = curves.reservation_price("expected")
    alone = one_by_one(lambda c: c.reservation_price("expected"), curves)
    assert alone == pytest.approx(prices, rel=2e-12)
