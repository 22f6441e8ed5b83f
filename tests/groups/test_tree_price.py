"""Prices of nested budgets: the multipliers that other solvers find, and a bound that no allocation passes."""

from __future__ import annotations

import cvxpy
import numpy as np
import pytest
from oracles import tenants as cases
from support import strategies, tolerances

import clear_alloc as ca
from clear_alloc.groups import Binding
from clear_alloc.groups.nested import Nested
from clear_alloc.groups.tree import ROOT, read_tree
from clear_alloc.groups.tree_price import Clearing, nested_bound

SURGES = strategies.draws(strategies.SURGE, 40, np.random.default_rng(3))
TREE = [
    ca.Group("a", budget=2_000), ca.Group("a.1", "a", budget=600), ca.Group("b", guarantee=5_000), ca.Group("c"),
]  # fmt: skip
PLACES = np.array(["a", "a.1", "b", "c", None], dtype=object)[np.arange(40) % 5].tolist()


def tree_of(pool, groups=TREE):
    market = strategies.market_of(SURGES)
    return market, read_tree(groups, PLACES, market, pool)


def test_demand_is_held_between_guarantee_and_budget_from_the_innermost_out():
    market, tree = tree_of(12_000.0)
    clearing = Clearing(market, tree)
    for price in (0.0, 2e-4, 5e-4, 1e-3, 0.1):
        held, raw = clearing.clamped(price)
        own = np.bincount(tree.node_of, market.demand_of_each(price), minlength=5)
        assert held[2] == min(own[2], 600.0)
        assert raw[1] == pytest.approx(own[1] + held[2])
        assert held[1] == pytest.approx(min(raw[1], 2_000.0))
        assert held[3] == pytest.approx(max(own[3], clearing.least[3]))
        assert held[4] == pytest.approx(own[4])
        assert held[ROOT] == pytest.approx(own[ROOT] + held[1] + held[3] + held[4])
    assert clearing.least[3] == min(5_000.0, clearing.clamped(0.0)[1][3])  # no more than it wants at no price


@pytest.mark.parametrize("pool", [6_000.0, 9_000.0, 15_000.0, 1e9])
def test_the_price_of_the_whole_is_the_lowest_that_fits(pool):
    clearing = Clearing(*tree_of(pool))
    price = clearing.price(pool)
    assert clearing.clamped(price)[0][ROOT] <= pool or price == clearing.market.highest_price
    if price > 0.0:
        assert clearing.clamped(price * (1 - 2.0**-38))[0][ROOT] > pool
    bound = clearing.binding(price)
    raw = clearing.clamped(price)[1]
    assert (1 in bound) == (raw[1] > 2_000.0)
    assert 2 not in bound or 1 not in bound  # the outermost alone are told
    assert (bound.get(3) is Binding.GUARANTEE) == (raw[3] < clearing.least[3])


@pytest.mark.parametrize("pool", [6_000.0, 9_000.0, 15_000.0])
def test_no_allocation_within_the_budgets_is_worth_more_than_the_bound(pool):
    market, tree = tree_of(pool)
    nested = Nested(market, tree)
    prices = nested.prices(pool)
    bound, weight, charge = nested_bound(market, tree, prices, nested.alone)
    assert nested.solved(pool).utility <= bound * (1 + tolerances.ROUNDING)
    np.testing.assert_allclose(charge / weight, prices.price, rtol=1e-9)
    assert (weight >= 1.0).all()
    assert charge[ROOT] == prices.price[ROOT]
    for node in range(1, len(tree)):
        around = tree.parent[node]
        assert (charge[node] > charge[around]) <= (prices.binding[node] is Binding.BUDGET)
        assert (weight[node] > weight[around]) <= (prices.binding[node] is Binding.GUARANTEE)
    # The bound is a dual value: at other prices it is no lower than what was found.
    for factor in (0.5, 0.9, 1.2):
        other = prices._replace(price=prices.price * factor)
        assert nested_bound(market, tree, other, nested.alone)[0] >= nested.solved(pool).utility


def concave(rng, n):
    """Concave from the first token, and so large that whole tokens don't matter."""
    return ca.ShiftedSurge(np.zeros(n), rng.uniform(1e5, 9e5, n), rng.uniform(0.2, 1, n), rng.uniform(0.5, 2, n))


def tangents(curves, pieces=2000):
    """Slopes and intercepts of tangents, (n, pieces): a concave curve as the lowest of them."""
    share = np.linspace(0.0, 1.0, pieces)
    at = curves.ceiling[:, None] * share
    value = curves.utility(at.T).T
    y = at / curves.ceiling[:, None]
    slope = (curves.weight * curves.peak / curves.ceiling)[:, None] * (1 - y) * np.exp(1 - y)
    return slope, value - slope * at


