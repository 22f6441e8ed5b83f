"""What a fuzzer once found, each in its smallest form."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import clear_alloc as ca


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("budget", [3000, 3500, 4117])
def test_the_bound_of_groups_is_that_of_the_margin_which_is_held(budget):
    curves = ca.CumulativeSurge([300, 1300, 2100], [1900, 880, 1070], 0.7, weight=[0, 0, 0.5])
    terms = {"accounting": "expected", "overrun": 0.27}
    result = ca.allocate_groups(curves, budget, [ca.Group("a")], ["a", None, None], **terms)
    result.audit()
    assert result.allocation.upper_bound >= ca.allocate(curves, budget, **terms).utility * (1 - 1e-9)


def test_cutoff_plus_pad_keeps_the_budget_where_a_small_option_costs_more_than_a_large_one():
    menu = ca.Menu([[300, 50]], [[0.5, 0.8]], expected=[[0, 50]])
    result = ca.cutoff_plus_pad(menu, 10, accounting="expected", overrun=0.5)
    result.audit()
    assert result.spent <= 10


def test_no_further_token_is_worth_nothing_whatever_was_spent():
    spent = np.arange(3000.0)
    curves = ca.LognormalArrival(np.full(3000, 400.0), 0.5, 0.9).after(spent)
    assert (curves.utility(0) == 0).all()


def test_a_worthless_menu_goes_on_without_a_warning():
    left = ca.Menu([[10, 20], [5]], [[0.1, 0.5], [0.0]]).after(0)
    assert left.utility(20).tolist() == [0.5, 0.0]


def test_a_price_beyond_all_worth_is_refused_and_a_merely_absurd_one_is_not():
    curves = ca.ShiftedSurge([100], [10], 0.9)
    assert ca.allocate(curves, price=1e200, min_tokens=10**12).tokens.tolist() == [10**12]
    with pytest.raises(ca.InvalidArgument, match="price"):
        ca.allocate(curves, price=1e300, min_tokens=10**12)


def test_expected_costs_are_inverted_where_hardly_anybody_still_runs():
    n = 4
    curves = ca.LognormalArrival(np.full(n, 1e3), np.full(n, 1e-3), np.full(n, 0.5))
    ca.allocate(curves, 5e15, accounting="expected").audit()


@pytest.mark.parametrize("argument", ["budget", "min_tokens", "max_tokens", "fallback", "rate", "call", "start"])
def test_an_integer_beyond_all_floats_is_refused_by_the_name_of_its_argument(argument):
    with pytest.raises(ca.InvalidArgument, match=argument):
        ca.allocate(ca.ShiftedSurge([100], [10], 0.9), **{"budget": 100, argument: 10**400})


def test_a_group_budget_beyond_all_floats_is_refused():
    with pytest.raises(ca.InvalidArgument, match="budget of 'a'"):
        ca.allocate_groups(ca.ShiftedSurge([100], [10], 0.9), 100, [ca.Group("a", budget=10**400)], ["a"])


def test_levels_that_are_one_bare_number_in_an_array_are_refused():
    with pytest.raises(ca.InvalidArgument, match="levels"):
        ca.allocate(ca.ShiftedSurge([100], [10], 0.9), 100, levels=np.array(5))


@pytest.mark.parametrize("points", [None, 1, 2.5, float("nan"), "3"])
def test_points_of_a_frontier_that_are_no_whole_number_are_refused(points):
    with pytest.raises(ca.InvalidArgument, match="points"):
        ca.frontier(ca.ShiftedSurge([100], [10], 0.9), points=points)


def test_an_array_is_no_accounting():
    for wrong in (np.array(["reserved", "expected"]), np.array([1, 2, 3]), None, ["reserved"]):
        with pytest.raises(ca.InvalidArgument, match="accounting is "):
            ca.allocate(ca.LognormalArrival(100, 0.5, 0.9), 100, accounting=wrong)


ODD = np.arange(40_000) % 2 == 1  # a crowd's sample takes every second row


def test_a_sample_that_is_all_but_saturated_does_not_send_the_price_to_infinity():
    curves = ca.ShiftedSurge(np.where(ODD, 306.0, 300.0), 100.0, 0.5)
    ca.allocate(curves, 15_999_840).audit()


def test_a_crowd_without_a_budget_gets_nothing():
    result = ca.allocate(ca.ShiftedSurge(300.0, 100.0, np.where(np.arange(40_000) == 1, 1.0, 0.5)), 0)
    result.audit()
    assert not result.tokens.any()


def test_rounding_does_not_add_up_where_many_queries_are_alike():
    ca.allocate(ca.LognormalArrival(np.where(ODD, 306.0, 300.0), 0.5, 0.5), 240_521_540).audit()
    kind = np.random.default_rng(0).integers(0, 3, 300_000)
    for budget in (116_099_999, 90_000_001):
        ca.allocate(ca.LognormalArrival(np.array([301.0, 517, 911])[kind], 0.5, 0.5), budget).audit()
