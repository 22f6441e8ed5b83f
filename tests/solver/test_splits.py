"""Splits that need no price: one cap for all, or caps in proportion."""

from __future__ import annotations

from support import strategies

import clear_alloc as ca
from clear_alloc.solver.primal.solution import (
    charge_per_query,
)
from clear_alloc.solver.splits import uniform_solution


def test_a_uniform_split_pays_for_what_a_floor_makes_a_menu_buy():
    menu = ca.Menu([[1.2, 5], [0, 40, 90]], [[0.3, 0.9], [0.8, 0.2, 1.0]])
    market = strategies.market_of(menu, [1, 3])
    grant = uniform_solution(market, 42.0)
    assert charge_per_query(market, grant).tolist() == [2, 40]
