"""Menus against brute force; their options under the numbers that the caller gave."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import integer_programme
from support import strategies, tolerances
from support.laws import examples

import clear_alloc as ca


@given(st.lists(strategies.menu_records(), min_size=1, max_size=5), st.floats(0, 0.02))
@examples(100)
def test_a_menu_against_brute_force(records, price):
    menu = strategies.build(records)
    wanted, reservation, ceiling = menu.demand(price), menu.reservation_price(), menu.ceiling
    for k, record in enumerate(records):
        options = list(zip(record["costs"], record["values"], strict=True))
        for b in [0.0, 0.5, *record["costs"], 5000.0]:
            assert menu.utility(b)[k] == integer_programme.utility(record, b)
        free = integer_programme.utility(record, 0)
        surplus = [record["weight"] * v - price * c for c, v in options]
        best = max([*surplus, free])
        assert integer_programme.utility(record, wanted[k]) - price * wanted[k] >= best - tolerances.ROUNDING
        if wanted[k]:  # the cheapest of equals
            assert wanted[k] == min(c for (c, _), s in zip(options, surplus, strict=True) if s == max(surplus))
        slopes = [(record["weight"] * v - free) / c for c, v in options if c > 0]
        assert reservation[k] == pytest.approx(max([0.0, *slopes]), rel=tolerances.ROUNDING)
        top = integer_programme.utility(record, 1e9)
        assert ceiling[k] == min([c for c, v in options if record["weight"] * v == top] if top > free else [0])


def test_a_menu_keeps_its_options_in_the_order_given():
    costs, values = [[300, 0, 20, 20], [7]], [[0.9, 0.1, 0.3, 0.4], [1.0]]
    menu = ca.Menu(costs, values, weight=[2, 1])
    assert [row.tolist() for row in menu.costs] == costs
    assert [row.tolist() for row in menu.values] == values
    assert menu.free_value.tolist() == [0.2, 0]
    assert menu.emergence.tolist() == [0, 7]
    assert menu[[1, 0, 0]].to_records() == [menu.to_records()[k] for k in (1, 0, 0)]
    chosen = ca.allocate(menu, 27, ids=["a", "b"])
    assert chosen.choice.tolist() == [3, 0]  # of the two options of 20 tokens the better, under the caller's index
    assert chosen.tokens.tolist() == [20, 7]


def test_a_free_option_is_bought_without_tokens():
    result = ca.allocate(ca.Menu([[5, 0], [0], [4]], [[0.6, 0.5], [0], [0.1]]), 0)
    assert result.tokens.tolist() == [0, 0, 0]
    assert result.choice.tolist() == [1, -1, -1]  # a free option worth nothing is no option
    assert result.funded.tolist() == [True, False, False]
    assert result.utility == 0.5
