"""Every family against answers found another way: quadrature, differences, root finding, brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import integer_programme
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from support import strategies, tolerances
from support.columns import COLUMNS, EDGES, RANDOM
from support.laws import examples

import clear_alloc as ca

RNG = np.random.default_rng(1)

SMOOTH = {**RANDOM, **EDGES}

every_smooth = pytest.mark.parametrize("curves", SMOOTH.values(), ids=SMOOTH)

every_random = pytest.mark.parametrize("curves", RANDOM.values(), ids=RANDOM)


def caps_around(curves, points=400):
    """Caps from 0 to beyond the ceiling, dense near the bottom, at the jump and at the start of concavity; (k, n)."""
    share = np.concatenate([[0.0], np.geomspace(1e-9, 1.0, points), np.linspace(0, 1.2, points)])
    beyond = curves.concave_from + share[:, None] * (curves.ceiling - curves.concave_from)
    return np.concatenate([share[:, None] * curves.ceiling, beyond, [curves.break_even]])


@every_smooth
def test_utility_is_the_formula_of_the_design(curves):
    for record, b, value in zip(
        curves.to_records() * 2,
        np.concatenate([1.3 * curves.concave_from + 0.01, 0.6 * curves.ceiling]),
        np.concatenate([curves.utility(1.3 * curves.concave_from + 0.01), curves.utility(0.6 * curves.ceiling)]),
        strict=True,
    ):
        top = integer_programme.utility(record, 2.0**60)
        # A step narrower than the spacing of floats around it makes z or y themselves that uncertain.
        loose = 1e-6 if _is_step(curves) else tolerances.ROUNDING
        assert value == pytest.approx(integer_programme.utility(record, b), rel=loose, abs=tolerances.ROUNDING * top)


@every_smooth
def test_utility_starts_at_zero_never_falls_and_ends_at_the_top(curves):
    caps = np.sort(caps_around(curves), axis=0)
    values = curves.utility(caps)
    assert values.shape == caps.shape
    assert (values[0] == 0).all()
    assert (np.diff(values, axis=0) >= -tolerances.ROUNDING * curves.top).all()
    assert (values <= curves.top * (1 + tolerances.ROUNDING)).all()
    np.testing.assert_allclose(curves.utility(1e60), curves.top, rtol=tolerances.SATURATION)


@every_random
def test_utility_is_the_integral_of_the_marginal(curves):
    for one in (curves[k] for k in range(0, len(curves), 5)):
        low, high = float(one.concave_from[0]), float(one.break_even[0])
        for start, stop in ((0.5 * low, low), (low, high), (high, 2 * high)):
            kinks = [k for k in (low, float(one.ceiling[0])) if start < k < stop]
            area, _ = quad(lambda b, c=one: c.marginal(b)[0], start, stop, points=kinks or None, epsabs=1e-13)
            assert area == pytest.approx(float(np.diff(one.utility([[start], [stop]]), axis=0)[0, 0]), abs=1e-10)


@every_random
def test_marginal_is_the_derivative(curves):
    for share in (0.3, 0.8, 1.2, 2.0):
        b = curves.concave_from + share * (curves.break_even - curves.concave_from)
        h = 1e-5 * b
        slope = (curves.utility(b + h) - curves.utility(b - h)) / (2 * h)
        inside = np.abs(b - curves.ceiling) > 2 * h  # the kink of the shifted surge at its top
        np.testing.assert_allclose(curves.marginal(b)[inside], slope[inside], rtol=1e-6, atol=1e-12)


def test_marginal_is_zero_where_nothing_is_gained():
    surge = ca.ShiftedSurge([100, 100, 0], 50, 0.5)
    assert surge.marginal([99.9, 150, 51]).tolist() == [0, 0, 0]
    assert surge.marginal([100, 100, 0])[0] == pytest.approx(0.5 / 50 * np.e)  # the slope just above the threshold
    assert ca.CumulativeSurge(100, 50, 0.5).marginal([99.0]).tolist() == [0]
    assert ca.LognormalArrival(100, 1, 0.5).marginal([0.0]).tolist() == [0]


@every_smooth
def test_the_reservation_price_is_the_highest_value_per_token(curves):
    price = curves.reservation_price()
    caps = caps_around(curves)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(caps > 0, curves.utility(caps) / caps, 0.0)
    assert (price >= ratio * (1 - 1e-9)).all()
    there = curves.break_even > 0  # a surge from 0 is steepest there: its price is a slope, not a quotient
    best = curves.utility(curves.break_even)[there] / curves.break_even[there]
    # A step narrower than the floats around it has its value at a cap that can't be written down.
    np.testing.assert_allclose(price[there], best, rtol=1e-6 if _is_step(curves) else 1e-9)
    np.testing.assert_allclose(price[~there], curves.marginal(0.0)[~there], rtol=tolerances.ROUNDING)


def _is_step(curves):
    return any(r.get("width", 1.0) < 1e-6 or r.get("spread", 1.0) < 1e-6 for r in curves.to_records())


@every_random
def test_the_reservation_price_agrees_with_a_line_search(curves):
    for k in range(0, len(curves), 3):
        one = curves[k]
        low, high = np.log(one.concave_from[0] + 1e-9), np.log(one.ceiling[0])
        found = minimize_scalar(
            lambda x, c=one: -c.utility(np.exp(x))[0] / np.exp(x), bounds=(low, high), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        assert one.reservation_price()[0] == pytest.approx(-found.fun, rel=1e-9)
        assert one.break_even[0] == pytest.approx(np.exp(found.x), rel=1e-5)


@every_smooth
def test_demand_has_the_highest_surplus(curves):
    caps = caps_around(curves)
    for share in (1e-9, 1e-3, 0.05, 0.3, 0.7, 0.95, 1 - 1e-6, 1 + 1e-6, 1.5, 1e6):
        price = share * curves.reservation_price()
        wanted = curves.demand(price)
        surplus = curves.utility(wanted) - price * wanted
        best = (curves.utility(caps) - price * caps).max(axis=0)
        assert (surplus >= best - 1e-9 * curves.top).all(), share
        assert ((wanted > 0) == (share < 1)).all()
        assert (wanted <= curves.ceiling).all()
        assert (wanted[wanted > 0] >= curves.concave_from[wanted > 0]).all()


@every_random
def test_demand_solves_the_first_order_condition(curves):
    for share in (0.01, 0.3, 0.9):
        price = share * curves.reservation_price()
        wanted = curves.demand(price)
        for k in range(0, len(curves), 4):
            one, p, stop = curves[k], price[k], curves.ceiling[k] * (1 - 1e-12)
            if one.marginal(stop)[0] < p:
                root = brentq(lambda b, c=one, q=p: c.marginal(b)[0] - q, one.concave_from[0], stop, xtol=1e-11)
                assert wanted[k] == pytest.approx(root, rel=1e-10)


@every_smooth
def test_demand_jumps_at_the_reservation_price_and_not_to_zero_width(curves):
    price = curves.reservation_price()
    assert (curves.demand(price) == 0).all()
    below = curves.demand(price * (1 - 1e-13))
    np.testing.assert_allclose(below, curves.break_even, rtol=1e-5, atol=1e-10 * curves.ceiling.max())


@every_smooth
def test_demand_at_price_zero_is_the_ceiling(curves):
    np.testing.assert_array_equal(curves.demand(0.0), curves.ceiling)
    assert (curves.utility(curves.ceiling) >= curves.top * (1 - 2 * tolerances.SATURATION)).all() or (
        curves.ceiling == 2.0**53
    ).any()


@pytest.mark.parametrize("record", [{"family": strategies.SURGE, "threshold": 5, "width": 9, "peak": 0.5},
                                    {"family": strategies.CUMULATIVE, "threshold": 5, "width": 9, "solvability": 0.5},
                                    {"family": strategies.LOGNORMAL, "median": 5, "spread": 0.7, "solvability": 0.5},
                                    {"family": strategies.MENU, "costs": [5, 9.5], "values": [0.1, 0.4]}],
                         ids=lambda record: record["family"])  # fmt: skip
def test_weight_scales_value_and_price_and_nothing_else(record):
    plain, tripled, worthless = (strategies.build([{**record, "weight": w}]) for w in (1.0, 3.0, 0.0))
    caps = np.arange(30.0)[:, None]
    np.testing.assert_allclose(tripled.utility(caps), 3 * plain.utility(caps), rtol=tolerances.ROUNDING)
    np.testing.assert_allclose(tripled.reservation_price(), 3 * plain.reservation_price(), rtol=tolerances.ROUNDING)
    np.testing.assert_allclose(tripled.demand(0.03), plain.demand(0.01), rtol=tolerances.ROUNDING)
    np.testing.assert_array_equal(tripled.emergence, plain.emergence if record["family"] != strategies.MENU else [5])
    assert (worthless.utility(caps) == 0).all()
    assert worthless.reservation_price().tolist() == [0]
    assert worthless.demand(0.0).tolist() == worthless.demand(1.0).tolist() == [0]


@given(st.lists(strategies.any_records(), min_size=1, max_size=4), st.floats(0, 1), st.floats(0, 1))
@examples(150)
def test_dearer_tokens_are_never_wanted_more(records, p, q):
    """Exact up to rounding of one cap: demand falls as the price rises, query by query."""
    curves = strategies.build(records)
    low, high = sorted((p, q))
    more, less = curves.demand(low * 0.05), curves.demand(high * 0.05)
    assert (less <= more * (1 + tolerances.ROUNDING)).all()


every_column = pytest.mark.parametrize("curves", COLUMNS.values(), ids=COLUMNS)

INDICES = [
    *(slice(1, 4), slice(None, None, -1), slice(3, 3)),
    *(4, -1, np.int64(3), [2], np.array([5, 0, 0, -1]), [], np.array([], dtype=int)),
    *(np.array([True, False, True, False, False, False, True]), [False] * 7),
]


@every_column
@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indexing_picks_rows_and_every_answer_follows(curves, index):
    assert len(curves) == 7
    chosen = curves[index]
    rows = np.atleast_1d(
        np.arange(7)[np.asarray(index, dtype=int) if isinstance(index, list) and index == [] else index]
    )
    assert len(chosen) == len(rows)
    assert chosen.to_records() == [curves.to_records()[k] for k in rows]
    for answer in (lambda c: c.utility(700.0), lambda c: c.demand(1e-4), lambda c: c.reservation_price(),
                   lambda c: c.ceiling, lambda c: c.emergence, lambda c: c.weight):  # fmt: skip
        np.testing.assert_array_equal(answer(chosen), answer(curves)[rows])
    np.testing.assert_array_equal(chosen.cost(np.arange(len(rows))), np.arange(len(rows)))


def test_scalars_are_repeated_to_the_common_length():
    curves = ca.CumulativeSurge(threshold=[1, 2, 3], width=5, solvability=0.5, weight=[1, 2, 3])
    assert curves.width.tolist() == [5, 5, 5]
    assert curves.top.tolist() == [0.5, 1.0, 1.5]
    with pytest.raises(ValueError, match="read-only"):
        curves.threshold[0] = 7


def test_the_caller_s_array_is_copied():
    threshold = np.array([1.0, 2.0])
    curves = ca.ShiftedSurge(threshold, 5, 0.5)
    threshold[0] = 100.0
    assert curves.threshold.tolist() == [1, 2]
