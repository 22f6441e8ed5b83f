"""What a caller asks for, checked once: curves, budget, names and the overrun that is agreed."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.laws import examples

import clear_alloc as ca
from clear_alloc.curves import MAX_TOKENS
from clear_alloc.market.problem import checked_budget, in_market_units, read_problem
from clear_alloc.market.tariff import Tariff
from clear_alloc.market.terms import AllocateOptions

GOOD = ca.ShiftedSurge([100, 200, 300], 50, 0.5)


def problem_of(budget, **terms):
    return read_problem(GOOD, budget, AllocateOptions(**terms))


def fits(tokens, rate, budget):
    """Whether so many tokens are paid for, in decimals as they are written or as a product of floats."""
    return tokens * rate <= budget or Decimal(repr(rate)) * Decimal(tokens) <= Decimal(repr(budget))


def test_only_whole_tokens_can_be_spent_where_they_are_charged_as_they_are():
    assert (problem_of(500.9).pool, problem_of(500.9).budget) == (500.0, 500.9)
    assert problem_of(None).pool == np.inf
    assert problem_of(500.9, rate=[1, 2, 3]).pool == pytest.approx(500.9, rel=1e-14)
    money = problem_of(50.0, rate=0.1)
    assert (money.pool, money.unit, money.market.plain) == (500.0, 0.1, True)


@given(st.floats(1e-12, 1e6), st.integers(0, 10**9), st.sampled_from([0.0, 0.3, 0.999]))
@examples(100)
def test_so_many_tokens_as_their_price_fits_the_budget_and_not_one_more(rate, tokens, part):
    """Exact, in decimals or as floats compare: whatever the quotient of budget and rate is rounded to."""
    budget = (tokens + part) * rate
    pool = in_market_units(budget, Tariff(unit=rate), plain=True)
    assert pool == np.floor(pool)
    assert fits(pool, rate, budget)
    assert not fits(pool + 1.0, rate, budget)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.7, 1e-6, 1 / 3, 15e-6])
def test_a_quotient_rounded_to_the_wrong_side_of_a_whole_number_is_put_right(rate):
    """42 is the floor of 43 x 0.1 / 0.1, and 17 that of a little less than 17 x 0.1."""
    for tokens in range(1, 200):
        less = float(np.nextafter(tokens * rate, 0.0))
        assert in_market_units(tokens * rate, Tariff(unit=rate), plain=True) == tokens
        most = tokens if fits(tokens, rate, less) else tokens - 1
        assert in_market_units(less, Tariff(unit=rate), plain=True) == most


def test_a_pool_beyond_all_tokens_is_all_tokens():
    assert in_market_units(2.0**53, Tariff(unit=1e-15), plain=True) == MAX_TOKENS
    assert in_market_units(np.inf, Tariff(unit=0.5), plain=True) == np.inf
    assert in_market_units(7.5, Tariff("expected", unit=0.5), plain=False) == 15.0


@pytest.mark.parametrize("overrun", [1e-9, 0.05, 0.3, 0.5])
def test_an_overrun_is_so_many_deviations_of_a_normal_sum(overrun):
    curves = ca.LognormalArrival([300.0], 0.5, 0.9)
    problem = read_problem(curves, 500, AllocateOptions(accounting="expected", overrun=overrun))
    assert problem.z_score == pytest.approx(stats.norm.isf(overrun) if overrun < 0.5 else 0.0)
    assert read_problem(curves, 500, AllocateOptions(overrun=overrun)).z_score == 0.0


def test_names_are_the_callers_or_those_of_every_record():
    rows = [ca.Query(id=name, family="lognormal", median=300, spread=0.5, solvability=0.9) for name in "ab"]
    assert read_problem(rows, 500, AllocateOptions()).names.listed == ("a", "b")
    assert read_problem(rows, 500, AllocateOptions(ids=[1, 2])).names.listed == (1, 2)
    assert problem_of(500).names is None


@pytest.mark.parametrize("budget", [0, 0.5, 10, 2.0**53, np.int64(5), np.float32(7)])
def test_a_budget_is_a_finite_amount(budget):
    assert checked_budget(budget) == float(budget)


@pytest.mark.parametrize("budget", [-1, -1e-300, np.nan, np.inf, 2.0**54, True, "5", [5], None])
def test_what_is_no_budget_is_refused(budget):
    with pytest.raises(ca.InvalidArgument, match="budget is "):
        checked_budget(budget)


def test_floors_above_the_budget_are_refused_with_both_sums():
    with pytest.raises(ca.BudgetTooSmall, match="min_tokens sum to 60 tokens") as caught:
        problem_of(59, min_tokens=20)
    assert (caught.value.required, caught.value.budget) == (60, 59)
    with pytest.raises(ca.BudgetTooSmall, match="min_tokens and fallbacks sum to 30 tokens"):
        problem_of(29, fallback=10)
    with pytest.raises(ca.BudgetTooSmall, match="sum to 6 budget units"):
        problem_of(5.9, min_tokens=20, rate=0.1)
    assert problem_of(60, min_tokens=20).market.total_floor == 60


def test_what_whole_tokens_cost_is_compared_as_decimals_are():
    """Three times 0.1 is 0.3, whatever floats make of it, and 0.1 + 0.2 pays for it too."""
    step = ca.Menu([[1]] * 4, [[0.5]] * 4)
    for count, budget in ((3, 0.1 + 0.2), (3, 0.3), (2, 0.29999999999999993), (2, 0.2), (0, 0.09999999999999999)):
        result = ca.allocate(step, budget, rate=0.1)
        assert result.spent <= budget
        result.audit()
        assert result.funded.sum() == count
    assert ca.allocate(GOOD, 2.0**52, rate=1e-15).status is ca.Status.SLACK
    assert ca.allocate(GOOD, 2.0**53, rate=1e-15, accounting="reserved").spent == pytest.approx(750e-15)


def test_floors_in_money_must_fit():
    with pytest.raises(ca.BudgetTooSmall) as caught:
        ca.allocate(GOOD, 1.0, rate=0.25, min_tokens=[0, 2, 3])
    assert (caught.value.required, caught.value.budget) == (1.25, 1.0)
