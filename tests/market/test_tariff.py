"""Budgets in money, menus of several models, a price in place of a budget: against every choice listed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import milp
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


def test_floors_in_money_must_fit():
    with pytest.raises(ca.BudgetTooSmall) as caught:
        ca.allocate(GOOD, 1.0, rate=0.25, min_tokens=[0, 2, 3])
    assert (caught.value.required, caught.value.budget) == (1.25, 1.0)


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


def test_a_menu_of_models_with_cached_prompts():
    """Every budget against trying all combinations."""
    rng = np.random.default_rng(14)
    n, small, large = 4, 0.4e-6, 10e-6
    prompt, cached = rng.integers(200, 9000, n), rng.integers(0, 200, n)
    costs = [[1000, 4000, 800, 3000]] * n  # two caps of a small model, two of a large one
    values = [np.sort(rng.uniform(0, 1, 4))[[1, 2, 0, 3]].tolist() for _ in range(n)]
    rates = [[small, small, large, large]] * n
    cheap, dear = (ca.call_cost(prompt, new, cached, old) for new, old in ((0.1e-6, 0.01e-6), (2.5e-6, 1.25e-6)))
    calls = np.column_stack([cheap, cheap, dear, dear]).tolist()
    by_hand = [[r * c + (p - k) * new + k * old for r, c, new, old in zip(
        rates[0], costs[0], [0.1e-6] * 2 + [2.5e-6] * 2, [0.01e-6] * 2 + [1.25e-6] * 2, strict=True)]
        for p, k in zip(prompt.tolist(), cached.tolist(), strict=True)]  # fmt: skip
    lists = [[milp.Choice(0, 0.0, 0.0), *(milp.Choice(c, paid, v) for c, paid, v in
        zip(costs[0], by_hand[row], values[row], strict=True))] for row in range(n)]  # fmt: skip
    seen = set()
    for budget in np.geomspace(4e-4, 0.4, 15):
        result = ca.allocate(ca.Menu(costs, values), budget, rate=rates, call=calls)
        result.audit()
        assert result.utility == pytest.approx(milp.best_by_trial(lists, budget), rel=1e-9)
        paid = [0.0 if j < 0 else by_hand[row][j] for row, j in enumerate(result.choice.tolist())]
        assert result.charges.tolist() == pytest.approx(paid, rel=1e-12)
        seen |= set(result.choice.tolist())
    assert seen >= {-1, 0, 1, 3}


def test_what_a_call_costs():
    assert ca.call_cost(1000, 3e-6) == pytest.approx(3e-3)
    assert ca.call_cost([1000, 3000], [1.0, 2.0], 500, 0.5).tolist() == [750, 5250]
    assert ca.call_cost([1000, 3000], 2.0, [0, 1000]).tolist() == [2000, 6000]
    assert ca.call_cost([1000, 3000], 2.0, [1000, 3000], 0.0).tolist() == [0, 0]
    assert ca.call_cost([[1000], [3000]], [1.0, 2.0], [[100], [0]], [0, 0]).tolist() == [[900, 1800], [3000, 6000]]
    assert ca.call_cost([], 2.0).tolist() == []


@pytest.mark.parametrize(
    ("given", "argument", "row", "value"),
    [
        (([100, -1], 1), "prompt_tokens", 1, -1.0),
        ((NAN, 1), "prompt_tokens", None, NAN),
        ((["a", 1], 1), "prompt_tokens", 0, "a"),
        ((None, 1), "prompt_tokens", None, None),
        ((100, -1e-6), "prompt_rate", None, -1e-6),
        (([1, 2], [1, INF]), "prompt_rate", 1, INF),
        ((100, "1"), "prompt_rate", None, "1"),
        (([100, 100], 1, [0, 101]), "cached_tokens", 1, 101.0),
        ((100, 1, 101), "cached_tokens", None, 101.0),
        ((100, 1, -1), "cached_tokens", None, -1.0),
        (([[5, 6], [7, 8]], 1, [[0, 0], [0, 9]]), "cached_tokens", 1, 9.0),
        (([[5, 6], [7, -8]], 1), "prompt_tokens", 1, -8.0),
        ((100, 1, 50, [0.5, -1]), "cached_rate", 1, -1.0),
        (([1, 2], [1, 2, 3]), "prompt_tokens", None, "one of shapes (2,), (3,), (), (3,)"),
        (([[1], [1, 2]], 1), "prompt_tokens", None, [[1], [1, 2]]),
    ],
)
def test_bad_calls(given, argument, row, value):
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.call_cost(*given)
    refused(caught, argument, row, value, "")


PRICED = {
    "tokens": (strategies.FAMILIES, {}),
    "levels": (strategies.FAMILIES, {"levels": "any"}),
    "floors": (strategies.FAMILIES, {"floors": True}),
    "fallbacks": (strategies.FAMILIES, {"levels": "any", "fallback": True}),
    "money": (strategies.FAMILIES, {"money": True}),
    "expected": ((*KNOWN, strategies.MENU), {"expected": True}),
}


@pytest.mark.parametrize("kind", PRICED)
def test_at_a_price_every_query_takes_what_is_best_for_it(kind):
    families, terms = PRICED[kind]
    rng = np.random.default_rng(15)
    for one in instances(15, 12, families, **terms, queries=5, scale=25.0):
        spent, everything = [], [c for options in one.lists for c in options]
        scale = sum(c.value for c in everything) / sum(c.charge for c in everything)
        for price in [0.0, *np.sort(scale * np.exp(rng.normal(0, 1.5, 4))), 1e6 * scale]:
            result = ca.allocate(strategies.build(one.records), price=price, **one.terms)
            result.audit()
            assert result.status is ca.Status.PRICED
            assert (result.price, result.margin) == (price, 0.0)
            assert result.budget == result.spent == pytest.approx(result.charges.sum(), rel=1e-12)
            worth = [milp.best_at(options, price) for options in one.lists]
            gained = result.utility - price * result.spent
            slack = tolerances.SATURATION * sum(max(c.value for c in options) for options in one.lists)
            assert gained == pytest.approx(math.fsum(worth), rel=1e-9, abs=slack)
            assert result.gap <= 1e-9 * result.utility + slack + tolerances.ROUNDING * price * result.spent
            spent.append(result.spent)
        assert (np.diff(spent) <= 1e-9 * spent[0]).all()
        assert spent[-1] == pytest.approx(sum(rest.charge for rest in map(resting, one.lists)), rel=1e-9, abs=1e-12)


def resting(options):
    return min(options, key=lambda c: (c.charge, -c.value))


def test_the_price_of_a_budget_spends_about_the_budget():
    rng = np.random.default_rng(16)
    for family in strategies.FAMILIES:
        curves = strategies.column(family, 2000, rng)
        for terms in ({}, {"rate": rng.uniform(1, 3, 2000)}, {"rate": 0.25}):
            given = ca.allocate(curves, 200_000, **terms)
            asked = ca.allocate(curves, price=given.price, **terms)
            asked.audit()
            assert asked.spent == pytest.approx(given.spent, rel=0.01)
            assert asked.price == given.price
            assert asked.utility <= given.upper_bound + given.price * max(asked.spent - 200_000, 0) + 1e-9
            dearer = ca.allocate(curves, price=given.price * 1.1, **terms)
            assert dearer.spent < asked.spent


def test_a_price_for_nobody_and_for_everybody():
    for curves, spent in ((GOOD, 750), (MENU, 1800)):
        free = ca.allocate(curves, price=0)
        assert (free.spent, free.status) == (spent, ca.Status.PRICED)
        assert ca.allocate(curves, price=1e9).spent == 0
        assert "PRICED_OUT" in {reason.name for reason in ca.allocate(curves, price=1e9).reasons}
    nobody = ca.allocate(GOOD[:0], price=3.0)
    nobody.audit()
    assert (nobody.spent, nobody.status) == (0, ca.Status.EMPTY)
    assert ca.allocate(GOOD, price=1e9, min_tokens=[0, 3, 0], fallback=[2, 2, 9]).tokens.tolist() == [2, 3, 9]
    assert ca.allocate(GOOD, price=0.004, rate=2.0).tokens.tolist() == ca.allocate(GOOD, price=0.008).tokens.tolist()


def test_a_budget_or_a_price_but_not_both():
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.allocate(GOOD, 100, price=0.1)
    refused(caught, "price", None, 0.1, "absent beside a budget")
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.allocate(GOOD)
    refused(caught, "budget", None, None, "a finite number of tokens, >= 0")


@pytest.mark.parametrize("bad", [-1.0, NAN, INF, [1.0, 2.0], {}, 1j, "1", True])
def test_bad_prices(bad):
    for argument in ("price", "start"):
        with pytest.raises(ca.InvalidArgument) as caught:
            ca.allocate(GOOD, **{"budget": None if argument == "price" else 100, argument: bad})
        assert caught.value.argument == argument


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
