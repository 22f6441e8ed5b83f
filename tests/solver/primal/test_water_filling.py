"""The steps of the repair, one at a time: filling a plan, leftovers, whole tokens, the core's diversity."""

from __future__ import annotations

import numpy as np
import pytest
from clear_alloc.solver.repair.exact_table import exact_solution, table_cells
from support import strategies, tolerances

import clear_alloc as ca
from clear_alloc.solver.pricing.clearing import clearing_price
from clear_alloc.solver.primal.rounding import round_to_whole
from clear_alloc.solver.primal.water_filling import FundedSet, evaluate, greedy_funded_set, refill_funded
from clear_alloc.solver.repair.core import COPIES, CORE_SIDE, _core, _nearest
from clear_alloc.solver.splits import uniform_solution

NONE = np.empty(0, dtype=np.intp)


def test_a_plan_that_cannot_be_paid_is_refused():
    market = strategies.market_of(ca.ShiftedSurge([100, 200], 50, 0.5))
    both = FundedSet(np.array([True, True]), NONE)
    assert refill_funded(market, both, 299, 1e-3) is None
    assert refill_funded(market, both, 300, 1e-3).caps.sum() <= 300
    menu = strategies.market_of(ca.Menu([[10, 30]], [[0.1, 0.2]]))
    nobody = np.empty(0, dtype=bool)
    assert refill_funded(menu, FundedSet(nobody, np.array([1])), 29, 1e-3) is None
    assert refill_funded(menu, FundedSet(nobody, np.array([1])), 30, 1e-3).utility == 0.2


@pytest.mark.parametrize("seed", range(5))
def test_the_greedy_plan_can_always_be_paid_and_filled(seed):
    rng = np.random.default_rng(seed)
    curves = ca.concatenate([strategies.column(family, 20, rng) for family in strategies.FAMILIES])
    curves = ca.concatenate([curves, curves, curves])
    for floors in (0, 10):
        market = strategies.market_of(curves, 0)
        if floors:
            market = strategies.market_of(curves, np.where(np.arange(len(curves)) % 80 < 60, 10, 0), 5000)
        for budget in (2_500, 20_000, 90_000):
            clearing = clearing_price(market, budget)
            grant = refill_funded(market, greedy_funded_set(market, clearing, budget), budget, clearing.price)
            spent = grant.caps.sum() + market.menus.charge_of(grant.chosen).sum()
            assert spent <= budget
            assert spent >= budget - 200  # idle tokens are too few for anybody
            assert grant.utility == evaluate(market, grant.caps, grant.chosen).utility


def test_leftovers_go_to_the_one_use_where_they_are_worth_most():
    """Nobody is funded, and 70 tokens are left: they climb the convex part of one curve, or buy an option."""
    slow = ca.LognormalArrival([100, 90, 400], 0.3, [0.5, 0.5, 0.9])
    market = strategies.market_of(ca.concatenate([slow, ca.Menu([[69], [71]], [[1e-6], [0.9]])]))
    idle = FundedSet(np.zeros(3, dtype=bool), np.array([-1, -1]))
    grant = refill_funded(market, idle, 70, 1e-3)
    assert grant.caps.tolist() == [0, 70, 0]
    assert grant.chosen.tolist() == [-1, -1]
    with_option = refill_funded(market, idle, 71, 1e-3)
    assert with_option.caps.tolist() == [0, 0, 0]
    assert with_option.chosen.tolist() == [-1, 0]
    both = refill_funded(market, idle, 160, 1e-3)
    assert both.chosen.tolist() == [-1, 0]
    assert both.caps.tolist() == [0, 89, 0]
    upgraded = refill_funded(
        strategies.market_of(ca.Menu([[10, 30, 60]], [[0.5, 0.6, 0.7]])),
        FundedSet(idle.funded[:0], np.array([0])),
        55,
        1.0,
    )
    assert upgraded.chosen.tolist() == [1]


