"""Margins under every budget: held, kept, and refused where floors leave no room."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import tenants as cases
from support import strategies

import clear_alloc as ca
from clear_alloc.groups.margins import solve_tree
from clear_alloc.groups.tree import read_tree
from clear_alloc.solver.chance.margin import margin_of
from clear_alloc.solver.primal.solution import charge_per_query


def arrivals(n, rng):
    return ca.LognormalArrival(500 * np.exp(rng.normal(0, 0.5, n)), rng.uniform(0.3, 0.9, n), rng.uniform(0.3, 1, n))


Z = 1.2815515655446004  # one in ten


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_charge_and_margin_fit_every_budget_and_the_whole_is_audited_for_its_own(seed):
    rng = np.random.default_rng(seed)
    market = strategies.market_of(arrivals(30, rng), accounting="expected")
    groups = [ca.Group("a", budget=3_000.0), ca.Group("b", budget=5_000.0), ca.Group("b.1", "b", budget=1_800.0)]
    tree = read_tree(groups, ["a", "b", "b.1"] * 10, market, 7_000.0)
    solved = solve_tree(market, tree, Z)
    spent = tree.summed(charge_per_query(market, solved.solution))
    assert (spent + solved.margins <= tree.ceiling * (1 + 1e-12)).all()
    assert solved.margins[0] == pytest.approx(margin_of(market, solved.solution, Z), rel=1e-9)
    assert (solved.margins > 0).all()
    assert solved.margins[0] < solved.margins[1] + solved.margins[2]  # sums vary less than their parts together
    assert solved.bound.value >= solved.solution.utility
    none = solve_tree(market, tree, 0.0)
    assert not none.margins.any()
    assert none.solution.utility > solved.solution.utility


@pytest.mark.slow
def test_every_group_holds_back_a_margin_and_passes_its_budget_no_oftener_than_agreed():
    rng = np.random.default_rng(8)
    curves, chance = arrivals(60, rng), 0.1
    names = ["a", "b.1", "b.2"] * 20
    groups = [
        ca.Group("a", None, 4000),
        ca.Group("b", None, 9000, 2000),
        ca.Group("b.1", "b", 3000),
        ca.Group("b.2", "b"),
    ]
    case = cases.Tenants([], [], groups, names, 16_000, curves=curves)
    result = case.allocated(accounting="expected", overrun=chance)
    result.audit()
    caps = result.tokens
    length = np.exp(np.log(curves.median) + curves.spread * rng.normal(size=(4000, 60)))
    burned = np.minimum(length, caps)
    assert (burned.sum(axis=1) > 16_000).mean() <= chance + 0.02
    margins = {}
    for group in groups:
        rows, report = case.within(group.name), result[group.name]
        margins[group.name] = report.margin
        normal = 1.2815515655446004 * np.sqrt((curves.deviation(caps)[rows] ** 2).sum())
        assert report.margin >= min(normal, caps[rows].sum() - report.spent) * (1 - 1e-6)
        assert report.spent == pytest.approx(curves.expected_cost(caps)[rows].sum())
        if group.budget is not None:
            assert report.spent + report.margin <= group.budget * (1 + 1e-12)
            assert report.spent + report.margin >= 0.95 * group.budget
            assert (burned[:, rows].sum(axis=1) > group.budget).mean() <= chance + 0.02
    assert margins["b"] < margins["b.1"] + margins["b.2"]


def test_floors_whose_margin_does_not_fit_a_groups_budget_are_refused():
    curves = arrivals(4, np.random.default_rng(1))
    floor = curves.expected_cost(np.full(4, 300.0)).sum()
    terms = {"accounting": "expected", "overrun": 0.01, "min_tokens": 300}
    with pytest.raises(ca.BudgetTooSmall):
        ca.allocate_groups(curves, 1e5, [ca.Group("a", None, floor * 1.0001)], ["a"] * 4, **terms)
