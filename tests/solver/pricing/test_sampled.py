"""Very many queries: the quick path finds the plain one's price, and caps as good, on random and tied input."""

from __future__ import annotations

import math
import os
import signal
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strategies, tolerances
from support.laws import examples

import clear_alloc as ca
from clear_alloc.solver.pricing import clearing as price
from clear_alloc.solver.pricing import sampled as crowd
from clear_alloc.solver.pricing.clearing import clearing_price, full_clearing
from clear_alloc.solver.pricing.sampled import sampled_clearing
from clear_alloc.solver.primal.sampled_rounding import sampled_solution
from clear_alloc.solver.splits import proportional_solution, splits_dominated, uniform_solution
from clear_alloc.support import parallel as blocks

NEVER = 10**9
NEAR = 1e-8  # of the upper bound: what a crowd is content with
solve = sys.modules["clear_alloc.solver.solve"]  # the package's name for it may be the function


def quickly(curves, budget, **terms):
    """`allocate` with the quick path tried whatever the number of queries."""
    with strategies.patched(solve, "SAMPLED_FROM", 0), strategies.patched(price, "SAMPLED_FROM", 0):
        return ca.allocate(curves, budget, **terms)


def plainly(curves, budget, **terms):
    with strategies.patched(solve, "SAMPLED_FROM", NEVER), strategies.patched(price, "SAMPLED_FROM", NEVER):
        return ca.allocate(curves, budget, **terms)


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
        with strategies.patched(price, "SAMPLED_FROM", 0):
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
        found += same_price(market, float(np.floor(pool)) if market.tariff.plain else pool)
    assert found >= 3


@pytest.mark.slow
@pytest.mark.parametrize("family", strategies.SMOOTH)
@pytest.mark.parametrize("terms", [{}, {"min_tokens": 7}, {"max_tokens": 700}, {"fallback": 20}, {"rate": 0.25}])
def test_caps_are_as_good_as_the_plain_ones(family, terms):
    accepted = 0
    for seed in range(6):
        rng = np.random.default_rng([5, seed])
        curves = strategies.draws(family, 3_000, rng)
        budget = int(rng.uniform(0.1, 0.7) * curves.break_even.sum() * terms.get("rate", 1.0)) + 60_000
        fast, plain = quickly(curves, budget, **terms), plainly(curves, budget, **terms)
        fast.audit()
        assert fast.price == pytest.approx(plain.price, rel=tolerances.PRICE_GRID, abs=0)
        assert fast.utility >= plain.utility - NEAR * plain.upper_bound
        assert fast.upper_bound <= plain.upper_bound * (1 + 1e-9)
        accepted += fast.tokens.tolist() != plain.tokens.tolist() or fast.utility == plain.utility
    assert accepted


@given(strategies.tied(), st.floats(0.0, 1.5), st.integers(1, 30))
@examples(150)
def test_on_ties_the_quick_path_is_never_worse_than_even_splits(records, share, copies):
    curves = strategies.build([record for record in records if record["family"] != strategies.MENU] * copies)
    if not len(curves):
        return
    budget = math.floor(share * float(curves.break_even.sum()))
    fast = quickly(curves, budget)
    fast.audit()
    plain = plainly(curves, budget)
    assert fast.utility >= plain.utility - NEAR * plain.upper_bound
    for split in (ca.uniform, ca.proportional):
        assert fast.utility >= split(curves, budget).utility


def solve_with_margin(n=8_000, family=strategies.SURGE, seed=0, **terms):
    """A market with its quick grant, and what belongs to it."""
    rng = np.random.default_rng(seed)
    curves = strategies.draws(family, n, rng)
    pool = float(int(0.4 * curves.break_even.sum()))
    market = strategies.market_of(curves, **terms)
    bracket, found = sampled_clearing(market, pool)
    clearing = price.cleared(bracket)
    made = sampled_solution(market, clearing, found, pool)
    assert made is not None
    return market, pool, clearing, made


@pytest.mark.parametrize("family", strategies.SMOOTH)
@pytest.mark.parametrize("floor", [0, 25])
def test_the_certificate_is_the_markets_own_dual_value(family, floor):
    market, pool, clearing, made = solve_with_margin(family=family, min_tokens=floor)
    assert made.dual_value == pytest.approx(market.dual_bound(clearing.price, pool), rel=1e-13)
    assert made.grant.utility == pytest.approx(float(market.smooth.curves.utility(made.grant.caps).sum()), rel=1e-13)
    assert made.grant.caps.sum() == pool
    assert made.grant.utility <= made.dual_value
    assert (made.grant.caps == np.floor(made.grant.caps)).all()
    assert ((made.grant.caps == floor) | (made.grant.caps >= market.smooth.least)).all()


