"""Bad input gets an error of our own that names the argument, the row, the value, what is allowed and what to do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support import strategies
from support.refusals import refused

import clear_alloc as ca

NAN, INF = float("nan"), float("inf")
GOOD = ca.ShiftedSurge([100, 200, 300], 50, 0.5)
POLICIES = (ca.allocate, ca.uniform, ca.proportional, ca.cutoff_plus_pad, ca.exact)
every_policy = pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)


def surge(threshold=(1.0, 2.0, 3.0), width=5.0, peak=0.5, weight=1.0):
    return ca.ShiftedSurge(threshold, width, peak, weight)


def cumulative(threshold=(1.0, 2.0, 3.0), width=5.0, solvability=0.5, weight=1.0):
    return ca.CumulativeSurge(threshold, width, solvability, weight)


def lognormal(median=(1.0, 2.0, 3.0), spread=1.0, solvability=0.5, weight=1.0):
    return ca.LognormalArrival(median, spread, solvability, weight)


def menu(costs=((1, 2), (3,)), values=((0.1, 0.2), (0.3,)), weight=1.0):
    return ca.Menu(costs, values, weight)


def paper(threshold=1.0, alpha=(1.0, 1.0), beta=0.01, weight=1.0):
    return ca.ShiftedSurge.from_alpha_beta(threshold, alpha, beta, weight)


FINITE, TOKENS, SCALE, CHANCE = (
    "finite numbers",
    "0 to 2**53 tokens",
    "1e-12 to 2**53 tokens",
    "above 0 and at most 1",
)
# What is called, with what, then: the argument that is named, its row, the value shown, a part of what is allowed.
CURVES = [
    *((make, {name: [1.0, bad, 1.0]}, name, 1, bad, FINITE)
      for bad in (NAN, INF, -INF)
      for make, names in ((surge, ("threshold", "width", "peak", "weight")),
                          (cumulative, ("threshold", "width", "solvability", "weight")),
                          (lognormal, ("median", "spread", "solvability", "weight")))
      for name in names),
    *((make, {name: [5.0, 5.0, bad]}, name, 2, bad, SCALE)
      for bad in (0.0, -1.0, 1e-13, 2.0**54)
      for make, name in ((surge, "width"), (cumulative, "width"), (lognormal, "median"))),
    *((make, {"threshold": [-1.0, 2.0, 3.0]}, "threshold", 0, -1.0, TOKENS) for make in (surge, cumulative)),
    *((make, {"threshold": 2.0**54}, "threshold", 0, 2.0**54, TOKENS) for make in (surge, cumulative)),
    *((make, {name: [0.5, bad, 0.5]}, name, 1, bad, CHANCE)
      for bad in (0.0, -0.1, 1.0000001, 2.0)
      for make, name in ((surge, "peak"), (cumulative, "solvability"), (lognormal, "solvability"))),
    *((lognormal, {"spread": [1.0, bad, 1.0]}, "spread", 1, bad, "1e-9 to 20") for bad in (0.0, -1.0, 20.5, 1e-10)),
    *((make, {"weight": -2.0}, "weight", 0, -2.0, "0 to 2**53 value")
      for make in (surge, cumulative, lognormal, menu)),
    *((make, {"threshold": [1.0, 1e6], "width": 1e-12}, "width", 1, 1e-12, "spacing of floating-point numbers")
      for make in (surge, cumulative)),
    *((make, {"width": [1.0, 2.0]}, "width", None, "of length 2", "length 3 or a scalar")
      for make in (surge, cumulative)),
    (surge, {"weight": [1.0, 2.0]}, "weight", None, "of length 2", "length 3 or a scalar"),
    (lognormal, {"spread": [1.0] * 4}, "spread", None, "of length 4", "length 3 or a scalar"),
    (surge, {"threshold": [[1.0, 2.0]]}, "threshold", None, "of shape (1, 2)", "a scalar or shape (n,)"),
    (surge, {"threshold": [[1.0], [1.0, 2.0]]}, "threshold", None, [[1.0], [1.0, 2.0]], "numbers, one per query"),
    (surge, {"threshold": [1.0, "2", 3.0]}, "threshold", 1, "2", "a number"),
    (surge, {"threshold": "1"}, "threshold", 0, "1", "a number"),
    (surge, {"peak": [0.5, None, 0.5]}, "peak", 1, None, "a number"),
    (surge, {"peak": [0.5, 1j, 0.5]}, "peak", 1, 1j, "a number"),
    (surge, {"peak": {}}, "peak", 0, {}, "a number"),
    (menu, {"costs": [[1, 2], [NAN]]}, "costs", 1, NAN, FINITE),
    (menu, {"costs": [[1, -2], [3]]}, "costs", 0, -2.0, "0 to 2**53"),
    (menu, {"costs": [[1, 2], [1e-13]]}, "costs", 1, 1e-13, "0, or 1e-12 to 2**53 tokens"),
    (menu, {"costs": [[1, 2], ["3"]]}, "costs", 1, "3", "a number"),
    (menu, {"values": [[0.1, INF], [0.3]]}, "values", 0, INF, FINITE),
    (menu, {"values": [[0.1, 0.2], [-0.3]]}, "values", 1, -0.3, "0 to 2**53"),
    (menu, {"values": [[0.1, 0.2], [0.3, 0.4]]}, "values", 1, "of length 2", "length 1, as costs[1]"),
    (menu, {"values": [[0.1, 0.2]]}, "values", None, "of length 1", "length 2, as costs"),
    (menu, {"costs": [[1, 2], []]}, "costs", 1, "an empty list", "one or more options"),
    (menu, {"costs": None}, "costs", None, None, "one list of numbers per query"),
    (menu, {"costs": 7}, "costs", None, 7, "one list of numbers per query"),
    (menu, {"costs": "ab"}, "costs", None, "ab", "one list of numbers per query"),
    (menu, {"weight": [1, 2, 3]}, "weight", None, "of length 3", "length 2 or a scalar"),
    *((paper, {name: [1.0, bad]}, name, 1, bad, "above 0") for name in ("alpha", "beta") for bad in (0.0, -1.0)),
    (paper, {"alpha": [1.0, NAN]}, "alpha", 1, NAN, FINITE),
    (paper, {"alpha": [1.0] * 3, "beta": [1.0] * 2}, "beta", None, "of length 2", "length 3 or a scalar"),
    (paper, {"alpha": 1e300, "beta": 1e-300}, "beta", 0, 1e-300, "at most 2**53"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "given", "argument", "row", "value", "allowed"), CURVES)
def test_bad_curves(make, given, argument, row, value, allowed):
    with pytest.raises(ca.InvalidArgument) as caught:
        make(**given)
    refused(caught, argument, row, value, allowed)


CALLS = [
    *(({"budget": bad}, "budget", None, bad, "a finite number of tokens, >= 0")
      for bad in (NAN, INF, -INF, -1, -1e-9, 2.0**54, None, "100", True, 1j)),
    ({"min_tokens": [0, NAN, 0]}, "min_tokens", 1, NAN, FINITE),
    ({"min_tokens": [0, 0, -1]}, "min_tokens", 2, -1.0, TOKENS),
    ({"min_tokens": [0, 0.5, 0]}, "min_tokens", 1, 0.5, "whole tokens"),
    ({"min_tokens": [0, 1]}, "min_tokens", None, "of length 2", "length 3 or a scalar"),
    ({"min_tokens": None}, "min_tokens", 0, None, "a number"),
    ({"max_tokens": INF}, "max_tokens", 0, INF, FINITE),
    ({"max_tokens": [9, -9, 9]}, "max_tokens", 1, -9.0, TOKENS),
    ({"max_tokens": 10.5}, "max_tokens", 0, 10.5, "whole tokens"),
    ({"max_tokens": [1] * 4}, "max_tokens", None, "of length 4", "length 3 or a scalar"),
    ({"min_tokens": [0, 30, 0], "max_tokens": 20}, "max_tokens", 1, 20.0, "at least min_tokens, 30 in this row"),
    ({"min_tokens": 30, "max_tokens": [40, 40, 20]}, "max_tokens", 2, 20.0, "at least min_tokens, 30 in this row"),
    ({"ids": ["a", "b"]}, "ids", None, "of length 2", "length 3"),
    ({"ids": ["a", "b", "a"]}, "ids", 2, "a", "unique ids"),
    ({"ids": np.array([7, 7, 8])}, "ids", 1, 7, "unique ids"),
    ({"ids": [["a"], "b", "c"]}, "ids", 0, ["a"], "hashable names"),
    ({"ids": "abc"}, "ids", None, "abc", "3 names, one per query"),
    ({"ids": 7}, "ids", None, 7, "3 names, one per query"),
    ({"accounting": "free"}, "accounting", None, "free", "'reserved' or 'expected'"),
    ({"curves": None}, "curves", None, None, "ca.ShiftedSurge"),
    ({"curves": "surge"}, "curves", None, "surge", "ca.ShiftedSurge"),
    ({"curves": [1, 2]}, "curves", 0, 1, "ca.Query"),
    ({"curves": ca.Menu([[10], [3, 5]], [[0.5], [0.1, 0.2]]), "min_tokens": [0, 6]}, "min_tokens", 1, 6.0,
     "a floor that an option of the menu meets"),
    ({"curves": ca.concatenate([GOOD, ca.Menu([[10]], [[0.5]])]), "min_tokens": [0, 0, 0, 11]}, "min_tokens", 3, 11.0,
     "a floor that an option of the menu meets"),
    ({"curves": ca.Menu([[10]], [[0.5]]), "min_tokens": 5, "max_tokens": 9}, "min_tokens", 0, 5.0, "within 9 tokens"),
]  # fmt: skip


@every_policy
@pytest.mark.parametrize(("given", "argument", "row", "value", "allowed"), CALLS)
def test_bad_calls(policy, given, argument, row, value, allowed):
    with pytest.raises(ca.InvalidArgument) as caught:
        policy(**{"curves": GOOD, "budget": 500, **given})
    if argument != "curves" or row is not None:
        refused(caught, argument, row, value, allowed)
    assert allowed in str(caught.value)


@every_policy
def test_a_duplicate_id_names_the_row_that_has_it_already(policy):
    with pytest.raises(ca.InvalidArgument, match="it is row 0's id already; rename one"):
        policy(GOOD, 500, ids=["a", "b", "a"])


@every_policy
def test_floors_above_the_budget(policy):
    with pytest.raises(ca.BudgetTooSmall) as caught:
        policy(GOOD, 10_000, min_tokens=[12_000, 400, 0])
    assert (caught.value.required, caught.value.budget) == (12_400, 10_000)
    assert str(caught.value) == (
        "min_tokens sum to 12,400 tokens but the budget is 10,000; lower min_tokens or raise the budget"
    )
    # A menu has to pay for an option that reaches its floor.
    with pytest.raises(ca.BudgetTooSmall, match=r"min_tokens sum to 90 tokens but the budget is 89.5"):
        policy(ca.Menu([[20, 90]], [[0.1, 0.2]]), 89.5, min_tokens=30)
    assert policy(ca.Menu([[20, 90]], [[0.1, 0.2]]), 90, min_tokens=30).tokens.tolist() == [90]
    assert policy(GOOD, 12_400, min_tokens=[12_000, 400, 0]).tokens.tolist() == [12_000, 400, 0]


@every_policy
def test_a_family_without_lengths_has_no_expected_cost(policy):
    with pytest.raises(ca.NotSupported, match=r"'shifted_surge' doesn't; use lognormal, .* or accounting='reserved'"):
        policy(GOOD, 500, accounting="expected")
    with pytest.raises(NotImplementedError):
        policy(GOOD, 500, accounting="expected")


@every_policy
def test_an_unknown_option_is_a_type_error(policy):
    with pytest.raises(TypeError, match=rf"{policy.__name__}\(\) got an unexpected keyword argument 'minimum'"):
        policy(GOOD, 500, minimum=3)


def test_an_unknown_family():
    with pytest.raises(ca.InvalidArgument) as caught:
        strategies.build(
            [{"family": "shifted_surge", "threshold": 1, "width": 1, "peak": 0.5}, {"family": "sigmoid"}]
        )
    refused(caught, "family", 1, "sigmoid", "shifted_surge, cumulative_surge, lognormal, menu")


def test_a_bad_record_is_named_by_its_place_among_all_records():
    good = {"family": "lognormal", "median": 5.0, "spread": 0.5, "solvability": 0.5}
    other = {"family": "menu", "costs": [1.0], "values": [0.5]}
    with pytest.raises(ca.InvalidArgument) as caught:
        strategies.build([good, other, good, {**good, "median": -5.0}])
    refused(caught, "median", 3, -5.0, SCALE)


@pytest.mark.parametrize("price", [NAN, INF, -1e-9])
@pytest.mark.parametrize(
    "curves", [GOOD, menu(), cumulative(), lognormal()], ids=lambda curves: type(curves).__name__
)
def test_a_bad_price(curves, price):
    with pytest.raises(ca.InvalidArgument, match="price is .*; allowed: finite and >= 0, value/token"):  # noqa: RUF043
        curves.demand(price)


def test_bad_accounting_of_a_curve():
    for curves in (GOOD, menu(), cumulative(), lognormal()):
        for ask in (curves.cost, curves.demand):
            if curves is GOOD:
                with pytest.raises(ca.NotSupported):
                    ask(1.0, accounting="expected")
        with pytest.raises(ca.InvalidArgument, match="accounting is 'free'"):
            curves.reservation_price(accounting="free")


def test_a_mask_of_the_wrong_length_and_nothing_to_concatenate():
    with pytest.raises(
        ca.InvalidArgument, match=r"index is 'a mask of shape \(2,\)'; allowed: a mask of shape \(3,\)"
    ):
        GOOD[[True, False]]
    with pytest.raises(ca.InvalidArgument, match="columns is 'empty'"):
        ca.concatenate([])


@every_policy
@pytest.mark.parametrize("budget", [0, 0.0, 0.99, np.float32(7.9), np.int64(500), 1e15, 2.0**53])
def test_budgets_of_every_kind_are_no_error(policy, budget):
    """Fractions of a token can't be spent; zero is a budget like any other."""
    result = policy(GOOD, budget)
    result.audit()
    assert result.spent <= math.floor(budget)
    assert result.budget == float(budget)
    assert type(result.budget) is float


