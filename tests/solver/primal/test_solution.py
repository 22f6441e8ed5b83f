"""Solutions: decisions in the order of demands, columns in the caller's order, and idle budget spent one by one."""

from __future__ import annotations

import numpy as np
import pytest
from support import strategies

import clear_alloc as ca
from clear_alloc.solver.primal.solution import (
    Solution,
    charge_per_query,
    choice_of,
    evaluate,
    floor_solution,
    funded_of,
    funded_set_of,
    spend_residual_budget,
    total_charge,
    value_per_query,
)

MIXED = ca.concatenate([
    ca.ShiftedSurge([100, 200], 50, 0.5), ca.Menu([[30, 60], [90, 10]], [[0.2, 0.3], [0.9, 0.1]]),
])[np.array([2, 0, 3, 1])]  # fmt: skip


def test_columns_come_back_in_the_caller_s_order():
    market = strategies.market_of(MIXED, rate=[1, 2, 3, 4], call=[5, 6, 7, 8])
    solution = evaluate(market, [np.array([150.0, 0.0]), np.array([1, -1])])
    assert charge_per_query(market, solution).tolist() == [60 + 5, 150 * 2 + 6, 0, 0]
    assert value_per_query(market, solution).tolist() == pytest.approx([0.3, 0.5, 0, 0])
    assert solution.utility == pytest.approx(0.8)
    assert total_charge(market, solution) == 371
    assert funded_of(market, solution).tolist() == [True, True, False, False]
    assert choice_of(market, solution).tolist() == [1, -1, -1, -1]
    other = evaluate(market, [np.array([0.0, 230.0]), np.array([-1, 0])])
    assert choice_of(market, other).tolist() == [-1, -1, 1, -1]  # the cheap option is the caller's second
    assert charge_per_query(market, other).tolist() == [0, 0, 10 * 3 + 7, 230 * 4 + 8]


def test_floors_are_in_force_at_any_price():
    market = strategies.market_of(MIXED, min_tokens=[0, 40, 20, 0], fallback=[35, 0, 0, 9])
    solution = floor_solution(market)
    assert [column.tolist() for column in solution.decisions] == [[40, 9], [0, 0]]
    assert charge_per_query(market, solution).tolist() == [30, 40, 90, 9]
    assert total_charge(market, solution) == market.total_floor
    assert funded_of(market, solution).tolist() == [False, True, True, False]


def test_the_cap_that_no_price_explains_is_told_apart_from_the_funded_set():
    market = strategies.market_of(MIXED)
    inside = evaluate(market, [np.array([150.0, 230.0]), np.array([1, 0])])
    levels, fixed = funded_set_of(market, inside)
    assert [column.tolist() for column in levels] == [[1, 1], [1, 0]]
    assert fixed is None
    early = strategies.market_of(ca.concatenate([ca.LognormalArrival([300, 400], 0.3, 0.9), MIXED]))
    side = early.divisible
    caps = np.array([np.floor(side.start[0]) - 20.0, 400.0, 150.0, 0.0])
    levels, fixed = funded_set_of(early, evaluate(early, [caps, np.array([-1, -1])]))
    assert levels[0].tolist() == [0, 1, 1, 0]
    assert fixed == (0, caps[0])
    menus = strategies.market_of(MIXED[np.array([0, 2])])
    assert funded_set_of(menus, evaluate(menus, [np.array([-1, 1])]))[1] is None


def whatever_is_left(market, pool):
    return lambda solution: np.broadcast_to(pool - total_charge(market, solution), len(market))


def test_idle_budget_goes_where_it_gains_most_until_nothing_gains():
    market = strategies.market_of(MIXED)
    nothing = floor_solution(market)
    # 95: the dear option of the second menu gains most; then 5 are left, which buy nobody anything.
    first = spend_residual_budget(market, nothing, whatever_is_left(market, 95.0))
    assert value_per_query(market, first).tolist() == pytest.approx([0, 0, 0.9, 0])
    more = spend_residual_budget(market, nothing, whatever_is_left(market, 250.0))
    assert value_per_query(market, more)[[1, 2]].tolist() == pytest.approx([0.5, 0.9])
    assert total_charge(market, more) <= 250.0
    all_of_it = spend_residual_budget(market, nothing, whatever_is_left(market, 1e6))
    assert value_per_query(market, all_of_it).tolist() == pytest.approx([0.3, 0.5, 0.9, 0.5])
    assert all_of_it.utility == pytest.approx(2.2)
    assert nothing.decisions[0].tolist() == [0, 0]  # the given decisions stay


def test_each_query_may_have_room_of_its_own():
    market = strategies.market_of(MIXED)
    room = np.array([30.0, 0.0, 60.0, 0.0])

    def left(solution: Solution):
        return room - charge_per_query(market, solution)

    found = spend_residual_budget(market, floor_solution(market), left)
    assert charge_per_query(market, found).tolist() == [30, 0, 10, 0]


def test_no_query_is_no_trouble():
    market = strategies.market_of(MIXED[:0])
    nothing = floor_solution(market)
    assert (nothing.decisions, nothing.utility, total_charge(market, nothing)) == ((), 0.0, 0)
    assert funded_of(market, nothing).tolist() == choice_of(market, nothing).tolist() == []
    assert charge_per_query(market, nothing).tolist() == []