@pytest.mark.parametrize("accounting", ["reserved", "expected"])
def test_leftovers_beyond_one_token_each_are_spent_at_one_lower_price(accounting):
    """And caps that don't fit the pool are nobody's: the plain path takes over."""
    market, pool, clearing, _ = solve_with_margin(family=strategies.LOGNORMAL, accounting=accounting, overrun=0.5)
    _, found = sampled_clearing(market, pool)
    more = sampled_solution(market, clearing, found, 1.02 * pool // 1)
    spent = market.smooth.charge(more.grant.caps).sum()
    assert 1.02 * pool // 1 - 1.0 < spent <= 1.02 * pool // 1
    assert more.dual_value == pytest.approx(market.dual_bound(clearing.price, 1.02 * pool // 1), rel=1e-13)
    side, caps = market.smooth, more.grant.caps
    inside = (caps > 1_000) & (caps > side.start + 2) & (caps < side.last_whole - 2)
    marginal = side.charged.efficiency(caps)[inside]
    assert inside.sum() > 1_000
    assert np.quantile(marginal, 0.99) / np.quantile(marginal, 0.01) < 1.2
    assert sampled_solution(market, clearing, found, pool - 5_000.0) is None


@pytest.mark.parametrize("family", strategies.SMOOTH)
def test_an_even_split_is_ruled_out_only_if_it_is_worse(family):
    ruled_out = 0
    for seed in (0, 1, 2, 3, 5):
        market, pool, clearing, made = solve_with_margin(8_000, family, seed)
        for gap in (made.dual_value - made.grant.utility, 0.02 * made.dual_value, 0.2 * made.dual_value):
            if splits_dominated(market, pool, clearing.price, gap):
                ruled_out += 1
                best = max(split(market, pool).utility for split in (uniform_solution, proportional_solution))
                assert best < made.dual_value - gap
    assert ruled_out >= 5


def test_an_even_split_that_is_optimal_is_never_ruled_out():
    curves = ca.LognormalArrival(np.full(500, 300.0), 2.0, 0.7)
    market, pool = strategies.market_of(curves), 400.0 * 500
    clearing = clearing_price(market, pool)
    gap = market.dual_bound(clearing.price, pool) - uniform_solution(market, pool).utility
    assert not splits_dominated(market, pool, clearing.price, gap)


def test_neither_threads_nor_blocks_change_a_bit(monkeypatch):
    rng = np.random.default_rng(9)
    curves = strategies.draws(strategies.SURGE, 30_000, rng)
    results = []
    for threads, block in (("1", 65_536), ("2", 7_001), ("3", 1_000)):
        monkeypatch.setenv("CLEAR_ALLOC_THREADS", threads)
        for module in (blocks, sys.modules["clear_alloc.market.smooth_demand"]):
            monkeypatch.setattr(module, "BLOCK", block)
        results.append(ca.allocate(curves[np.arange(30_000)], 5_000_000))
    for other in results[1:]:
        assert (other.tokens == results[0].tokens).all()
        assert (other.price, other.spent) == (results[0].price, results[0].spent)
        assert other.utility == pytest.approx(results[0].utility, rel=tolerances.ROUNDING)


@pytest.mark.parametrize("guess", [0.3, 0.97, 1.0, 1.03, 5.0])
def test_a_guess_of_the_price_never_changes_the_answer(guess):
    curves = strategies.draws(strategies.CUMULATIVE, 25_000, np.random.default_rng(2))
    first = ca.allocate(curves, 3_000_000)
    again = ca.allocate(curves, 3_000_000, start=guess * first.price)
    assert (again.tokens == first.tokens).all()
    assert again.price == first.price


def test_the_number_of_threads_is_judged(monkeypatch):
    for bad in ("0", "-1", "two", "1.5", "²"):
        monkeypatch.setenv("CLEAR_ALLOC_THREADS", bad)
        with pytest.raises(ca.InvalidArgument, match="CLEAR_ALLOC_THREADS"):
            blocks.each(abs, [1, 2])
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "2")
    assert blocks.each(abs, range(-5, 0)) == [5, 4, 3, 2, 1]


def test_sums_do_not_depend_on_their_order():
    market, pool, clearing, _ = solve_with_margin(5_000)
    _, found = sampled_clearing(market, pool)
    backwards = strategies.market_of(market.curves[np.arange(5_000)[::-1]])
    _, other = sampled_clearing(backwards, pool)
    for at in clearing.price * np.linspace(0.985, 1.015, 21):
        assert found.total(at) == other.total(at)


def test_an_error_in_a_block_reaches_the_caller():
    def act(part):
        if part == 3:
            raise ValueError("part 3")
        return part

    with pytest.raises(ValueError, match="part 3"):
        blocks.each(act, range(6))


def test_a_large_call_takes_the_quick_path(monkeypatch):
    monkeypatch.setattr(solve, "_best", None)  # the plain path's first step
    curves = strategies.draws(strategies.SURGE, 6 * crowd.SAMPLED_FROM, np.random.default_rng(1))
    result = ca.allocate(curves, 24_000_000)
    assert result.gap <= 1e-9 * result.upper_bound


def test_threads_within_threads_wait_for_nobody(monkeypatch):
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "2")
    inner = blocks.each(lambda k: sum(blocks.each(lambda j: 10 * k + j, range(4))), range(6))
    assert inner == [40 * k + 6 for k in range(6)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(monkeypatch):
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "2")
    assert blocks.each(abs, [-1, -2, -3]) == [1, 2, 3]
    child = os.fork()
    if not child:
        os._exit(0 if blocks.each(abs, [-1, -2, -3]) == [1, 2, 3] else 1)
    for _ in range(300):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the forked process hangs")
