"""Very many queries: a sample guides to the plain search's price, on random and tied input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strategies, tolerances
from support.laws import examples
from support.sampled_cases import sampled_case
from support.smooth_cases import (
    LIMITS,
    case_of,
)

import clear_alloc as ca
from clear_alloc.solver.pricing import clearing as pricer
from clear_alloc.solver.pricing import sampled
from clear_alloc.solver.pricing.clearing import clearing_price, full_clearing
from clear_alloc.solver.pricing.sampled import sampled_clearing


def same_price(market, pool):
    """Whether the crowd answered; if it did, that its bracket is the one a search over everybody finds.

    Sums in another order may differ in their last bits, which matters where demand hardly moves with the price.
    """
    found = sampled_clearing(market, pool)
    if found is None:
        return False
    bracket, around = found
    assert around.total(bracket.high) <= pool < around.total(bracket.low)
    assert market.total_demand(bracket.high) <= pool * (1 + tolerances.ROUNDING)
    assert market.total_demand(bracket.low) >= pool * (1 - tolerances.ROUNDING)
    assert bracket.low < bracket.high <= bracket.low * (1 + tolerances.PRICE_GRID)
    plain = full_clearing(market, pool)
    low, high = sorted((plain.price, bracket.high))
    if high > low * (1 + tolerances.PRICE_GRID):
        assert market.total_demand(low) <= market.total_demand(high) * (1 + tolerances.ROUNDING)
    return True


@pytest.mark.parametrize("family", strategies.SMOOTH)
@pytest.mark.parametrize("n", [60, 400, 5_000])
def test_the_price_is_that_of_a_search_over_everybody(family, n):
    found = 0
    for seed in range(12):
        rng = np.random.default_rng([n, seed])
        curves = strategies.draws(family, n, rng)
        pool = math.floor(rng.uniform(0.02, 0.6) * curves.break_even.sum())
        found += same_price(strategies.market_of(curves), float(pool))
    assert found >= (10 if n > 60 else 8)


@given(strategies.tied(), st.floats(0.01, 1.2), st.integers(1, 40))
@examples(150)
def test_ties_and_few_queries_are_told_apart_as_well(records, share, copies):
    curves = strategies.build([record for record in records if record["family"] != strategies.MENU] * copies)
    if len(curves):
        market, pool = strategies.market_of(curves), math.floor(share * float(curves.break_even.sum())) + 1.0
        same_price(market, pool)
        with strategies.patched(pricer, "SAMPLED_FROM", 0):
            found = clearing_price(market, pool)
        assert market.total_demand(found.price) <= pool * (1 + tolerances.ROUNDING)


@pytest.mark.parametrize("terms", [
    {"min_tokens": 40}, {"max_tokens": 600}, {"min_tokens": 10, "max_tokens": 800}, {"levels": {0, (256, 2048)}},
    {"fallback": 30}, {"rate": "own"}, {"rate": 0.002, "call": 0.1}, {"accounting": "expected", "overrun": 0.5},
])  # fmt: skip
@pytest.mark.parametrize("family", strategies.SMOOTH)
def test_limits_and_charges_are_kept(family, terms):
    if family == strategies.SURGE and "accounting" in terms:
        pytest.skip("a shifted surge knows no lengths")
    found = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        curves = strategies.draws(family, 800, rng)
        own_terms = {**terms, "rate": rng.uniform(1e-6, 1e-5, 800)} if terms.get("rate") == "own" else terms
        pool = 300.0 * 800
        if "rate" in own_terms:
            pool *= float(np.mean(own_terms["rate"])) + ("call" in own_terms) * 3e-4
        market = strategies.market_of(curves, **own_terms)
        found += same_price(market, float(np.floor(pool)) if market.plain else pool)
    assert found >= 3


def test_sums_do_not_depend_on_their_order():
    market, pool, clearing, _ = sampled_case(5_000)
    _, found = sampled_clearing(market, pool)
    backwards = strategies.market_of(market.curves[np.arange(5_000)[::-1]])
    _, other = sampled_clearing(backwards, pool)
    for at in clearing.price * np.linspace(0.985, 1.015, 21):
        assert found.total(at) == other.total(at)


def test_the_price_clears_many_of_few_kinds():
    """Rounding each of many equal charges the same way may not add up."""
    kind = np.random.default_rng(0).integers(0, 3, 300_000)
    curves = ca.LognormalArrival(np.array([301.0, 517.0, 911.0])[kind], 0.5, 0.5)
    ca.allocate(curves, 116_099_999).audit()
    every_other = ca.LognormalArrival(np.where(np.arange(40_000) % 2, 306.0, 300.0), 0.5, 0.5)
    ca.allocate(every_other, 240_521_540).audit()
    market, pool = strategies.market_of(every_other), 10_000_000.0
    bracket, found = sampled_clearing(market, pool)
    for price in (bracket.high, bracket.low):
        exact = math.fsum(market.divisible.charge(market.divisible.demand(price)))
        assert found.total(price) == pytest.approx(exact, rel=1e-14)
    assert full_clearing(market, pool).price == pytest.approx(bracket.high, rel=tolerances.PRICE_GRID)


@pytest.mark.parametrize("limits", [LIMITS[k] for k in ("none", "floors", "rates")])
def test_whoever_enters_right_at_an_end_of_the_doubt_is_counted(limits):
    """Exact, at every price between two entry prices, floors of the idle included."""
    curves, terms, _ = case_of(strategies.LOGNORMAL, limits, 80)
    market = strategies.market_of(curves, **terms)
    entry = np.sort(market.divisible.entry_price)
    low, high = float(entry[20]), float(entry[60])
    pool = market.total_demand(low)
    around = sampled.PriceWindow(market.divisible, low, high, pool)
    assert around.entry.tolist() == entry[60:20:-1].tolist()
    for price in (np.nextafter(low, 1), *entry[21:60:6], 0.5 * (entry[30] + entry[31]), np.nextafter(high, 0)):
        exact = math.fsum(market.divisible.charge(market.divisible.demand(price)))
        assert around.total(price) == pytest.approx(exact, rel=1e-13)
        count = int((entry > price).sum()) - 19
        assert around.totals(price)[count] == pytest.approx(exact, rel=1e-12)
        assert sum(len(part.rows) for part in around.funded(price)) == count + 19
        rows = np.concatenate([part.rows for part in around.funded(price)])
        assert sorted(rows) == np.flatnonzero(market.divisible.entry_price > price).tolist()


@pytest.mark.parametrize("limits", [LIMITS[k] for k in ("none", "floor", "rates", "range", "expected")])
@pytest.mark.parametrize("kind", [strategies.SURGE, strategies.CUMULATIVE, strategies.LOGNORMAL])
def test_three_passes_tell_the_price_so_well_that_two_looks_prove_it(kind, limits):
    if kind == strategies.CUMULATIVE and limits.get("accounting") == "expected":
        pytest.skip("its hazard rises all the way, so that demand is a step between two entry prices")
    curves, terms, _ = case_of(kind, limits, 3_000, seed=2)
    market = strategies.market_of(curves, **terms)
    # Demand may jump across the pool at one entry price; so it is made to pass between two.
    entry = np.sort(market.divisible.entry_price)
    pool = market.total_demand(0.5 * float(entry[1_500] + entry[1_501]))
    bracket, _ = sampled_clearing(market, pool)
    assert bracket.evaluations <= sampled._PASSES + 4
    for guess in (0.3, 0.9, 1.003, 3.0):  # a poor one is replaced by the sample's
        again, _ = sampled_clearing(market, pool, guess * bracket.high)
        assert again[:2] == bracket[:2]