def test_leftovers_respect_ceilings_and_stop_where_nothing_is_gained():
    market = strategies.market_of(ca.ShiftedSurge([0, 100], 50, 0.5), max_tokens=40)
    grant = refill_funded(market, FundedSet(np.array([True, False]), NONE), 1000, 1e-3)
    assert grant.caps.tolist() == [40, 0]


def test_plans_within_the_funded_set_reach_the_integer_optimum():
    """On the concave branches alone nothing is lost: whole tokens against the dynamic programme."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        n = int(rng.integers(1, 7))
        curves = ca.ShiftedSurge(np.zeros(n), rng.uniform(1, 40, n), rng.uniform(0.1, 1, n))
        market = strategies.market_of(curves)
        budget = float(rng.integers(1, 1 + int(np.ceil(curves.ceiling).sum())))
        grant = refill_funded(market, FundedSet(np.ones(n, dtype=bool), NONE), budget, 1e-2)
        assert grant.utility == pytest.approx(exact_solution(market, budget).utility, rel=tolerances.ROUNDING)


def test_whole_tokens_from_any_real_caps_reach_the_best_whole_caps():
    """Even from a poor split, exchanges of single tokens mend it, within their limit."""
    side = strategies.market_of(ca.ShiftedSurge(np.zeros(4), [20.5, 30, 40, 10], 0.5)).smooth
    best = exact_solution(strategies.market_of(side.curves), 37.0).utility
    for caps in ([9.25, 9.25, 9.25, 9.25], [20.5, 0, 6.5, 10], [0, 0, 37, 0], [12.9999999999, 12, 12, 0]):
        whole = round_to_whole(side, np.array(caps), 37.0)
        assert whole.sum() == 37
        assert (whole == np.floor(whole)).all()
        assert (whole <= side.last_whole).all()
        assert side.curves.utility(whole).sum() == pytest.approx(best, rel=tolerances.ROUNDING)


def test_a_cap_a_hair_below_a_whole_number_is_that_number_and_no_more_is_given_than_there_is():
    side = strategies.market_of(ca.ShiftedSurge(np.zeros(3), 1000, 0.5)).smooth
    assert round_to_whole(side, np.array([9.9999999999, 10.0, 10.0]), 30.0).tolist() == [10, 10, 10]
    assert round_to_whole(side, np.array([9.9, 9.9, 9.9]), 29.0).sum() == 29
    assert round_to_whole(side, np.array([9.5, 9.5, 9.5]), 28.0).sum() == 28


def test_identical_queries_leave_room_in_the_core():
    distance = np.array([0.1] * 50 + [0.2] * 50 + list(np.linspace(0.3, 0.9, 30)))
    size = np.concatenate([np.full(100, 5.0), np.arange(30.0)])
    price_guess = _nearest(distance, size, np.arange(130))
    assert len(price_guess) == CORE_SIDE
    assert (price_guess < 50).sum() == COPIES
    assert ((price_guess >= 50) & (price_guess < 100)).sum() == min(COPIES, CORE_SIDE - COPIES)
    assert _nearest(distance, size, np.arange(3)).tolist() == [0, 1, 2]


def test_the_work_of_the_programme_counts_its_table():
    """Two options a pool apart need a table as long as the pool, however few comparisons."""
    far = ca.Menu([[2.0**50], [2.0**49]], [[0.5], [0.4]])
    assert table_cells(strategies.market_of(far), 2.0**51) > 1e15
    result = ca.allocate(far, 2.0**51)
    assert result.utility == 0.9
    with pytest.raises(ca.TooLarge):
        ca.exact(far, 2.0**51)
    assert table_cells(strategies.market_of(ca.Menu([[5], [7]], [[0.5], [0.4]])), 2.0**51) < 100


def test_a_uniform_split_pays_for_what_a_floor_makes_a_menu_buy():
    menu = ca.Menu([[1.2, 5], [0, 40, 90]], [[0.3, 0.9], [0.8, 0.2, 1.0]])
    market = strategies.market_of(menu, [1, 3])
    grant = uniform_solution(market, 42.0)
    assert market.menus.charge_of(grant.chosen).tolist() == [2, 40]


def test_the_core_has_funded_and_unfunded_copies_of_the_marginal_kind():
    market = strategies.market_of(ca.Menu(np.full((30, 1), 10.0), np.full((30, 1), 0.5)))
    clearing = clearing_price(market, 65)
    plan = greedy_funded_set(market, clearing, 65)
    assert (plan.chosen >= 0).sum() == 6
    core = [row for row, is_menu in _core(market, plan, clearing.price) if is_menu]
    assert sum(plan.chosen[row] >= 0 for row in core) == 6
    assert sum(plan.chosen[row] < 0 for row in core) == COPIES


def test_a_query_is_given_up_for_others_and_not_for_itself():
    alone = strategies.market_of(ca.CumulativeSurge([9.9], 0.2, 0.5)).smooth
    assert round_to_whole(alone, np.array([10.2]), 10.0).tolist() == [10]
    steps = strategies.market_of(ca.ShiftedSurge(np.full(7, 10), 0.3, 0.5)).smooth
    for pool in range(70, 78):
        whole = round_to_whole(steps, np.full(7, 10.0), float(pool))
        assert whole.sum() <= pool
        assert (whole == 11).sum() == pool // 11


@pytest.mark.parametrize("policy", [ca.allocate, ca.exact, ca.uniform, ca.proportional], ids=lambda p: p.__name__)
def test_no_token_is_paid_for_nothing(policy):
    """Of equally good options the cheapest; no option at all where none is worth anything."""
    menu = ca.Menu([[9, 5], [5, 9], [4], [0, 5], [3, 8]], [[0.5, 0.5], [0.5, 0.5], [0.0], [0.3, 0.3], [0.2, 0.1]])
    result = policy(menu, 100)
    result.audit()
    assert result.tokens.tolist() == [5, 5, 0, 0, 3]
    assert result.choice.tolist() == [1, 0, -1, 0, 0]
    assert result.funded.tolist() == [True, True, False, True, True]


def test_what_rounding_gave_too_much_is_taken_back_where_it_is_missed_least():
    side = strategies.market_of(ca.ShiftedSurge(np.zeros(3), [10, 20, 30], 0.5)).smooth
    whole = round_to_whole(side, np.array([9.0, 9.0, 9.0]), 25.0)
    assert whole.sum() == 25
    assert side.curves.utility(whole).sum() == pytest.approx(
        exact_solution(strategies.market_of(side.curves), 25.0).utility
    )


def test_the_largest_pool_there_is_does_not_overflow_by_a_token():
    """At 2**53 tokens floats no longer tell odd sums from even ones; integers do."""
    curves = ca.LognormalArrival([30, 2.0**50, 2.0**51, 7, 2.0**49], [0.3, 1.0, 0.5, 0.1, 2.0], 0.5)
    for budget in (2.0**53, 2.0**53 - 1, 2.0**52 + 1):
        for policy in (ca.allocate, ca.uniform, ca.proportional, ca.cutoff_plus_pad):
            result = policy(curves, budget)
            result.audit()
            assert sum(result.tokens.tolist()) <= int(budget)


def test_who_may_start_with_any_number_of_tokens_takes_part_in_what_is_left():
    """Without a threshold a query is never priced out for good; the repair alone must find that."""
    for seed in range(120):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 7))
        threshold = np.where(rng.random(n) < 0.5, 0, rng.integers(1, 50, n))
        curves = ca.ShiftedSurge(threshold, rng.uniform(3, 40, n), rng.uniform(0.1, 1, n))
        budget = int(rng.uniform(0.2, 0.8) * float(curves.ceiling.sum()))
        best = ca.exact(curves, budget).utility
        with strategies.repair_only():
            assert ca.allocate(curves, budget).utility >= best * (1 - 1e-9)
