"""The certificate: a dual value that no allocation exceeds, at any price and any pool."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import integer_programme
from support import strategies, tolerances
from support.laws import examples

from clear_alloc.solver.dual import DualBound, tightest
from clear_alloc.solver.pricing.clearing import clearing_price
from clear_alloc.solver.solve import price_and_bound


def bound_at(market, price, pool):
    return DualBound(market.dual_bound(price, pool), price, market)


@given(strategies.markets(most=3, copies=3), st.floats(0, 2))
@examples(60)
def test_at_any_price_no_allocation_is_worth_more(case, share):
    records, budget = case
    budget = min(budget, 3_000)
    market = strategies.market_of(strategies.build(records))
    best = integer_programme.best_utility(records, budget)
    bound = bound_at(market, share * market.highest_price, float(budget))
    assert bound.value >= best * (1 - tolerances.SATURATION) - 1e-12
    clearing, at_clearing = price_and_bound(market, float(budget))
    assert at_clearing.price == clearing.price
    assert at_clearing.value >= best * (1 - tolerances.SATURATION) - 1e-12
    # Of all prices the clearing one bounds most, but for what whole tokens and the grid of prices leave.
    assert at_clearing.value <= bound.value * (1 + 1e-6) + market.highest_price * len(records)


def test_a_pool_is_worth_its_price():
    market = strategies.market_of(strategies.draws(strategies.SURGE, 30, np.random.default_rng(0)))
    bound = bound_at(market, clearing_price(market, 5_000.0).price, 5_000.0)
    assert bound.recomputed(5_000.0) == bound.value
    assert bound.recomputed(5_010.0) - bound.value == pytest.approx(10.0 * bound.price)
    assert bound.own_prices is None


def test_the_tightest_bound_is_the_lowest():
    market = strategies.market_of(strategies.draws(strategies.SURGE, 30, np.random.default_rng(0)))
    price = clearing_price(market, 5_000.0).price
    bounds = [bound_at(market, factor * price, 5_000.0) for factor in (0.5, 1.0, 2.0)]
    assert tightest(bounds) is bounds[1]
    assert tightest(iter(bounds[:1])) is bounds[0]
