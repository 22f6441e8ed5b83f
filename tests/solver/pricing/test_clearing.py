"""The clearing price: its bracket, its laws, and the multipliers that other solvers find."""

from __future__ import annotations

import sys

import cvxpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from support import strategies, tolerances
from support.laws import examples

import clear_alloc as ca
from clear_alloc.solver.pricing.clearing import Status, clearing_price
from clear_alloc.solver.pricing.sampled import sampled_clearing

NO_CAP = 2.0**53


@given(strategies.markets())
@examples(100)
def test_demand_fits_at_the_price_and_exceeds_the_budget_just_below(case):
    records, budget = case
    curves = strategies.build(records)
    clearing = clearing_price(strategies.market_of(curves), budget)
    wanted = np.ceil(curves.demand(clearing.price)) if (curves.demand(clearing.price) % 1 == 0).all() else None
    demand = strategies.market_of(curves).total_demand(clearing.price)
    assert demand <= budget
    if wanted is not None:
        assert wanted.sum() == pytest.approx(demand)
    if clearing.status is Status.SLACK:
        assert clearing.price == clearing.low == 0
    else:
        assert strategies.market_of(curves).total_demand(clearing.low) > budget
        assert clearing.low < clearing.price <= clearing.low * (1 + 2 * tolerances.PRICE_GRID) + 1e-300


@given(strategies.tied(), st.integers(0, 5000), st.integers(0, 5000))
@examples(120)
def test_the_price_never_rises_with_the_budget(records, one, other):
    """Exact, to the last bit, ties and jumps included: the bracket is a pair of fixed neighbours."""
    curves = strategies.build(records)
    low, high = sorted((one, other))
    assert ca.allocate(curves, high).price <= ca.allocate(curves, low).price


@pytest.mark.slow
def test_the_price_never_rises_along_a_whole_sweep():
    rng = np.random.default_rng(3)
    for family in strategies.FAMILIES:
        curves = strategies.column(family, 40, rng)
        curves = ca.concatenate([curves, curves[:20]])
        prices = [clearing_price(strategies.market_of(curves), budget).price for budget in range(0, 90_000, 310)]
        assert (np.diff(prices) <= 0).all()
        highest = strategies.market_of(curves).highest_price
        assert highest <= prices[0] <= highest * (1 + tolerances.PRICE_GRID)


@given(strategies.tied())
@examples(100)
def test_the_price_is_zero_exactly_when_the_budget_covers_every_ceiling(records):
    """Exact, in real tokens: rounding caps up may still leave a price of 0 with somebody short of a token."""
    curves = strategies.build(records)
    costs = zip(curves.ceiling, records, strict=True)
    needed = float(np.sum([np.ceil(c) if r["family"] == strategies.MENU else c for c, r in costs]))
    ample = ca.allocate(curves, np.ceil(needed * (1 + tolerances.ROUNDING)) + len(records))
    assert ample.price == 0
    assert ample.status is Status.SLACK
    assert ample.utility == pytest.approx(
        curves.utility(1e60).sum(), rel=2 * tolerances.SATURATION, abs=tolerances.ROUNDING
    )
    scarce = np.floor(needed * (1 - tolerances.ROUNDING)) - 1
    if scarce >= 0 and (curves.weight > 0).all():
        result = ca.allocate(curves, scarce)
        assert result.price > 0
        assert result.status is Status.CLEARED


def test_the_statuses():
    curves = ca.ShiftedSurge([100, 200], 50, 0.5)
    assert clearing_price(strategies.market_of(curves[:0]), 5).status is Status.EMPTY
    assert clearing_price(strategies.market_of(curves), 400).status is Status.SLACK
    assert clearing_price(strategies.market_of(curves), 399).status is Status.CLEARED
    assert all(len(status.value) > 10 for status in Status)


def test_identical_concave_queries_pay_the_slope_of_an_equal_share():
    for n, share in ((1, 0.3), (7, 0.01), (7, 0.9), (100, 0.5)):
        curves = ca.ShiftedSurge(np.zeros(n), 1000, 0.8)
        found = clearing_price(strategies.market_of(curves), n * 1000 * share).price
        assert found == pytest.approx(0.8 / 1000 * (1 - share) * np.exp(1 - share), rel=1e-11)


