"""One market, one pool: the quick path against the plain one, splits as rivals, edges, the repair alone."""

from __future__ import annotations

import itertools
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import integer_programme
from support import strategies, tolerances
from support.laws import examples
from support.smooth_cases import (
    NEAR,
    NEVER,
    case_of,
    sampled_from,
)

import clear_alloc as ca
from clear_alloc.solver.pricing import clearing as pricer
from clear_alloc.solver.pricing import sampled
from clear_alloc.solver.pricing.clearing import Status
from clear_alloc.solver.primal.sampled_rounding import Certified
from clear_alloc.solver.primal.solution import (
    floor_solution,
    total_charge,
)
from clear_alloc.solver.primal.water_filling import refill_funded
from clear_alloc.solver.solve import best_combination, improved, price_and_bound, priced_only
from clear_alloc.solver.solve import solve as solve_market
from clear_alloc.support import parallel as blocks

solver = sys.modules["clear_alloc.solver.solve"]  # the package's name for it may be the function


def test_a_split_that_might_win_is_tried():
    curves = strategies.draws(strategies.SURGE, 300, np.random.default_rng(0))
    pool = 300.0 * 300
    splits = [split(curves, pool).utility for split in (ca.uniform, ca.proportional)]

    market = strategies.market_of(curves)

    def poor(clearing, *_):
        return Certified(floor_solution(market), market.dual_bound(clearing.price, pool))

    with (
        sampled_from(50),
        strategies.patched(solver, "sampled_solution", poor),
        strategies.patched(solver, "_ENOUGH_SAMPLED", 1.0),
    ):
        assert ca.allocate(curves, pool).utility >= max(splits)
    with sampled_from(50), strategies.patched(solver, "sampled_solution", poor):  # nor is a poor grant certified
        assert ca.allocate(curves, pool).gap <= 1e-3


OPTIONS = {
    "none": {},
    "floor": {"min_tokens": 15},
    "floors": {"min_tokens": "own"},
    "ceiling": {"max_tokens": 600},
    "ceilings": {"max_tokens": "own"},
    "range": {"levels": {0, (200, 1_500)}},
    "caps": {"levels": {0, 256, 1024}},
    "fallback": {"fallback": 25},
    "rate": {"rate": 0.004},
    "rates": {"rate": "own"},
    "call": {"rate": 0.5, "call": 20.0},
    "expected": {"accounting": "expected", "overrun": 0.5},
    "expected floor": {"accounting": "expected", "overrun": 0.5, "min_tokens": 15},
    "expected call": {"accounting": "expected", "overrun": 0.5, "call": 9.0},
    "margin": {"accounting": "expected", "overrun": 0.05},
    "margin rates": {"accounting": "expected", "overrun": 0.01, "rate": "own"},
    "start": {"start": 1e-3},
    "bad start": {"start": 1e300},
}


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(
    ("kind", "n"), [(strategies.SURGE, 51), (strategies.CUMULATIVE, 200), (strategies.LOGNORMAL, 300), ("mixed", 70)]
)
def test_every_option_of_a_crowd_gives_what_the_plain_path_gives(kind, n, options):
    curves, terms, rng = case_of(kind, options, n, seed=n)
    rate = np.mean(terms.get("rate", 1.0)) if "rate" in terms else 1.0
    budget = float(rate * n * rng.uniform(120, 400) + terms.get("call", 0.0) * n * 0.3)
    ids = [f"q{k}" for k in range(n)]
    with sampled_from(50, block=64):
        fast = ca.allocate(curves, budget, ids=ids, **terms)
        fast.audit()
    with sampled_from(NEVER):
        plain = ca.allocate(curves, budget, ids=ids, **terms)
        splits = (
            [split(curves, budget, **terms) for split in (ca.uniform, ca.proportional)]
            if "start" not in terms
            else []
        )
    assert fast.ids == plain.ids
    assert fast.spent + fast.margin <= budget * (1 + 1e-12)
    for rival in splits:
        assert fast.utility >= rival.utility * (1 - tolerances.ROUNDING)
    if fast.margin:
        # Each path settles its margin in its own rounds: to 0.2 % of it.
        assert fast.utility >= plain.utility * (1 - 2e-4)
        assert fast.price == pytest.approx(plain.price, rel=2e-2)
    else:
        assert fast.utility >= plain.utility - NEAR * plain.upper_bound
        assert fast.price == pytest.approx(plain.price, rel=tolerances.PRICE_GRID)
        assert fast.upper_bound <= plain.upper_bound * (1 + 1e-8)


