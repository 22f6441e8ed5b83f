"""The best combination of finite choices under nested budgets, and its certificate."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from oracles import tenants as cases
from support import strategies
from support.grouped_results import losses

import clear_alloc as ca
from clear_alloc.groups.exact import NestedBound, combined
from clear_alloc.groups.nested import Nested
from clear_alloc.groups.tree import read_tree


def nested_of(curves, pool, groups, names):
    market = strategies.market_of(curves)
    tree = read_tree(groups, names, market, pool)
    return Nested(market, tree)


MENUS = ca.Menu([[40, 90], [30, 100], [50, 80], [60, 70]], [[0.3, 0.9], [0.4, 0.8], [0.5, 0.6], [0.2, 0.7]])
TWO = [ca.Group("a", budget=120.0), ca.Group("b", guarantee=80.0)]
NAMES = ["a", "a", "b", "b"]


def best_by_trial(pool, promise):
    """The most that the menus are worth: 120 for the first two, `pool` for all, the others no less than promised."""
    best = -np.inf
    options = [[(0, 0.0), *zip(c, v, strict=True)] for c, v in zip(MENUS.costs, MENUS.values, strict=True)]
    for picks in itertools.product(*options):
        cost, worth = zip(*picks, strict=True)
        if cost[0] + cost[1] <= 120 and sum(cost) <= pool and worth[2] + worth[3] >= promise - 1e-12:
            best = max(best, sum(worth))
    return best


@pytest.mark.parametrize("pool", [90.0, 150.0, 200.0, 240.0, 400.0])
def test_combined_choices_are_the_best_of_all_from_any_start(pool):
    nested = nested_of(MENUS, pool, TWO, NAMES)
    bound = nested.bound(pool)
    promise = nested.alone[2]
    best = best_by_trial(pool, promise)
    start = nested.promised()
    found = combined(bound, start, 4e6)
    assert found.utility >= start.utility
    assert bound.value >= best - 1e-12
    spent = nested.spent(found)
    assert (spent <= nested.tree.with_pool(pool).ceiling).all()
    assert nested.worth(found)[2] >= promise - 1e-12
    assert max(found.utility, start.utility) == pytest.approx(best) or bound.value - start.utility <= 1e-7


def test_where_the_work_is_too_much_or_nothing_is_left_to_gain_the_solution_stays():
    nested = nested_of(MENUS, 200.0, TWO, NAMES)
    start = nested.promised()
    assert combined(nested.bound(200.0), start, 10.0) is start
    rich = nested_of(MENUS, 1_000.0, [ca.Group("a"), ca.Group("b")], NAMES)
    best = rich.solved(1_000.0)
    assert combined(rich.bound(1_000.0), best, 4e6) is best


def test_a_bound_at_another_pool_is_that_of_the_same_prices():
    nested = nested_of(MENUS, 200.0, TWO, NAMES)
    bound = nested.bound(200.0)
    assert isinstance(bound, NestedBound)
    assert bound.recomputed(200.0) == pytest.approx(bound.value)
    assert bound.recomputed(210.0) - bound.recomputed(200.0) == pytest.approx(10.0 * bound.price)
    assert bound.own_prices.tolist() == bound.prices.price[nested.tree.node_of].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("kind", cases.FINITE)
def test_finite_choices_reach_the_integer_optimum_and_every_guarantee_what_it_buys_alone(kind):
    found = losses(kind, 24, cases.by_tables if kind in cases.WHOLE else cases.by_programme)
    assert found.max() <= 1e-6
