"""What a sum of stopped lengths may come to: against its law, drawn sums and moments by quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from oracles.expected_cost import checked
from scipy import stats
from support import strategies
from support.length_records import EXPECTED, batch, realised

import clear_alloc as ca
from clear_alloc.solver.chance.sum_distribution import chance_of, margin_from_moments, upper_quantile
from clear_alloc.solver.primal.solution import charge_per_query, evaluate, floor_solution


def test_a_chance_is_that_of_a_normal_sum():
    z = np.array([-1.0, 0.0, 0.5, 1.645, 4.0, 8.0])
    assert [chance_of(one) for one in z.tolist()] == pytest.approx(stats.norm.sf(z).tolist(), rel=1e-12)


@pytest.mark.parametrize("chance", [0.3, 0.05, 0.01])
def test_the_quantile_of_one_stopped_length_is_that_of_its_law_or_its_cap(chance):
    law = stats.lognorm(0.6, scale=800)
    market = strategies.market_of(ca.LognormalArrival(800, 0.6, 0.9), **EXPECTED)
    for cap in (200.0, 900.0, 3_000.0, 20_000.0):
        found = upper_quantile(market, evaluate(market, [np.array([cap])]), float(stats.norm.isf(chance)))
        assert found == pytest.approx(min(law.isf(chance), cap), rel=0.01)


def test_the_quantile_of_some_is_that_of_their_own_sum():
    """Exact: who is left out might as well not be there; rates and a call move it as they move the charge."""
    rng = np.random.default_rng(5)
    records = batch(12, 5)
    caps, rate = np.floor(rng.uniform(300, 3_000, 12)), rng.uniform(0.5, 2, 12)
    among = np.arange(12) % 3 > 0
    for terms in ({}, {"rate": rate, "call": np.full(12, 7.0)}):
        market = strategies.market_of(strategies.build(records), **EXPECTED, **terms)
        few = market.take(np.flatnonzero(among))
        z = 1.2
        found = upper_quantile(market, evaluate(market, [caps]), z, among)
        assert found == pytest.approx(upper_quantile(few, evaluate(few, [caps[among]]), z), rel=1e-12)
        assert found > charge_per_query(market, evaluate(market, [caps]))[among].sum()


def test_no_grid_is_laid_where_terms_are_too_many_too_rare_or_certain():
    many = strategies.market_of(strategies.build(batch(300, 1)), **EXPECTED)
    assert upper_quantile(many, evaluate(many, [np.full(300, 500.0)]), 1.6) is None
    few = strategies.market_of(strategies.build(batch(5, 1)), **EXPECTED)
    caps = np.full(5, 500.0)
    assert upper_quantile(few, evaluate(few, [caps]), 3.5) is None  # a chance of 2e-4
    assert upper_quantile(few, floor_solution(few), 1.6) is None
    assert upper_quantile(few, evaluate(few, [caps]), 1.6) is not None
    menus = strategies.market_of(ca.Menu([[90]], [[0.5]], deviation=[[40]]), **EXPECTED)
    assert upper_quantile(menus, evaluate(menus, [np.array([0])]), 1.6) is None


def test_moments_give_the_normal_quantile_corrected_for_skewness_or_cantelli_s_bound():
    z = 1.6448536269514722
    one = lambda *x: float(margin_from_moments(z, *(np.array([v]) for v in x))[0])  # noqa: E731
    assert one(100.0, 0.0, 1.0, np.inf) == pytest.approx(10 * z)
    assert one(100.0, 500.0, 1.0, np.inf) == pytest.approx(10 * (z + (z * z - 1) / 6 * 0.5))
    assert one(100.0, 9e9, 1.0, np.inf) == pytest.approx(10 * (z + (z * z - 1) / 6))  # no skewness counts beyond 1
    assert one(100.0, 0.0, 21.0, np.inf) == pytest.approx(10 * math.sqrt(0.95 / 0.05))  # one term is a fifth
    assert one(100.0, 0.0, 1.0, 4.0) == 4.0  # there is no room for more
    assert one(0.0, 0.0, 0.0, np.inf) == 0.0
    assert margin_from_moments(40.0, *np.array([[1.0], [0.0], [1.0], [3.0]])).tolist() == [3.0]
    several = margin_from_moments(z, *np.array([[100.0, 4.0], [0.0, 0.0], [1.0, 0.1], [np.inf, 1.0]]))
    assert several.tolist() == pytest.approx([10 * z, 1.0])


@pytest.mark.slow
@pytest.mark.parametrize("overrun", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("n", [4, 60])
def test_the_margin_of_few_queries_reaches_to_the_quantile_of_their_sum(n, overrun):
    records, budget = batch(n, 8), 340.0 * n
    result = ca.allocate(strategies.build(records), budget, **EXPECTED, overrun=overrun)
    checked(result, records, int(result.tokens.max()), budget)
    draws = realised(records, result.tokens, np.random.default_rng(1), 200_000)
    quantile = np.quantile(draws, 1 - overrun)
    assert result.spent + result.margin == pytest.approx(
        quantile, abs=0.004 / overrun**0.5 * result.deviation + 0.02 * result.deviation
    )
    if n > 16:  # the margin is settled, and what it leaves is spent; of a few queries one may be too much
        assert result.spent + result.margin >= budget - 0.02 * result.margin


@pytest.mark.slow
@pytest.mark.parametrize("overrun", [1e-9, 0.05, 0.3])
def test_the_margin_of_many_queries_is_so_many_deviations_corrected_for_skewness(overrun):
    records, budget = batch(700, 8), 300_000.0
    result = ca.allocate(strategies.build(records), budget, **EXPECTED, overrun=overrun)
    funded = [(r, cap) for r, cap in zip(records, result.tokens.tolist(), strict=True) if cap]
    mean, variance, third = np.zeros(3)
    for record, cap in funded:
        grid = (np.arange(60_000) + 0.5) * cap / 60_000
        survival = stats.lognorm(record["spread"], scale=record["median"]).sf(grid)
        raw = [k * (grid ** (k - 1) * survival).sum() * cap / 60_000 for k in (1, 2, 3)]
        mean += raw[0]
        variance += raw[1] - raw[0] ** 2
        third += raw[2] - 3 * raw[1] * raw[0] + 2 * raw[0] ** 3
    z = stats.norm.isf(overrun)
    corrected = z + (z * z - 1) / 6 * third / variance**1.5
    assert result.spent == pytest.approx(mean, rel=1e-6)
    assert result.deviation == pytest.approx(np.sqrt(variance), rel=1e-5)
    assert result.margin == pytest.approx(corrected * np.sqrt(variance), rel=1e-5)
    assert len(funded) > 300
    assert 0.02 < third / variance**1.5 < 0.5


def test_uncertain_menus_beside_log_normals_count_as_normal_terms():
    """Menus whose spread outweighs that of the lengths: without their term the margin would be far too small."""
    records, rng = batch(10, 15), np.random.default_rng(16)
    menus = ca.Menu([[900.0]] * 12, [[0.9]] * 12, deviation=[[600.0]] * 12)
    curves = ca.concatenate([strategies.build(records), menus])
    result = ca.allocate(curves, 16_000, **EXPECTED, overrun=0.1)
    result.audit()
    bought = 900.0 * (result.choice >= 0).sum() + 600.0 * np.sqrt((result.choice >= 0).sum()) * rng.normal(
        size=50_000
    )
    assert (result.choice >= 0).sum() > 6
    sums = realised(records, result.tokens[:10], rng, 50_000) + bought
    assert 0.08 <= (sums > result.spent + result.margin).mean() <= 0.12


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.3, 1.0, 6.0])
def test_one_query_alone_keeps_the_agreed_chance(spread):
    """Its length passes the budget with a known chance. One length is far from normal: 5 % agreed may become 6."""
    lengths = stats.lognorm(spread, scale=1000)
    for budget in (50, 1000, 2000, 5000):
        result = ca.allocate(ca.LognormalArrival(1000, spread, 0.7), budget, **EXPECTED)
        result.audit()
        cap = float(result.tokens[0])
        assert cap <= budget or lengths.sf(budget) <= 0.06
