"""What caps are charged: rates, calls and both accountings, against sums written out."""

from __future__ import annotations

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc.curves import Charged

CURVES = ca.concatenate(
    [ca.LognormalArrival([3, 12, 30, 25], [0.5, 1.5, 0.02, 6], 0.7), ca.CumulativeSurge([0, 10], [4, 6], 0.5)]
)
RATE, CALL = np.linspace(0.1, 2.0, 6), np.array([3.0, 0, 1, 1, 2, 5])
CAPS = np.array([[2.0, 9, 0, 40, 7, 0], [5, 80, 31, 100, 20, 30]])


def test_a_charge_is_rate_times_cost_and_a_call_for_each_funded_query():
    side = Charged(CURVES, "expected", RATE, CALL)
    call = np.where(CAPS > 0, CALL, 0.0)
    np.testing.assert_allclose(side.charge(CAPS), RATE * CURVES.expected_cost(CAPS) + call, rtol=1e-13)
    np.testing.assert_allclose(side.worst(CAPS), RATE * CAPS + call, rtol=1e-13)
    np.testing.assert_allclose(side.variance(CAPS), (RATE * CURVES.deviation(CAPS)) ** 2, rtol=1e-13)
    np.testing.assert_allclose(side.third_moment(CAPS), RATE**3 * CURVES.third_moment(CAPS), rtol=1e-13)
    assert side.starts_with_a_call(np.array([0.0, 0, 0, 5, 0, 0])).tolist() == [True, False, True, False, True, True]


def test_a_reserved_charge_is_certain():
    side = Charged(CURVES, "reserved", RATE)
    np.testing.assert_allclose(side.charge(CAPS), RATE * CAPS)
    assert not side.deviation(CAPS).any()
    assert not side.third_moment(CAPS).any()
    assert Charged(CURVES).plain
    assert Charged(CURVES).charge(CAPS) is CAPS


def test_the_last_unit_is_worth_its_price_in_either_accounting():
    price = 0.02
    for accounting in ("reserved", "expected"):
        side = Charged(CURVES, accounting, RATE)
        caps = side.on_branch(price)
        inside = (caps > CURVES.branch_start(accounting)) & (caps < CURVES.ceiling * (1 - 1e-9))
        assert inside.sum() >= 2
        np.testing.assert_allclose(side.efficiency(caps)[inside], price, rtol=1e-8)


@pytest.mark.parametrize("rows", [np.array([4, 1]), slice(1, 5, 2)], ids=["array", "slice"])
@pytest.mark.parametrize("terms", [(), ("expected",), ("expected", RATE, CALL)], ids=len)
def test_the_taken_queries_keep_their_terms(rows, terms):
    side = Charged(CURVES, *terms)
    np.testing.assert_array_equal(side.take(rows).charge(CAPS[:, rows]), side.charge(CAPS)[:, rows])


@pytest.mark.parametrize("accounting", ["reserved", "expected"])
@pytest.mark.parametrize(("rate", "call"), [(None, None), (RATE, None), (None, CALL), (RATE, CALL)])
def test_the_largest_cap_within_a_charge_is_the_largest(accounting, rate, call):
    rng = np.random.default_rng(5)
    side, most = Charged(CURVES, accounting, rate, call), np.array([60.0, 60, 31, 9, 40, 60])
    caps = np.arange(61.0)[:, None] * np.ones(6)
    charges = side.charge(caps)
    for _ in range(20):
        pool = rng.uniform(0, 1.3, 6) * charges.max(axis=0)
        found = side.cap_within(pool, most)
        best = np.where((charges <= pool) & (caps <= most), caps, 0.0).max(axis=0)
        assert ((found == np.floor(found)) & (found <= most) & (side.charge(found) <= pool)).all()
        # At the end of a curve a further cap may cost nothing that counts; one that costs is not missed.
        np.testing.assert_allclose(side.charge(found), side.charge(best), rtol=1e-3)