def quietly(curves, budget, block=64, **terms):
    """A crowd's answer, audited; nothing in it is nan."""
    with sampled_from(0, block), np.errstate(all="raise", under="ignore"):
        result = ca.allocate(curves, budget, **terms)
        result.audit()
    for value in (result.price, result.utility, result.upper_bound, result.spent, result.gap):
        assert math.isfinite(value)
    return result


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", strategies.SMOOTH)
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 128, 129])
def test_any_number_of_queries_falls_into_blocks(kind, n):
    curves = strategies.draws(kind, n, np.random.default_rng(n))
    whole = int(np.ceil(curves.ceiling).sum())
    for budget in (0, 1, 300, 150 * n, whole - 1, whole, whole + 1, 10 * whole):
        result = quietly(curves, budget)
        assert result.tokens.sum() <= budget
        if budget == 0:
            assert not result.tokens.any()
        if budget >= whole:
            assert result.status is Status.SLACK
            assert result.price == 0.0
            assert (result.tokens == np.ceil(curves.ceiling)).all()
        if budget == whole - 1:
            assert result.tokens.sum() == whole - 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", strategies.SMOOTH)
def test_a_crowd_of_nothing_of_one_kind_or_beside_a_giant(kind):
    rng = np.random.default_rng(5)
    curves = strategies.draws(kind, 200, rng)
    parameters = curves.to_records()
    nothing = strategies.build([{**r, "weight": 0.0} for r in parameters])
    for budget in (20_000, 10**9):
        result = quietly(nothing, budget)
        assert (result.utility, result.price, result.status) == (0.0, 0.0, Status.SLACK)
        assert not result.tokens.any()
    alike = strategies.build([parameters[0]] * 200)
    for budget in (1, 7_000, 50_000):
        result = quietly(alike, budget)
        with sampled_from(NEVER):
            plain = ca.allocate(alike, budget)
        assert result.utility >= plain.utility - NEAR * plain.upper_bound
    for row in (0, 1, 199):
        giant = strategies.build([{**r, "weight": 1e9} if k == row else r for k, r in enumerate(parameters)])
        result = quietly(giant, 9_000)
        assert result.funded[row]
        with sampled_from(NEVER):
            plain = ca.allocate(giant, 9_000)
        assert result.utility >= plain.utility * (1 - NEAR)
        assert result.price == pytest.approx(plain.price, rel=tolerances.PRICE_GRID)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("accounting", ["reserved", "expected"])
def test_extreme_spreads_in_a_crowd(accounting):
    rng = np.random.default_rng(6)
    n = 200
    spread = np.exp(rng.uniform(np.log(1e-9), np.log(20), n))
    curves = ca.LognormalArrival(10.0 ** rng.uniform(-1, 6, n), spread, rng.uniform(0.05, 1, n))
    for budget in (0, 10, 20_000, 10**7, 10**10):
        with sampled_from(0, 64):
            result = ca.allocate(curves, budget, accounting=accounting, overrun=0.5)
            result.audit()
        assert math.isfinite(result.gap)


@pytest.mark.parametrize("eps", [1e-3, 1e-5, 1e-7, 1e-9])
def test_a_sample_that_is_nearly_saturated_misleads_nobody(eps):
    """Every other row, which the sample doesn't see, wants more: demand hardly moves at the sample's price."""
    n = 40_000
    assert n // sampled._SAMPLE == 2
    threshold = np.full(n, 300.0)
    threshold[1::2] = 306.0
    result = ca.allocate(ca.ShiftedSurge(threshold, 100.0, 0.5), int(n * 400 * (1 - eps)))
    result.audit()
    assert result.gap <= 1e-4 * result.upper_bound


def test_no_budget_beside_one_who_is_worth_more_than_the_sample():
    peak = np.full(3_000, 0.5)
    peak[1] = 1.0
    curves = ca.ShiftedSurge(np.full(3_000, 300.0), 100.0, peak)
    for budget in (0, 350, 399, 400):
        with sampled_from(50), strategies.patched(sampled, "_SAMPLE", 1_000):
            result = ca.allocate(curves, budget)
        result.audit()
        assert result.tokens[1] == budget
        assert result.tokens.sum() == budget


@pytest.mark.filterwarnings("error")
def test_a_pool_near_the_smallest_floats_is_no_error():
    worth = np.where(np.arange(3_000) % 3, 1.05, 1.0)
    curves = ca.LognormalArrival(1e13, 0.5, 0.5, worth)
    for budget in (1e-300, 1e-290, 1e-100):
        with sampled_from(50), strategies.patched(sampled, "_SAMPLE", 1_000):
            result = ca.allocate(curves, budget, accounting="expected", overrun=0.5)
        result.audit()
        assert not result.tokens.any()