@every_policy
def test_a_refused_call_changes_nothing(policy):
    floor = np.array([1.0, np.nan, 3.0])
    with pytest.raises(ca.InvalidArgument):
        policy(GOOD, 500, min_tokens=floor)
    np.testing.assert_array_equal(floor, [1.0, np.nan, 3.0])


@every_policy
def test_integers_of_any_width_and_lists_are_read_alike(policy):
    one = policy(ca.ShiftedSurge(np.array([100, 200], dtype=np.uint8), [50, 60], 0.5), 300, ids=(7, 8))
    other = policy(ca.ShiftedSurge([100.0, 200.0], np.array([50, 60], dtype=np.int32), np.float32(0.5)), 300)
    assert one.tokens.tolist() == other.tokens.tolist()
    assert one.ids == (7, 8)
    assert other.ids is None


@every_policy
def test_a_fraction_of_a_token_changes_nothing(policy):
    for curves in (GOOD, cumulative([100, 120, 140], 30), surge([0, 0, 0], [300, 400, 500])):
        for budget in (130, 260, 399):
            one, other = policy(curves, budget), policy(curves, budget + 0.75)
            other.audit()
            assert one.tokens.tolist() == other.tokens.tolist()
            assert (one.price, one.utility, one.upper_bound) == (other.price, other.utility, other.upper_bound) or (
                math.isnan(other.price) and (one.utility, one.upper_bound) == (other.utility, other.upper_bound)
            )
