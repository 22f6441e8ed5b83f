"""A least share of funded queries: what it costs, whom it funds, and what nobody can meet."""

from __future__ import annotations

from dataclasses import replace

import cvxpy
import numpy as np
import pytest
from oracles import tenants as cases
from oracles.milp import choices
from support import strategies
from support.grouped_results import checked

import clear_alloc as ca
from clear_alloc.groups.min_funded import with_shares_funded
from clear_alloc.groups.tree import read_tree
from clear_alloc.solver.primal.solution import floor_solution


def test_floors_are_raised_for_the_queries_that_lose_least():
    curves = ca.concatenate([ca.ShiftedSurge([100, 200, 300], 100, 0.9), ca.Menu([[50, 80]], [[0.1, 0.2]])])
    market = strategies.market_of(curves)
    names = ["a", "a", "a", "b"]
    tree = read_tree([ca.Group("a", min_funded=0.5), ca.Group("b", min_funded=1.0)], names, market, 1_000.0)
    prices = np.full(3, 5e-3)
    raised = with_shares_funded(market, tree, prices, floor_solution(market))
    assert (raised.caps.floor > 0).tolist() == [True, True, False, True]
    assert raised.caps.floor[3] == 50  # of a menu the smallest option that is worth anything
    assert (raised.caps.low >= raised.caps.floor).all()
    surge = raised.caps.floor[:2]
    assert (surge == np.floor(surge)).all()
    assert (curves.utility(raised.caps.floor)[:2] > 0).all()
    none = read_tree([ca.Group("a"), ca.Group("b")], names, market, 1_000.0)
    assert with_shares_funded(market, none, prices, floor_solution(market)) is market
    rich = strategies.market_of(curves, min_tokens=[150, 250, 0, 50])
    served = floor_solution(rich)
    assert with_shares_funded(rich, tree, prices, served) is rich


def by_share(case, needed):
    """The optimum with at least so many queries of each group worth something: integer programming."""
    flat = [(row, option.value, option.charge) for row, options in enumerate(case.lists) for option in options]
    owner, worth, cost = (np.array(column) for column in zip(*flat, strict=True))
    pick = cvxpy.Variable(len(flat), boolean=True)
    limits = [cvxpy.sum(pick[owner == row]) == 1 for row in range(len(case.lists))] + [cost @ pick <= case.budget]
    for name, count in needed.items():
        mine = np.isin(owner, case.within(name))
        limits.append(cvxpy.sum(pick[mine & (worth > 0)]) >= count)
    own_budgets = [group for group in case.groups if group.budget is not None]
    limits += [(cost * np.isin(owner, case.within(group.name))) @ pick <= group.budget for group in own_budgets]
    problem = cvxpy.Problem(cvxpy.Maximize(worth @ pick), limits)
    problem.solve(solver=cvxpy.HIGHS)
    return problem.value if problem.value is not None and np.isfinite(problem.value) else None


def test_a_share_of_funded_queries_costs_little_more_than_it_must():
    found = []
    for k in range(20):
        rng = np.random.default_rng([23, k])
        records = [cases.menu_record(rng, 100) for _ in range(10)]
        lists = [choices(record) for record in records]
        names = ["a", "b"] * 5
        groups = [ca.Group("a", None, 500 if k % 2 else None, 0, 0.6), ca.Group("b")]
        case = cases.Tenants(records, lists, groups, names, int(rng.uniform(250, 700)))
        best = by_share(case, {"a": 3})
        if best is None:
            with pytest.raises((ca.BudgetTooSmall, ca.InvalidArgument)):
                case.allocated()
            continue
        result = case.allocated()
        checked(case, result)
        curves = strategies.build(records)
        worth = curves.utility(result.tokens.astype(float))
        assert (worth[case.within("a")] > 0).sum() >= 3
        assert result.allocation.utility <= best + 1e-9
        found.append(1 - result.allocation.utility / best)
    assert len(found) >= 15
    assert np.mean(found) <= 0.03


def test_a_share_funds_smooth_curves_on_the_branch_where_tokens_are_worth_their_price():
    rng = np.random.default_rng(2)
    curves = strategies.draws(strategies.SURGE, 60, rng)
    names = ["a", "b.1", "b.2"] * 20
    groups = [
        ca.Group("a", min_funded=0.9),
        ca.Group("b", min_funded=0.5),
        ca.Group("b.1", "b"),
        ca.Group("b.2", "b"),
    ]
    budget = int(0.5 * curves.ceiling.sum())
    free = ca.allocate_groups(curves, budget, [replace(g, min_funded=0.0) for g in groups], names)
    result = ca.allocate_groups(curves, budget, groups, names)
    result.audit()
    worth = curves.utility(result.tokens.astype(float))
    served = worth > 0
    member = np.array(names)
    assert served[member == "a"].sum() >= 18 > free["a"].funded
    assert served[member != "a"].sum() >= 20
    slope = (curves.utility(result.tokens + 1.0) - worth)[served]  # nobody is funded for form's sake
    assert (slope <= 1.1 * result["a"].marginal).all()
    assert result.allocation.utility < free.allocation.utility
    assert ca.allocate_groups(curves, budget, [ca.Group("a", min_funded=0.1)], ["a"] * 60).tokens.tolist() == (
        ca.allocate_groups(curves, budget, [ca.Group("a")], ["a"] * 60).tokens.tolist()
    )


def test_a_share_that_nobody_can_meet_names_the_group():
    curves = ca.ShiftedSurge([100, 100, 100], 50, 0.5, weight=[1, 0, 0])
    with pytest.raises(ca.InvalidArgument, match=r"at most 1 funded queries in 'dull'.*lower the share"):
        ca.allocate_groups(curves, 1000, [ca.Group("dull", min_funded=0.5)], ["dull"] * 3)
    with pytest.raises(ca.BudgetTooSmall, match="'dull'"):
        ca.allocate_groups(curves, 1000, [ca.Group("dull", None, 50, min_funded=0.3)], ["dull"] * 3)
