"""Demand of finite choices: envelopes, bases, and options that keep their names."""

from __future__ import annotations

import numpy as np
import pytest
from support import strategies

import clear_alloc as ca

MENU = ca.Menu([[10, 30, 50], [20, 40, 45], [5, 9, 9]], [[0.1, 0.5, 0.6], [0.3, 0.2, 0.8], [0.0, 0.4, 0.4]])


def demand_of(menu, **terms):
    (demand,) = strategies.market_of(menu, **terms).demands
    return demand


def test_a_menu_climbs_its_envelope_and_leaves_out_what_lies_below():
    demand = demand_of(MENU)
    assert demand.default().tolist() == [-1, -1, -1]
    # 0.1 for 10 is less than the line to 0.5 for 30; 0.2 for 40 is worth less than 0.3 for 20.
    np.testing.assert_allclose(demand.entry_price, [0.5 / 30, 0.8 / 45, 0.4 / 9])
    assert [demand.label(demand.best_at(price)).tolist() for price in (0.0, 0.006, 0.017, 0.02, 0.05)] == [
        [2, 2, 1], [1, 2, 1], [-1, 2, 1], [-1, -1, 1], [-1, -1, -1],
    ]  # fmt: skip
    assert demand.charge_at(0.006).tolist() == [30, 45, 9]
    assert demand.total_at(0.006) == 84


def test_at_the_very_price_of_an_edge_the_query_stays_below():
    demand = demand_of(ca.Menu([[8, 24]], [[0.5, 1.0]]))
    assert demand.charge_at(0.5 / 16).tolist() == [8]
    assert demand.charge_at(np.nextafter(0.5 / 16, 0)).tolist() == [24]
    assert demand.charge_at(0.0625).tolist() == [0]


def test_the_base_is_what_a_floor_a_free_option_or_a_fallback_asks_for():
    forced = demand_of(MENU, min_tokens=[0, 30, 6])
    assert forced.label(forced.base).tolist() == [-1, 0, 1]  # a cap of 40 covers the better option of 20
    assert forced.default_charge.tolist() == [0, 40, 9]
    free = demand_of(ca.Menu([[0, 9], [0, 9]], [[0.2, 0.5], [0.0, 0.5]]))
    assert free.base.tolist() == [0, -1]
    assert free.default_value.tolist() == [0.2, 0.0]
    back = demand_of(MENU, fallback=[30, 9, 9])
    assert back.label(back.base).tolist() == [1, -1, 1]
    assert back.default_charge.tolist() == [30, 0, 9]
    assert not back.is_funded(back.base, np.array([30.0, 9, 9])).any()
    with pytest.raises(ca.InvalidArgument, match="a floor that an option of the menu meets"):
        demand_of(MENU, min_tokens=[0, 46, 0])


def test_options_are_found_again_by_their_label_or_their_tokens():
    demand = demand_of(MENU)
    chosen = demand.option_of(np.array([2, 0, -1]), np.array([50.0, 20, 0]), np.array([True, True, False]))
    assert demand.label(chosen).tolist() == [2, 0, -1]
    levels = demand_of(ca.LognormalArrival([300.0, 500.0], 0.5, 0.9), levels={0, 128, 512})
    chosen = levels.option_of(np.array([-1, -1]), np.array([512.0, 128.0]), np.array([True, True]))
    assert levels.tokens(chosen).tolist() == [512, 128]


def test_without_what_is_too_dear_an_option_keeps_its_place():
    demand = demand_of(MENU)
    within = demand.without_unaffordable(35.0)
    assert np.isfinite(within.costs).tolist() == [[True, True, False], [True, False, False], [True, True, True]]
    assert demand.without_unaffordable(50.0) is demand
    same = within.best_at(0.0)
    assert within.charge(same).tolist() == demand.charge(same).tolist() == [30, 20, 9]


def test_the_core_tries_the_default_and_the_few_that_gain_most():
    costs = np.arange(1.0, 13.0)[None, :] * 10
    demand = demand_of(ca.Menu(costs, 1 - 0.8 ** np.arange(1, 13.0)[None, :]))
    (choices,) = demand.choices(np.array([0]), np.array([0.0, 0.01]), 0.008)
    assert choices.level[0] == -1
    assert len(choices.level) == 7
    gain = demand.values[0] - 0.008 * demand.costs[0]
    assert set(choices.level[1:].tolist()) == set(np.argsort(-gain)[:6].tolist())


def test_the_options_chosen_at_a_price_are_those_that_demand_counts():
    """At the very price of an edge too, where a query is indifferent and demand leaves it below."""
    records = [
        {"family": strategies.MENU, "costs": [8, 24, 56], "values": [0.5, 1.0, 1.5]},
        {"family": strategies.MENU, "costs": [8], "values": [0.25]},
    ]
    market = strategies.market_of(strategies.build(records))
    prices = np.sort(market.finite.steps.price)
    for price in [0.0, *prices, *np.nextafter(prices, 0), *np.nextafter(prices, 1)]:
        chosen = market.finite.best_at(price)
        assert market.finite.charge(chosen).sum() == market.total_demand(price)
        np.testing.assert_array_equal(market.finite.charge(chosen), market.curves.demand(price))