def test_a_large_call_takes_the_quick_path(monkeypatch):
    monkeypatch.setattr(solver, "improved", None)  # the plain path's first step
    curves = strategies.draws(strategies.SURGE, 6 * sampled.SAMPLED_FROM, np.random.default_rng(1))
    result = ca.allocate(curves, 24_000_000)
    assert result.gap <= 1e-9 * result.upper_bound


def quickly(curves, budget, **terms):
    """`allocate` with the quick path tried whatever the number of queries."""
    with strategies.patched(solver, "SAMPLED_FROM", 0), strategies.patched(pricer, "SAMPLED_FROM", 0):
        return ca.allocate(curves, budget, **terms)


def plainly(curves, budget, **terms):
    with strategies.patched(solver, "SAMPLED_FROM", NEVER), strategies.patched(pricer, "SAMPLED_FROM", NEVER):
        return ca.allocate(curves, budget, **terms)


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


def test_who_may_start_with_any_number_of_tokens_takes_part_in_what_is_left():
    """Without a threshold a query is never priced out for good; the repair alone must find that."""
    for seed in range(120):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 7))
        threshold = np.where(rng.random(n) < 0.5, 0, rng.integers(1, 50, n))
        curves = ca.ShiftedSurge(threshold, rng.uniform(3, 40, n), rng.uniform(0.1, 1, n))
        budget = int(rng.uniform(0.2, 0.8) * float(curves.ceiling.sum()))
        best = ca.exact(curves, budget).utility
        with strategies.repair_only():
            assert ca.allocate(curves, budget).utility >= best * (1 - 1e-9)


def small_market(seed, families=strategies.FAMILIES, n=6):
    rng = np.random.default_rng(seed)
    records = [strategies.random_record(rng, str(rng.choice(families)), 30.0) for _ in range(n)]
    return records, strategies.market_of(strategies.build(records)), float(rng.integers(20, 120))


@pytest.mark.parametrize("seed", range(12))
def test_each_step_is_worth_no_less_than_the_one_before_and_no_more_than_the_optimum(seed):
    records, market, pool = small_market(seed)
    best = integer_programme.best_utility(records, int(pool))
    clearing, bound = price_and_bound(market, pool)
    priced = priced_only(market, pool)
    with strategies.repair_only():
        (repaired,), tightened = improved(market, clearing, bound, pool)
    result = solve_market(market, pool)
    steps = [floor_solution(market), priced, repaired, result.solution]
    for less, more in itertools.pairwise(steps):
        assert more.utility >= less.utility * (1 - tolerances.ROUNDING)
    for solution in steps:
        assert total_charge(market, solution) <= pool
        assert solution.utility <= best * (1 + tolerances.SATURATION)
    assert result.bound.value <= bound.value
    assert tightened.value <= bound.value
    assert result.bound.value >= best * (1 - tolerances.SATURATION)
    assert result.solution.utility == pytest.approx(best, rel=2 * tolerances.SATURATION)


@pytest.mark.parametrize("seed", range(6))
def test_the_best_combination_is_better_or_there_is_none(seed):
    records, market, pool = small_market(seed)
    best = integer_programme.best_utility(records, int(pool))
    _, bound = price_and_bound(market, pool)
    found = best_combination(market, floor_solution(market), bound, pool, exact=True)
    assert found.utility == pytest.approx(best, rel=2 * tolerances.SATURATION)
    assert total_charge(market, found) <= pool
    assert best_combination(market, found, bound, pool) is None


def test_too_many_choices_are_an_error_only_where_the_answer_must_be_exact():
    market = strategies.market_of(strategies.draws(strategies.LOGNORMAL, 600, np.random.default_rng(0)))
    _, bound = price_and_bound(market, 100_000.0)
    assert best_combination(market, floor_solution(market), bound, 100_000.0) is None
    with pytest.raises(ca.TooLarge, match=r"use ca\.allocate"):
        best_combination(market, floor_solution(market), bound, 100_000.0, exact=True)


def test_another_filler_is_asked_for_every_funded_set():
    """Where funded sets are filled to a smaller pool, no answer spends more than that."""
    _, market, pool = small_market(3, strategies.SMOOTH, 12)
    clearing, bound = price_and_bound(market, pool)
    asked = []

    def half(within, price, _):
        def refill(funded_set, fixed):
            asked.append(funded_set)
            return refill_funded(within, funded_set, 0.5 * pool, price, fixed)

        return refill

    with strategies.repair_only():
        (solution,), _ = improved(market, clearing, bound, pool, half)
    assert asked
    assert total_charge(market, solution) <= 0.5 * pool
