"""Options as the market charges them: menus, listed levels, fallbacks, prices of their own."""

from __future__ import annotations

import numpy as np
import pytest
from support import strategies
from support.refusals import refused

import clear_alloc as ca
from clear_alloc.market.option_table import OptionTable


@pytest.mark.parametrize("policy", [ca.allocate, ca.exact, ca.uniform, ca.proportional], ids=lambda p: p.__name__)
def test_no_token_is_paid_for_nothing(policy):
    """Of equally good options the cheapest; no option at all where none is worth anything."""
    menu = ca.Menu([[9, 5], [5, 9], [4], [0, 5], [3, 8]], [[0.5, 0.5], [0.5, 0.5], [0.0], [0.3, 0.3], [0.2, 0.1]])
    result = policy(menu, 100)
    result.audit()
    assert result.tokens.tolist() == [5, 5, 0, 0, 3]
    assert result.choice.tolist() == [1, 0, -1, 0, 0]
    assert result.funded.tolist() == [True, True, False, True, True]


GOOD = ca.ShiftedSurge([100, 200, 300], 50, 0.5)


MENU = ca.Menu([[0, 80, 600], [80, 600], [600]], [[0.1, 0.2, 0.9], [0.3, 0.8], [0.5]])


def test_a_menu_buys_its_option_with_the_smallest_cap_that_covers_it():
    for levels in ({512, 1024}, {(512, 1024)}, range(512, 1025)):
        result = ca.allocate(MENU, 9000, levels=levels)
        result.audit()
        assert result.choice.tolist() == [2, 1, 0]
        assert result.tokens.tolist() == ([1024] * 3 if levels == {512, 1024} else [600] * 3)
    few = ca.allocate(MENU[:2], 1024, levels={(512, 1024)})
    assert (few.tokens.tolist(), few.choice.tolist()) == ([512, 512], [1, 0])
    result = ca.allocate(MENU, 1536, levels={0, 512, 1024})
    assert (result.tokens.tolist(), result.choice.tolist()) == ([1024, 512, 0], [2, 0, -1])
    # Of options worth the same the cheapest, whatever else the cap would cover.
    assert ca.allocate(ca.Menu([[60, 50, 70]], [[0.5, 0.5, 0.4]]), 100, levels={0, 100}).choice.tolist() == [1]
    assert ca.allocate(ca.Menu([[60, 50, 70]], [[0.5, 0.5, 0.4]]), 100, min_tokens=55).choice.tolist() == [1]
    # A floor alone lifts nothing: an option must reach it.
    assert ca.allocate(MENU[:2], 9000, min_tokens=90).tokens.tolist() == [600, 600]


def test_a_menu_falls_back_to_its_best_option_within():
    menu = ca.Menu(
        [[400, 30, 60, 0], [50, 60], [400], [60, 60]], [[0.9, 0.3, 0.2, 0.1], [0.1, 0.2], [0.9], [0.2, 0.3]]
    )
    for levels in (None, {0, 500}, {0, (450, 500)}, [None, {0}, {0, 500}, None]):
        result = ca.allocate(menu, 30 + 60 + 0 + 60, fallback=60, levels=levels)
        result.audit()
        assert result.tokens.tolist() == [30, 60, 0, 60]
        assert result.choice.tolist() == [1, 1, -1, 1]
        assert result.charges.tolist() == [30, 60, 0, 60]
        assert result.funded.tolist() == [False] * 4
    result = ca.allocate(menu, 30 + 60 + 400 + 60, fallback=60)
    assert (result.tokens.tolist(), result.choice.tolist()) == ([30, 60, 400, 60], [1, 1, 0, 1])
    assert result.funded.tolist() == [False, False, True, False]
    with pytest.raises(ca.BudgetTooSmall):
        ca.allocate(menu, 149, fallback=60)


