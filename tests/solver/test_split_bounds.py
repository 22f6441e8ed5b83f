"""Even splits that are ruled out without being tried: never one that is as good."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strategies
from support.laws import examples
from support.sampled_cases import sampled_case
from support.smooth_cases import (
    LIMITS,
    case_of,
    splits_of,
    terms_of,
)

import clear_alloc as ca
from clear_alloc.curves import concatenate
from clear_alloc.solver import split_bounds
from clear_alloc.solver.pricing.clearing import clearing_price
from clear_alloc.solver.split_bounds import splits_dominated
from clear_alloc.solver.splits import proportional_solution, uniform_solution

TERMS = st.sampled_from(list(LIMITS.values()))


@given(
    strategies.tied(strategies.smooth_records(), most=6, copies=3),
    TERMS,
    st.floats(0.02, 1.1),
    st.integers(0, 9),
    st.integers(1, 3),
)
@examples(120)
def test_a_split_is_never_ruled_out_that_is_as_good(records, limits, share, seed, step):
    if limits.get("accounting") == "expected":
        records = [record for record in records if record["family"] != strategies.SURGE]
    if not records:
        return
    curves = strategies.build(records)
    market = strategies.market_of(curves, **terms_of(limits, len(curves), np.random.default_rng(seed)))
    side = market.divisible
    full = float(side.charge(side.last_whole).sum())
    pool = market.total_floor + share * (full - market.total_floor)
    pool = float(math.floor(pool)) if market.plain else pool
    if not pool > 0.0 or market.total_floor > pool:
        return
    clearing = clearing_price(market, pool)
    best = splits_of(market, pool)
    samples = (max(len(market) // step, 1), len(market))
    with strategies.patched(split_bounds, "_SAMPLES", samples):
        for price in (clearing.price, 0.7 * clearing.price, 1.5 * clearing.price, 0.0):
            dual = market.dual_bound(price, pool)
            gap = dual - best  # as good as the better split
            for more in (0.0, 1e-9 * dual, 0.1 * dual):
                assert not splits_dominated(market, pool, price, max(gap, 0.0) + more)
            for part in (0.0, 0.5, 0.9, 0.99):
                if gap > 1e-9 * dual and splits_dominated(market, pool, price, part * gap):
                    assert best < dual - part * gap


@pytest.mark.parametrize("kind", [*strategies.SMOOTH, "mixed"])
@pytest.mark.parametrize("limits", [LIMITS[k] for k in ("none", "floor", "rates", "expected")])
def test_a_split_that_is_far_worse_is_ruled_out(kind, limits):
    curves, terms, _ = case_of(kind, limits, 400)
    market = strategies.market_of(curves, **terms)
    pool = market.total_floor + 0.3 * float(market.divisible.charge(np.minimum(market.divisible.stop, 1_500.0)).sum())
    pool = math.floor(pool) if market.plain else pool
    clearing = clearing_price(market, pool)
    gap = market.dual_bound(clearing.price, pool) - splits_of(market, pool)
    assert gap > 0
    assert splits_dominated(market, pool, clearing.price, 0.05 * gap)
    assert not splits_dominated(market, pool, clearing.price, gap)


@pytest.mark.parametrize("seed", range(6))
def test_a_proportional_split_that_is_the_optimum_stays_a_rival(seed):
    """Queries that differ in scale alone: caps in proportion are best, and rounding may not hide that."""
    rng = np.random.default_rng(seed)
    median = rng.integers(1, 40, 300) * 0.1 * rng.integers(1, 9)
    cap = np.round(median / median.max() * 4_000.0)
    curves = ca.LognormalArrival(median, 1.5, 0.5, weight=median)
    market, pool = strategies.market_of(curves), float(cap.sum())
    for budget in (pool, pool - 1, pool + 1):
        clearing = clearing_price(market, budget)
        gap = market.dual_bound(clearing.price, budget) - splits_of(market, budget)
        assert not splits_dominated(market, budget, clearing.price, max(gap, 0.0))


def test_a_sample_s_caps_are_those_of_everybody_s_split():
    """Weights make one cap best for all, whatever their medians; a tenth of the queries tells so."""
    median = np.random.default_rng(0).uniform(100, 300, 600)
    plain = ca.LognormalArrival(median, 1.0, 0.5)
    curves = ca.LognormalArrival(median, 1.0, 0.5, 1e-3 / plain.marginal(400.0))
    market, pool = strategies.market_of(curves), 400.0 * 600
    gap = market.dual_bound(1e-3, pool) - uniform_solution(market, pool).utility
    assert gap == pytest.approx(0.0, abs=1e-9)
    assert splits_of(market, pool) == uniform_solution(market, pool).utility
    with strategies.patched(split_bounds, "_SAMPLES", (60,)):
        assert not splits_dominated(market, pool, 1e-3, max(gap, 1e-9))
        assert splits_dominated(market, 90_000.0, 1e-3, 0.0)


def test_shares_with_zeros_are_shares():
    curves = concatenate([ca.ShiftedSurge(np.zeros(40), 100.0, 0.5), ca.ShiftedSurge(np.full(40, 300.0), 50.0, 0.9)])
    market = strategies.market_of(curves)
    clearing = clearing_price(market, 6_000.0)
    dual = market.dual_bound(clearing.price, 6_000.0)
    best = splits_of(market, 6_000.0)
    assert splits_dominated(market, 6_000.0, clearing.price, 0.1 * (dual - best))
    assert not splits_dominated(market, 6_000.0, clearing.price, dual - best)


def test_an_even_split_that_is_optimal_is_never_ruled_out():
    curves = ca.LognormalArrival(np.full(500, 300.0), 2.0, 0.7)
    market, pool = strategies.market_of(curves), 400.0 * 500
    clearing = clearing_price(market, pool)
    gap = market.dual_bound(clearing.price, pool) - uniform_solution(market, pool).utility
    assert not splits_dominated(market, pool, clearing.price, gap)


@pytest.mark.parametrize("family", strategies.SMOOTH)
def test_an_even_split_is_ruled_out_only_if_it_is_worse(family):
    ruled_out = 0
    for seed in (0, 1, 2, 3, 5):
        market, pool, clearing, made = sampled_case(8_000, family, seed)
        for gap in (made.dual_value - made.solution.utility, 0.02 * made.dual_value, 0.2 * made.dual_value):
            if splits_dominated(market, pool, clearing.price, gap):
                ruled_out += 1
                best = max(split(market, pool).utility for split in (uniform_solution, proportional_solution))
                assert best < made.dual_value - gap
    assert ruled_out >= 5
