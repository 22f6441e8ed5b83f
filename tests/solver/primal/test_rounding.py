"""Whole tokens: no more than there are, and as good as the best whole caps."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import integer_programme
from support import strategies, tolerances

import clear_alloc as ca
from clear_alloc.solver.primal.rounding import round_to_whole


def test_whole_tokens_from_any_real_caps_reach_the_best_whole_caps():
    """Even from a poor split, exchanges of single tokens mend it, within their limit."""
    side = strategies.market_of(ca.ShiftedSurge(np.zeros(4), [20.5, 30, 40, 10], 0.5)).divisible
    best = integer_programme.best_utility(side.curves.to_records(), 37)
    for caps in ([9.25, 9.25, 9.25, 9.25], [20.5, 0, 6.5, 10], [0, 0, 37, 0], [12.9999999999, 12, 12, 0]):
        whole = round_to_whole(side, np.array(caps), 37.0)
        assert whole.sum() == 37
        assert (whole == np.floor(whole)).all()
        assert (whole <= side.last_whole).all()
        assert side.curves.utility(whole).sum() == pytest.approx(best, rel=tolerances.ROUNDING)


def test_a_cap_a_hair_below_a_whole_number_is_that_number_and_no_more_is_given_than_there_is():
    side = strategies.market_of(ca.ShiftedSurge(np.zeros(3), 1000, 0.5)).divisible
    assert round_to_whole(side, np.array([9.9999999999, 10.0, 10.0]), 30.0).tolist() == [10, 10, 10]
    assert round_to_whole(side, np.array([9.9, 9.9, 9.9]), 29.0).sum() == 29
    assert round_to_whole(side, np.array([9.5, 9.5, 9.5]), 28.0).sum() == 28


def test_a_query_is_given_up_for_others_and_not_for_itself():
    alone = strategies.market_of(ca.CumulativeSurge([9.9], 0.2, 0.5)).divisible
    assert round_to_whole(alone, np.array([10.2]), 10.0).tolist() == [10]
    steps = strategies.market_of(ca.ShiftedSurge(np.full(7, 10), 0.3, 0.5)).divisible
    for pool in range(70, 78):
        whole = round_to_whole(steps, np.full(7, 10.0), float(pool))
        assert whole.sum() <= pool
        assert (whole == 11).sum() == pool // 11


def test_what_rounding_gave_too_much_is_taken_back_where_it_is_missed_least():
    side = strategies.market_of(ca.ShiftedSurge(np.zeros(3), [10, 20, 30], 0.5)).divisible
    whole = round_to_whole(side, np.array([9.0, 9.0, 9.0]), 25.0)
    assert whole.sum() == 25
    assert side.curves.utility(whole).sum() == pytest.approx(
        integer_programme.best_utility(side.curves.to_records(), 25)
    )


def test_the_largest_pool_there_is_does_not_overflow_by_a_token():
    """At 2**53 tokens floats no longer tell odd sums from even ones; integers do."""
    curves = ca.LognormalArrival([30, 2.0**50, 2.0**51, 7, 2.0**49], [0.3, 1.0, 0.5, 0.1, 2.0], 0.5)
    for budget in (2.0**53, 2.0**53 - 1, 2.0**52 + 1):
        for policy in (ca.allocate, ca.uniform, ca.proportional, ca.cutoff_plus_pad):
            result = policy(curves, budget)
            result.audit()
            assert sum(result.tokens.tolist()) <= int(budget)