@pytest.mark.parametrize("seed", range(4))
def test_scipy_finds_the_same_multiplier_where_the_problem_is_concave(seed):
    rng = np.random.default_rng(seed)
    n = 6
    curves = ca.ShiftedSurge(np.zeros(n), rng.uniform(50, 400, n), rng.uniform(0.2, 1, n), rng.uniform(0.5, 2, n))
    budget = int(rng.uniform(0.2, 0.8) * curves.ceiling.sum())
    scale = budget / n
    solved = minimize(
        lambda x: -curves.utility(x * scale).sum(),
        np.full(n, 0.9),
        jac=lambda x: -curves.marginal(x * scale) * scale,
        bounds=[(0, stop / scale) for stop in curves.ceiling],
        constraints={"type": "eq", "fun": lambda x: x.sum() - n, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    inside = solved.x > 1e-6
    slopes = curves.marginal(solved.x * scale)[inside]
    clearing = clearing_price(strategies.market_of(curves), budget)
    np.testing.assert_allclose(slopes, clearing.price, rtol=1e-5)
    assert np.median(slopes) == pytest.approx(clearing.price, rel=2e-6)
    bound = strategies.market_of(curves).dual_bound(clearing.price, budget)
    assert -solved.fun == pytest.approx(bound, rel=1e-4)  # the bound is that of whole tokens, a little tighter
    assert -solved.fun >= bound - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_cvxpy_finds_the_same_price_and_bound_for_menus(seed):
    """The price of a menu market is the multiplier of the linear relaxation, its bound the relaxation's value."""
    rng = np.random.default_rng(seed)
    n, k = 12, 4
    costs, values = rng.integers(1, 200, (n, k)), rng.uniform(0, 1, (n, k))
    budget = int(rng.uniform(0.1, 0.6) * costs.max(axis=1).sum())
    share = cvxpy.Variable((n, k), nonneg=True)
    pool = cvxpy.sum(cvxpy.multiply(costs, share)) <= budget
    problem = cvxpy.Problem(
        cvxpy.Maximize(cvxpy.sum(cvxpy.multiply(values, share))), [cvxpy.sum(share, axis=1) <= 1, pool]
    )
    problem.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    market = strategies.market_of(ca.Menu(costs, values))
    clearing = clearing_price(market, budget)
    assert clearing.price == pytest.approx(float(pool.dual_value), rel=1e-6)
    assert market.dual_bound(clearing.price, budget) == pytest.approx(problem.value, rel=1e-9)


@pytest.mark.parametrize("family", strategies.FAMILIES)
@pytest.mark.parametrize(("floor", "ceiling"), [(0, NO_CAP), (50, NO_CAP), (0, 600), (50, 1500)])
def test_floors_and_ceilings_are_part_of_the_demand(family, floor, ceiling):
    curves = strategies.column(family, 30, np.random.default_rng(5))
    market = strategies.market_of(curves, floor, ceiling)
    budget = 3_000 + market.total_floor
    clearing = clearing_price(market, budget)
    assert market.total_demand(clearing.price) <= budget < market.total_demand(clearing.low)
    assert market.total_demand(clearing.price) >= max(market.total_floor, 30 * floor)
    if family != strategies.MENU:
        wanted = market.divisible.demand(clearing.price)
        assert (wanted >= floor).all()
        assert (wanted <= max(ceiling, floor)).all()


@pytest.mark.parametrize("family", [*strategies.FAMILIES, "mixed"])
def test_a_sample_of_a_large_market_guides_the_search_and_changes_nothing(monkeypatch, family):
    """Exact: the price is the same to the last bit whether a sample pointed to it or not, and however wrongly."""
    rng = np.random.default_rng(12)
    columns = [strategies.column(one, 150, rng) for one in (strategies.FAMILIES if family == "mixed" else [family])]
    curves = ca.concatenate([*columns, columns[0][:60]])
    module = sys.modules["clear_alloc.solver.pricing.clearing"]
    found = 0
    for floor, budget in ((0, 20), (0, 9_000), (0, 60_000), (0, 200_000), (25, 60_000)):
        if floor and family in (strategies.MENU, "mixed"):
            continue
        plain = clearing_price(strategies.market_of(curves, floor), budget)
        with monkeypatch.context() as patch:
            patch.setattr(module, "SAMPLED_FROM", 10)
            for size, doubts in ((4_000, (0.02, 0.2)), (64, (0.02, 0.2)), (3, (1e-6, 0.5)), (3, (0.9,))):
                patch.setattr(sys.modules["clear_alloc.solver.pricing.sampled"], "_SAMPLE", size)
                patch.setattr(sys.modules["clear_alloc.solver.pricing.sampled"], "_DOUBTS", doubts)
                found += sampled_clearing(strategies.market_of(curves, floor), budget) is not None
                guided = clearing_price(strategies.market_of(curves, floor), budget)
                assert (guided.price, guided.low, guided.status) == (plain.price, plain.low, plain.status)
    assert found >= 6 or family in (strategies.MENU, "mixed")