def multipliers(curves, budget, groups, rows_of, alone):
    """cvxpy's multipliers of the whole, of the groups' budgets, and of their guarantees."""
    unit = float(curves.ceiling.mean())
    slope, level = tangents(curves)
    caps, worth = cvxpy.Variable(len(curves), nonneg=True), cvxpy.Variable(len(curves))
    limits = [worth[:, None] <= cvxpy.multiply(slope * unit, caps[:, None]) + level]
    whole = cvxpy.sum(caps) <= budget / unit
    own_budgets = {
        g.name: cvxpy.sum(caps[rows_of[g.name]]) <= g.budget / unit for g in groups if g.budget is not None
    }
    promises = {g.name: cvxpy.sum(worth[rows_of[g.name]]) >= alone[g.name] for g in groups if g.guarantee}
    problem = cvxpy.Problem(
        cvxpy.Maximize(cvxpy.sum(worth)), [*limits, whole, *own_budgets.values(), *promises.values()]
    )
    problem.solve(solver=cvxpy.HIGHS)
    budgets = {name: float(limit.dual_value) / unit for name, limit in own_budgets.items()}
    weights = {name: float(limit.dual_value) for name, limit in promises.items()}
    return problem.value, float(whole.dual_value) / unit, budgets, weights


@pytest.mark.parametrize("seed", range(3))
def test_cvxpy_finds_the_same_price_of_the_whole_and_of_every_budget(seed):
    rng = np.random.default_rng([17, seed])
    n = 18
    curves = concave(rng, n)
    groups = [
        ca.Group("a", budget=3.5e5), ca.Group("b", budget=9e6), ca.Group("b.1", "b", budget=2.5e5),
        ca.Group("b.2", "b"), ca.Group("b.2.x", "b.2", budget=1e5),
    ]  # fmt: skip
    names = np.array(["a", "b", "b.1", "b.2", "b.2.x", None], dtype=object)[np.arange(n) % 6].tolist()
    case = cases.Tenants([], [], groups, names, 3.0e6, curves=curves)
    result = case.allocated()
    rows_of = {group.name: case.within(group.name) for group in groups}
    value, price, budgets, _ = multipliers(curves, 3.0e6, groups, rows_of, {})
    assert result.allocation.price == pytest.approx(price, rel=0.01)
    for group in groups:
        expected = budgets.get(group.name, 0.0)
        assert result[group.name].price == pytest.approx(expected, rel=0.01, abs=1e-9 * price)
        assert (result[group.name].binding is Binding.BUDGET) == (expected > 1e-6 * price)
    assert result["b.2.x"].marginal == pytest.approx(price + budgets["b.2.x"], rel=0.01)
    assert result["b.2"].marginal == pytest.approx(price, rel=0.01)
    assert result.allocation.utility == pytest.approx(value, rel=1e-4)
    assert result.allocation.upper_bound == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_cvxpy_finds_the_same_price_of_a_guarantee(seed):
    """A guarantee promises utility; its multiplier w weighs the group's own, so its price is p - p / (1 + w)."""
    rng = np.random.default_rng([19, seed])
    n = 12
    curves = concave(rng, n)
    groups = [ca.Group("poor", guarantee=1.6e6), ca.Group("rich", budget=1.2e6), ca.Group("slack", guarantee=1e3)]
    names = np.array(["poor", "rich", "slack"], dtype=object)[np.arange(n) % 3].tolist()
    curves = ca.ShiftedSurge(curves.threshold, curves.width, curves.peak, np.where(np.arange(n) % 3, 2.0, 0.3))
    case = cases.Tenants([], [], groups, names, 3.2e6, curves=curves)
    result = case.allocated()
    rows_of = {group.name: case.within(group.name) for group in groups}
    alone = {"poor": result["poor"].alone, "slack": result["slack"].alone}
    assert alone["poor"] == pytest.approx(ca.allocate(curves[rows_of["poor"]], 1.6e6).utility, rel=1e-9)
    value, price, budgets, weights = multipliers(curves, 3.2e6, groups, rows_of, alone)
    assert result.allocation.price == pytest.approx(price, rel=0.01)
    assert weights["poor"] > 0.05
    assert result["poor"].binding is Binding.GUARANTEE
    assert result["poor"].marginal == pytest.approx(price / (1 + weights["poor"]), rel=0.01)
    assert result["poor"].guarantee_price == pytest.approx(price - price / (1 + weights["poor"]), rel=0.01)
    assert result["slack"].binding is Binding.NONE
    assert result["slack"].guarantee_price == 0
    assert result["rich"].price == pytest.approx(budgets["rich"], rel=0.01)
    assert result.allocation.utility == pytest.approx(value, rel=1e-4)
    assert result.allocation.upper_bound == pytest.approx(value, rel=1e-4)


def test_a_guarantee_inside_a_budget_and_the_other_way_round_keep_the_certificate_tight():
    rng = np.random.default_rng(5)
    curves = concave(rng, 400)
    curves = ca.ShiftedSurge(np.zeros(400), curves.width / 100, curves.peak, np.where(np.arange(400) % 4, 2.0, 0.3))
    groups = [
        ca.Group("a", budget=3e5), ca.Group("a.1", "a", guarantee=1.5e5), ca.Group("b", guarantee=2e5),
        ca.Group("b.1", "b", budget=3e4),
    ]  # fmt: skip
    names = np.array(["a.1", "a", "b", "b.1"], dtype=object)[np.arange(400) % 4].tolist()
    result = ca.allocate_groups(curves, 7e5, groups, names)
    result.audit()
    assert [g.binding for g in result.groups][:2] == [Binding.BUDGET, Binding.GUARANTEE]
    assert result.allocation.gap <= 1e-3 * result.allocation.utility