def test_a_better_option_that_costs_less_takes_the_place_of_the_fallback():
    menu = ca.Menu([[80, 600, 600]] * 2, [[0.3, 0.9, 0.8]] * 2)
    for terms in ({"price": 0.0}, {"price": 1.0}, {"budget": 1200}, {"budget": 1e9}):
        result = ca.allocate(menu, **terms, rate=[[10, 1, 1]] * 2, fallback=100)
        result.audit()
        assert (result.choice.tolist(), result.charges.tolist()) == ([1, 1], [600, 600])
        assert result.funded.all()
    assert ca.allocate(menu, 700, rate=[[1, 10, 10]] * 2, fallback=100).choice.tolist() == [0, 0]


def test_a_floor_that_no_option_reaches_is_named():
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.allocate(ca.concatenate([GOOD, MENU]), 9000, min_tokens=[0, 0, 0, 601, 0, 0])
    refused(caught, "min_tokens", 3, 601.0, "a floor that an option of the menu meets")


def table_of(curves, **terms):
    """The option table of a market of finite choices alone."""
    (demand,) = strategies.market_of(curves, **terms).demands
    return demand.options


def test_options_stand_in_order_of_charge_with_what_they_are_called():
    table = table_of(ca.Menu([[600, 80, 30.5], [9]], [[0.8, 0.3, 0.4], [0.2]], weight=[2, 1]))
    assert table.tokens.tolist() == [[31, 80, 600], [9, np.inf, np.inf]]
    assert table.charge.tolist() == table.tokens.tolist()
    assert table.label[0].tolist() == [2, 2, 0]
    assert table.value[0].tolist() == [0.8, 0.8, 1.6]  # a cap of 80 buys the better option that it covers
    assert table.value[1].tolist() == [0.2, -np.inf, -np.inf]
    assert not table.forced.any()
    assert not table.deviation.any()


def test_prices_and_expected_costs_charge_each_option_for_itself():
    menu = ca.Menu([[100, 40]], [[0.9, 0.5]], expected=[[60, 30]], deviation=[[20, 5]])
    table = table_of(menu, accounting="expected", rate=[[2, 3]], call=[[1, 10]])
    assert table.label.tolist() == [[1, 0]]
    assert table.tokens.tolist() == [[40, 100]]
    assert table.charge.tolist() == [[30 * 3 + 10, 60 * 2 + 1]]
    assert table.deviation.tolist() == [[15, 40]]
    assert table.worst.tolist() == [[40 * 3 + 10, 100 * 2 + 1]]
    mean = ca.Menu([[100]], [[0.9]], deviation=[[20]])
    assert table_of(mean, accounting="expected").worst.tolist() == [[np.inf]]  # its cost has no limit


def test_listed_levels_are_options_and_the_fallback_is_one_more():
    curves = ca.LognormalArrival([300.0, 900.0], 0.5, 0.9)
    table = table_of(curves, levels={0, 256, 1024}, fallback=[64, 0])
    assert table.tokens.tolist() == [[256, 1024, 64], [256, 1024, 0]]
    np.testing.assert_allclose(table.value, curves.utility(table.tokens.T).T)
    assert (table.label == -1).all()
    forced = table_of(curves, levels={0, 256, 1024}, min_tokens=[0, 300])
    assert forced.forced.tolist() == [False, True]
    assert forced.tokens[1].tolist() == [1024, np.inf]
    burned = table_of(curves, levels={0, 256, 1024}, accounting="expected", rate=[2.0, 3.0])
    np.testing.assert_allclose(burned.charge, [[2.0], [3.0]] * curves.expected_cost(burned.tokens.T).T)
    np.testing.assert_allclose(burned.worst, [[2.0], [3.0]] * burned.tokens)


def test_tables_put_together_are_padded_with_what_nobody_can_buy():
    curves = ca.concatenate([ca.Menu([[10, 20, 30]], [[0.1, 0.2, 0.3]]), ca.LognormalArrival(300, 0.5, 0.9)])
    table = table_of(curves, levels=[None, {0, 256}])
    assert table.charge.tolist() == [[10, 20, 30], [256, np.inf, np.inf]]
    assert table.value[1, 1:].tolist() == [-np.inf, -np.inf]
    assert table.label[1].tolist() == [-1] * 3
    more = table.hstack(table)
    assert more.charge.shape == (2, 6)
    assert more.fallback is table.fallback
    assert OptionTable.concatenate([table]) is table
