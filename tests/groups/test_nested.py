"""Caps under nested budgets: whole tokens near the optimum, leftovers lent, equals funded where budgets allow."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import tenants as cases
from support import strategies, tolerances
from support.grouped_results import checked, losses

import clear_alloc as ca
from clear_alloc.groups import Binding
from clear_alloc.groups.nested import Nested
from clear_alloc.groups.tree import ROOT, read_tree
from clear_alloc.solver.solve import solve


def case_of_mixed(pool=4_000.0):
    rng = np.random.default_rng(11)
    curves = ca.concatenate([strategies.draws(strategies.SURGE, 8, rng), strategies.menu_draws(8, rng)])
    curves = curves[rng.permutation(16)]
    market = strategies.market_of(curves)
    groups = [ca.Group("a", budget=900.0), ca.Group("b", guarantee=1_200.0), ca.Group("b.1", "b", budget=500.0)]
    tree = read_tree(groups, [("a", "b", "b.1", None)[k % 4] for k in range(16)], market, pool)
    return Nested(market, tree)


def test_a_group_inside_is_a_whole_of_its_own():
    nested = case_of_mixed()
    market, tree = nested.market, nested.tree
    inner = nested.inner(2)
    assert inner is nested.inner(2)
    assert len(inner.market) == 8
    assert nested.inner(ROOT) is nested
    assert nested.inner(3).market is inner.inner(1).market
    own = market.demand_of_each(1e-3)[tree.rows(2)]
    np.testing.assert_allclose(inner.market.demand_of_each(1e-3), own)
    assert nested.alone[2] == pytest.approx(inner.promised().utility)
    assert nested.alone[1] == 0.0  # it has no guarantee


def test_what_was_solved_is_placed_back_with_its_own_queries():
    """Menus and curves mixed in any order: what each group spends and is worth is that of its own queries."""
    nested = case_of_mixed()
    solution = nested.solved(4_000.0)
    spent, worth, tree = nested.spent(solution), nested.worth(solution), nested.tree
    assert (spent <= tree.ceiling).all()
    assert worth[ROOT] == pytest.approx(solution.utility)
    assert spent[2] >= spent[3]
    inner = nested.inner(2).promised()
    placed = nested._placed(solution, nested.inner(2).market, tree.rows(2), inner)
    assert nested.worth(placed)[2] == pytest.approx(inner.utility)
    assert nested.spent(placed)[1] == pytest.approx(spent[1])


def test_a_tree_of_one_node_is_the_market_itself_and_a_larger_pool_is_worth_no_less():
    nested = case_of_mixed()
    alone = nested.inner(1)
    assert alone.solved(700.0).utility >= solve(alone.market, 700.0).solution.utility * (1 - tolerances.ROUNDING)
    found = [alone.solved(pool).utility for pool in (300.0, 500.0, 700.0, 900.0)]
    assert (np.diff(found) >= 0).all()
    assert alone.solved(500.0).utility == found[1]  # what was solved is remembered


@pytest.mark.parametrize(
    ("kind", "scale", "count"), [(k, 25, 16) for k in (*cases.SMOOTH, "ranges")] + [("mixed", 250, 8)]
)
def test_smooth_curves_reach_the_optimum_in_whole_tokens(kind, scale, count):
    found = losses(kind, count, cases.by_tables, most=8, scale=scale)
    assert found.mean() <= 1e-3
    assert found.max() <= 1e-2


def test_leftovers_go_where_they_are_worth_most_and_never_past_a_budget_around():
    """Menus of one option and one smooth curve: what is left over buys the best that a group may have."""
    menus = ca.Menu([[10]] * 3 + [[12]] * 3, [[0.5]] * 3 + [[0.4]] * 3)
    curves = ca.concatenate([menus, ca.ShiftedSurge([0.0], 30, 0.1)])
    names = ["a", "a", "a.1", "a.1", "b", "b", "b"]
    groups = [ca.Group("a", None, 25), ca.Group("a.1", "a", 21), ca.Group("b", None, None, 12)]
    for budget in range(12, 80, 3):
        case = cases.Tenants([], [], groups, names, budget, curves=curves)
        result = case.allocated()
        checked(case, result)
        assert result["b"].utility >= 0.4
        assert result["a"].utility == pytest.approx(0.5 * min((budget - 12) // 10, 2))


def test_what_a_guarantee_leaves_idle_others_may_use_and_what_others_leave_it_may_use():
    curves = ca.ShiftedSurge(np.zeros(3), 100, [0.5, 0.5, 0.5])
    lent = ca.allocate_groups(curves, 300, [ca.Group("a", guarantee=250)], ["a", None, None])
    assert lent.tokens.tolist() == [100, 100, 100]
    borrowed = ca.allocate_groups(curves, 300, [ca.Group("a", guarantee=50)], ["a", "a", "a"])
    assert borrowed.tokens.tolist() == [100, 100, 100]


@pytest.mark.parametrize("turned", [False, True])
def test_equals_that_no_price_tells_apart_are_funded_where_budgets_and_guarantees_allow(turned):
    """All demands jump at one price, so who is funded is decided after clearing: here, wherever the groups say."""
    curves = ca.ShiftedSurge(np.full(40, 100.0), 50, 0.5)
    names = ["a"] * 20 + ["b"] * 20
    names = names[::-1] if turned else names
    for groups, least in (
        ([ca.Group("a", None, 320), ca.Group("b")], (2, 11)),
        ([ca.Group("a"), ca.Group("b", None, 320)], (11, 2)),
        ([ca.Group("a", None, None, 600), ca.Group("b", None, None, 900)], (4, 6)),
        ([ca.Group("a", None, 320), ca.Group("b", None, 640)], (2, 4)),
    ):
        case = cases.Tenants([], [], groups, names, 2000, curves=curves)
        result = case.allocated()
        checked(case, result)
        assert result["a"].funded >= least[0]
        assert result["b"].funded >= least[1]
        best = min(13, 20 + least[1], 20 + least[0]) if groups[1].guarantee else sum(least)
        assert result.allocation.utility >= 0.97 * 0.5 * best


@pytest.mark.parametrize("turned", [False, True])
def test_many_equals_are_funded_within_every_budget(turned):
    """So many that no combination is looked for: what the price alone gave one group too much is taken back."""
    curves = ca.ShiftedSurge(np.full(1200, 100.0), 50, 0.5)
    names = ["a"] * 600 + ["b"] * 600
    names = names[::-1] if turned else names
    for groups in (
        [ca.Group("a", None, 3200), ca.Group("b")],
        [ca.Group("a", None, None, 9000), ca.Group("b", None, None, 9000)],
    ):
        case = cases.Tenants([], [], groups, names, 20_000, curves=curves)
        result = case.allocated()
        checked(case, result)
        assert result.allocation.gap <= 0.02 * result.allocation.utility


@pytest.mark.slow
@pytest.mark.parametrize("family", strategies.SMOOTH)
def test_many_queries_are_certified_to_a_small_share(family):
    rng = np.random.default_rng(6)
    curves = strategies.draws(family, 1500, rng)
    budget = int(0.3 * curves.ceiling.sum())
    groups = [ca.Group(str(k), None, budget / 12 if k % 2 else None, 0 if k % 3 else budget / 25) for k in range(10)]
    groups += [ca.Group(f"{k}.{j}", str(k), None if j else budget / 40) for k in range(10) for j in range(2)]
    names = [groups[k % 30].name for k in range(1500)]
    result = ca.allocate_groups(curves, budget, groups, names)
    checked(cases.Tenants([], [], groups, names, budget), result)
    assert result.allocation.gap <= 0.01 * result.allocation.utility
    assert sum(group.binding is not Binding.NONE for group in result.groups) >= 5
