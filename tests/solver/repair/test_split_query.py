"""One query on the convex part of its curve: against every split of a small pool."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import integer_programme
from support import strategies

import clear_alloc as ca
from clear_alloc.solver.pricing.clearing import clearing_price
from clear_alloc.solver.primal.water_filling import greedy_funded_set, refill_funded
from clear_alloc.solver.repair.split_query import MOST_QUERIES, split_query, split_query_bound


def nobody(market):
    return tuple(demand.levels_at(1e300) for demand in market.demands)


def test_a_pool_too_small_for_anybody_goes_to_the_one_who_makes_most_of_it():
    curves = ca.LognormalArrival([100.0, 90.0, 400.0], 0.3, [0.5, 0.5, 0.9])
    market = strategies.market_of(curves)
    query, cap = split_query(market, nobody(market), 0.0, 60.0, 1e-3)
    assert (query, cap) == (1, 60.0)
    assert split_query(market, nobody(market), float(curves.utility(60.0)[1]), 60.0, 1e-3) is None  # no better
    assert split_query(market, nobody(market), 0.0, 500.0, 1e-3) == (2, 500.0)  # the late one climbs highest


def test_with_the_query_that_it_names_a_funded_set_comes_nearer_to_the_optimum():
    """Three queries and a pool for one or two of them: one stands where no price would put it."""
    rng, gained = np.random.default_rng(0), 0
    for _ in range(100):
        family = str(rng.choice(strategies.SMOOTH))
        records = [strategies.random_record(rng, family, 60.0) for _ in range(3)]
        market, budget = strategies.market_of(strategies.build(records)), int(rng.integers(10, 120))
        if not len(market.divisible.convex):
            continue
        best = integer_programme.best_utility(records, budget)
        clearing = clearing_price(market, float(budget))
        funded_set = greedy_funded_set(market, clearing, float(budget))
        plain = refill_funded(market, funded_set, float(budget), clearing.price)
        known = 0.0 if plain is None else plain.utility
        fixed = split_query(market, funded_set, known, float(budget), clearing.price)
        if fixed is None:
            continue
        query, cap = fixed
        assert query in market.divisible.convex
        assert cap == np.floor(cap) <= budget
        rival = refill_funded(market, funded_set, float(budget), clearing.price, fixed)
        assert rival.decisions[0][query] >= cap
        assert known < best
        assert rival.utility <= best * (1 + 1e-9)
        gained += rival.utility > known
    assert gained >= 8


def test_what_menus_take_is_not_there_for_the_query():
    curves = ca.concatenate([ca.LognormalArrival([100.0, 90.0], 0.3, 0.5), ca.Menu([[40]], [[0.3]])])
    market = strategies.market_of(curves)
    bought = (np.zeros(2, dtype=int), np.array([0]))
    query, cap = split_query(market, bought, 0.3, 100.0, 1e-3)
    assert (query, cap) == (1, 60.0)
    worth = float(curves.utility(60.0)[1]) + 0.3
    assert split_query(market, bought, worth * (1 + 1e-9), 100.0, 1e-3) is None
    assert split_query(market, bought, worth * (1 - 1e-9), 100.0, 1e-3) == (1, 60.0)


def test_it_is_looked_for_only_where_it_may_matter():
    menus = strategies.market_of(ca.Menu([[40]], [[0.3]]))
    assert split_query(menus, nobody(menus), 0.0, 100.0, 1e-3) is None
    assert split_query_bound(menus) == 0.0
    many = strategies.market_of(ca.LognormalArrival(np.full(MOST_QUERIES + 1, 100.0), 0.3, 0.5))
    assert split_query(many, nobody(many), 0.0, 60.0, 1e-3) is None
    few = strategies.market_of(ca.LognormalArrival([100.0, 90.0], 0.3, 0.5))
    assert split_query(few, nobody(few), 0.0, 60.0, 0.0) is None  # nothing is scarce
    side = few.divisible
    assert split_query_bound(few) == pytest.approx(float(side.value(side.start).max()))
    assert split_query_bound(strategies.market_of(ca.LognormalArrival(np.full(33, 100.0), 0.3, 0.5))) == 0.0
