"""Budgets in money, menus of several models, a price in place of a budget: against every choice listed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import strategies, tolerances
from support.laws import examples
from support.listed_choices import KNOWN, instances, losses
from support.refusals import refused

import clear_alloc as ca

laws = examples(30)
GOOD = ca.ShiftedSurge([100, 200, 300], 50, 0.5)
MENU = ca.Menu([[0, 80, 600], [80, 600], [600]], [[0.1, 0.2, 0.9], [0.3, 0.8], [0.5]])
SMALL = {"queries": 4, "scale": 12.0}

MONEY = {
    "smooth": (strategies.SMOOTH, SMALL),
    "smooth with levels": (strategies.SMOOTH, {"levels": "points"}),
    "smooth with ranges": (strategies.SMOOTH, {"levels": "range", **SMALL}),
    "menus": ([strategies.MENU], {}),
    "menus with levels": ([strategies.MENU], {"levels": "any"}),
    "mixed": (strategies.FAMILIES, {"levels": "any", "floors": True, **SMALL}),
    "fallbacks": (strategies.FAMILIES, {"levels": "any", "fallback": True, **SMALL}),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", MONEY)
def test_money_loses_next_to_nothing(kind):
    families, terms = MONEY[kind]
    loss = losses(instances(11, 40, families, money=True, **terms))
    assert loss.mean() <= 1e-3
    assert loss.max() <= 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["smooth with levels", "menus"])
def test_the_repair_of_finite_choices_in_money_comes_close(kind):
    families, terms = MONEY[kind]
    with strategies.repair_only():
        loss = losses(instances(12, 40, families, money=True, **terms))
    assert loss.mean() <= 1e-3
    assert loss.max() <= 1e-2


@pytest.mark.slow
def test_prices_per_token_under_expected_accounting():
    cases = instances(13, 30, [*KNOWN, strategies.MENU], levels="points", money=True, expected=True)
    loss = losses([one for one in cases if None not in one.terms["levels"]], overrun=0.5)
    assert loss.mean() <= 1e-3
    assert loss.max() <= 1e-2


def test_one_rate_is_the_same_as_tokens():
    """Caps, price and sum; whatever the product of a rate and a whole number is rounded to."""
    rng = np.random.default_rng(7)
    rates = [0.1, 0.2, 0.3, 0.7, 1e-6, 3e-6, 1.1e-6, 15e-6, 1 / 3, 2.0**-20, 7.0, 1e6, 1e-15, *rng.uniform(0, 1, 2)]
    curves = {family: strategies.column(family, 12, rng, 60) for family in strategies.FAMILIES}
    for k, rate in enumerate(rates):
        for family, column in curves.items():
            for budget in (1, *rng.integers(0, 900, 2).tolist()):
                tokens = ca.allocate(column, budget)
                one = ({"rate": rate}, {"rate": [rate] * 12}, {"rate": rate, "call": 0.0}, {"rate": [[rate]] * 12})
                money = ca.allocate(column, budget * rate, **one[k % 4])
                money.audit()
                assert money.tokens.tolist() == tokens.tokens.tolist()
                assert money.price * rate == pytest.approx(tokens.price, rel=1e-12)
                assert (money.utility, money.upper_bound) == (tokens.utility, tokens.upper_bound)
                assert money.spent == pytest.approx(tokens.spent * rate, rel=1e-15)
                assert money.spent <= money.budget == budget * rate
                assert money.charges.tolist() == pytest.approx((tokens.charges * rate).tolist(), rel=1e-15)
                if family == strategies.MENU:
                    assert money.choice.tolist() == tokens.choice.tolist()
            less = ca.allocate(column, math.nextafter(budget * rate, 0.0), rate=rate)
            assert less.spent <= less.budget


def test_a_common_rate_under_expected_accounting():
    rng = np.random.default_rng(8)
    for curves in (strategies.draws(strategies.LOGNORMAL, 20, rng), ca.Menu([[100, 300]] * 40, [[0.3, 0.6]] * 40,
                   expected=[[60, 150]] * 40, deviation=[[20, 90]] * 40)):  # fmt: skip
        for budget in (500.0, 2500.0):
            tokens = ca.allocate(curves, budget, accounting="expected")
            money = ca.allocate(curves, budget * 2.0**-17, rate=2.0**-17, accounting="expected")
            for result in (tokens, money):
                result.audit()
            assert money.tokens.tolist() == tokens.tokens.tolist()
            names = ("spent", "margin", "deviation")
            found = [getattr(money, name) for name in names]
            assert found == pytest.approx([getattr(tokens, name) * 2.0**-17 for name in names], rel=1e-12)
            assert money.price == pytest.approx(tokens.price * 2.0**17, rel=1e-12)


def test_the_deviation_of_an_option_has_its_price():
    """And the margin is no more than what the option can cost at worst, if its cost is a limit."""
    menu = ca.Menu([[50, 100]], [[0.2, 0.5]], expected=[[20, 60]], deviation=[[10, 30]])
    for call, budget in ((None, 1000), ([[7, 5]], 1000), ([[7, 5]], 205)):
        result = ca.allocate(menu, budget, rate=[[3, 2]], call=call, accounting="expected")
        result.audit()
        assert (result.choice.tolist(), result.deviation, result.margin) == ([1], 60.0, 80.0)
        assert result.spent == 120 + (0 if call is None else 5)
    mean = ca.Menu([[50, 100]], [[0.2, 0.5]], deviation=[[0, 30]])
    result = ca.allocate(mean, 1000, rate=[[3, 2]], accounting="expected")
    assert (result.spent, result.deviation) == (200.0, 60.0)
    assert result.margin > 60
    assert ca.allocate(mean, 259, rate=[[3, 2]], accounting="expected").choice.tolist() == [0]


def test_a_call_is_charged_once_for_who_gets_tokens():
    rng = np.random.default_rng(9)
    for family in strategies.SMOOTH[1:]:
        curves = strategies.draws(family, 30, rng)
        rate, call = rng.uniform(1e-6, 5e-6, 30), rng.uniform(0, 1e-3, 30)
        for budget in (0.0, 0.01, 1.0):
            for terms in ({}, {"fallback": 10}, {"levels": {0, 400, 900}}, {"min_tokens": [5] * 3 + [0] * 27}):
                least = (rate * 10 + call).sum() if "fallback" in terms else 0.0
                least += (rate * 5 + call)[:3].sum() if "min_tokens" in terms else 0.0
                result = ca.allocate(curves, budget + least, rate=rate, call=call, **terms)
                result.audit()
                expected = result.tokens * rate + call * (result.tokens > 0)
                np.testing.assert_allclose(result.charges, expected, rtol=1e-12)
                assert result.spent == pytest.approx(expected.sum(), rel=1e-12)
                assert result.spent <= result.budget * (1 + tolerances.ROUNDING)
    option = ca.allocate(ca.Menu([[0, 100]], [[0.2, 0.9]]), 4.0, rate=0.5, call=[[3.0, 2.0]])
    assert (option.choice.tolist(), option.charges.tolist()) == ([0], [3.0])
    assert ca.allocate(ca.Menu([[0, 100]], [[0.2, 0.9]]), 52.0, rate=0.5, call=[[3.0, 2.0]]).charges == [52.0]


def test_an_option_without_tokens_is_not_free_where_its_call_is_charged():
    menu = ca.Menu([[0.0]] * 3, [[0.5], [1.0], [0.7]])
    for budget, spent in ((2.9, 0.0), (3.0, 3.0), (7.0, 7.0), (8.0, 7.0), (99.0, 12.0)):
        for policy in (ca.allocate, ca.uniform, ca.proportional, ca.cutoff_plus_pad):
            result = policy(menu, budget, rate=[1, 2, 3], call=[3, 4, 5])
            result.audit()
            assert result.spent <= budget
        assert ca.allocate(menu, budget, rate=[1, 2, 3], call=[3, 4, 5]).spent == spent


def test_a_dearer_query_never_gets_more_than_its_cheaper_twin():
    """Swapping the two would cost less and be worth the same: exact where the caps are the best, else a loss."""
    rng = np.random.default_rng(10)
    for family in strategies.SMOOTH:
        one = strategies.draws(family, 60, rng)
        rate = rng.uniform(1, 2, 60)
        for budget in (3_000, 20_000, 60_000):
            result = ca.allocate(ca.concatenate([one, one]), budget, rate=np.concatenate([rate, rate * 1.3]))
            assert (result.tokens[60:] <= result.tokens[:60]).all()
            assert (result.tokens[60:] < result.tokens[:60]).any()


def test_whole_tokens_of_different_prices_are_worth_nearly_the_bound():
    """Rounded down, then filled up where a token is worth most per unit of money, which curves this narrow feel."""
    for family in strategies.SMOOTH:
        rng = np.random.default_rng(3)
        curves = strategies.draws(family, 300, rng, scale=12.0)
        rate = np.exp(rng.normal(0, 1, 300))
        for budget in (300.0, 1500.0):
            result = ca.allocate(curves, budget, rate=rate)
            result.audit()
            assert result.gap <= 5e-4 * result.utility
            assert result.budget - result.spent <= 0.2


def test_the_price_says_what_more_money_buys():
    curves = strategies.draws(strategies.LOGNORMAL, 20_000, np.random.default_rng(1))
    rate, call = np.random.default_rng(2).uniform(1e-6, 9e-6, (2, 20_000)) * [[1], [20]]
    for budget in (10.0, 30.0):
        one, two = (ca.allocate(curves, b, rate=rate, call=call) for b in (budget, budget * 1.005))
        gained = (two.utility - one.utility) / (0.005 * budget)
        assert gained == pytest.approx((one.price + two.price) / 2, rel=0.01)
        assert two.price <= one.price


def test_floors_in_money_fit_exactly():
    result = ca.allocate(GOOD, 8.375, rate=[1, 2, 3], call=[0.5, 0.25, 0.125], fallback=[0, 1, 2])
    result.audit()
    assert (result.tokens.tolist(), result.spent) == ([0, 1, 2], 8.375)
    assert ca.allocate(GOOD, 1.25, rate=0.25, min_tokens=[0, 2, 3]).spent == 1.25
    with pytest.raises(ca.BudgetTooSmall) as caught:
        ca.allocate(GOOD, 8.37, rate=[1, 2, 3], call=[0.5, 0.25, 0.125], fallback=[0, 1, 2])
    assert (caught.value.required, caught.value.budget) == (8.375, 8.37)


NAN, INF = float("nan"), float("inf")
RATE, CALL = "1e-15 to 2**53 budget units", "0, or 1e-15 to 2**53 budget units"
BAD = [
    *((GOOD, "rate", [1, bad, 1], 1, bad, RATE) for bad in (0.0, -1.0, 1e-16, 2.0**54)),
    *((GOOD, "rate", bad, 0, bad, RATE) for bad in (0.0, -1e-6)),
    *((GOOD, name, [1, 1, bad], 2, bad, "finite numbers") for name in ("rate", "call") for bad in (NAN, INF)),
    *((GOOD, "call", [1, bad, 1], 1, bad, CALL) for bad in (-1.0, 1e-300, 2.0**54)),
    *((GOOD, name, ["1", 2, 3], 0, "1", "a number") for name in ("rate", "call")),
    *((GOOD, name, [1, None, 3], 1, None, "a number") for name in ("rate", "call")),
    *((MENU, name, [1, 2], None, "of length 2", "length 3 or a scalar") for name in ("rate", "call")),
    *((MENU, name, [[1], [2]], None, "of length 2", "length 3") for name in ("rate", "call")),
    *((MENU, name, [[1, 2, 3], [1, 2, 3], 1], 1, "of length 3", "one number, or 2: one per option")
      for name in ("rate", "call")),
    (MENU, "rate", np.ones((3, 3)), 1, "of length 3", "one number, or 2: one per option"),
    (MENU, "rate", [[1, 2, 3], [], [1]], 1, "of length 0", "one number, or 2: one per option"),
    (MENU, "rate", [[1, 2, 3], [1, -2], [1]], 1, -2.0, RATE),
    (MENU, "rate", [[1, 2, 3], 5, [0]], 2, 0.0, RATE),
    (MENU, "call", [[1, 2, 0], 0, [-0.5]], 2, -0.5, CALL),
    (MENU, "rate", [[1, 2, 3], [1, NAN], [1]], 1, NAN, "finite numbers"),
    (MENU, "rate", [[1, 2, 3], [1, "x"], [1]], 1, "x", "a number"),
    (MENU, "rate", [[1, 2, 3], [1, None], [1]], 1, None, "a number"),
    (MENU, "rate", [[1, 2, 3], [[1, 2]], [1]], 1, [[1, 2]], "a number, or one per option"),
    (MENU, "rate", [[1, 2, 3], [[1], 2], [1]], 1, [[1], 2], "a number, or one per option"),
    (GOOD, "rate", [[1, 2], 1, 1], 0, "of length 2", "one number, or 1: one per option"),
]  # fmt: skip


@pytest.mark.parametrize(("curves", "argument", "given", "row", "value", "allowed"), BAD)
def test_bad_prices_of_tokens(curves, argument, given, row, value, allowed):
    for policy in (ca.allocate, ca.proportional):
        with pytest.raises(ca.InvalidArgument) as caught:
            policy(curves, 500, **{argument: given})
        refused(caught, argument, row, value, allowed)


def test_prices_of_options_may_be_written_in_any_way():
    ways = (
        [[1, 2, 3], [4, 5], [6]], ([1, 2, 3], (4, 5), 6), [np.array([1, 2, 3]), [4, 5], np.float64(6)],
        np.array([[1, 2, 3], [4, 5], [6]], dtype=object),
    )  # fmt: skip
    found = {tuple(ca.allocate(MENU, 4000, rate=way).charges.tolist()) for way in ways}
    assert found == {(1800.0, 320.0, 0.0)}
    per_query = [ca.allocate(MENU, 4000, rate=way).charges.tolist() for way in ([1, 2, 3], [[1], [2], [3]])]
    assert per_query[0] == per_query[1]
    square = ca.Menu([[1, 2]] * 2, [[0.5, 0.6]] * 2)
    assert ca.allocate(square, 99, rate=np.array([[1, 2], [3, 4]])).charges.tolist() == [4, 8]


def test_prices_follow_their_options_and_queries():
    """Options in any order; rows taken out of a wider menu; smooth curves beside menus."""
    menu = ca.Menu([[600, 80, 600, 80], [50, 40, 30]], [[0.8, 0.3, 0.8, 0.3], [0.5, 0.5, 0.5]])
    result = ca.allocate(menu, 1e9, rate=[[2, 9, 1, 9], [1, 1, 1]], call=[0, [0, 11, 21]])
    assert (result.choice.tolist(), result.charges.tolist()) == ([2, 0], [600, 50])
    taken = ca.allocate(menu[[1]], 1e9, rate=[[1, 1, 1]], call=[[0, 11, 19]])
    assert (taken.choice.tolist(), taken.charges.tolist()) == ([2], [49])
    assert ca.allocate(MENU[[1, 2]], 700, rate=[[1, 2], [1]]).charges.tolist() == [80, 600]
    both = ca.concatenate([ca.ShiftedSurge([10], 5, 0.5), MENU, ca.ShiftedSurge([20], 5, 0.5)])
    result = ca.allocate(both, 1e9, rate=[2, [9, 9, 3], 5, [7], [4]], call=[1, 2, [3, 4], 5, 6])
    result.audit()
    assert result.charges.tolist() == [2 * 15 + 1, 3 * 600 + 2, 5 * 600 + 4, 7 * 600 + 5, 4 * 25 + 6]
    assert result.choice.tolist() == [-1, 2, 1, 0, -1]


@st.composite
def priced_markets(draw):
    records = draw(strategies.tied(most=4, copies=3))
    few = st.one_of(st.sampled_from([0.1, 0.2, 0.3, 1.0, 1e-6]), st.floats(0.01, 10))
    rates = [draw(few) for _ in records] if draw(st.booleans()) else [draw(few)] * len(records)
    calls = [draw(st.one_of(st.just(0.0), st.floats(1e-15, 100))) for _ in records]
    terms = {"rate": rates, "call": calls if draw(st.booleans()) else None}
    top = ca.allocate(strategies.build(records), price=0, **terms).spent
    return records, terms, top * draw(st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1.2)))


@given(priced_markets(), st.floats(1, 2), st.data())
@laws
def test_laws_of_money(case, factor, data):
    """Never over budget, audited, no worse than the splits, rising with the budget, whatever the order of queries."""
    records, terms, budget = case
    result = ca.allocate(strategies.build(records), budget, **terms)
    result.audit()
    assert result.spent <= budget * (1 + tolerances.ROUNDING)
    assert math.fsum(result.charges) == pytest.approx(result.spent, rel=1e-12)
    slack = tolerances.ROUNDING * max(1.0, result.upper_bound)
    for baseline in (ca.uniform, ca.proportional, ca.cutoff_plus_pad):
        rival = baseline(strategies.build(records), budget, **terms)
        rival.audit()
        assert rival.spent <= budget * (1 + tolerances.ROUNDING)
        assert rival.utility <= result.utility + slack + (result.gap if baseline is ca.cutoff_plus_pad else 0.0)
    more = ca.allocate(strategies.build(records), budget * factor, **terms)
    assert more.utility >= result.utility - more.gap - slack
    order = data.draw(st.permutations(range(len(records))))
    moved = {name: column and [column[k] for k in order] for name, column in terms.items()}
    other = ca.allocate(strategies.build([records[k] for k in order]), budget, **moved)
    assert abs(other.utility - result.utility) <= max(result.gap, other.gap) + slack


@pytest.mark.parametrize(
    ("count", "unit", "budget"), [(3, 0.1, 0.3), (7, 0.1, 0.7), (6, 1.1, 6.6), (3, 19.99, 59.97)]
)
@pytest.mark.parametrize("terms", ["rate", "rates", "call"])
def test_decimal_money_loses_no_query(count, unit, budget, terms):
    step = ca.Menu([[1]] * count, [[0.5]] * count)
    prices = {
        "rate": {"rate": unit},
        "rates": {"rate": [unit] * (count - 1) + [unit * 0.5]},
        "call": {"rate": 1e-9, "call": unit},
    }
    result = ca.allocate(step, budget + (count * 1e-9 if terms == "call" else 0.0), **prices[terms])
    result.audit()
    assert result.funded.all()
    assert result.spent <= result.budget
