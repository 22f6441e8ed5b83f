"""What every family says of the share of answers still to come, and of the lengths of completions."""

from __future__ import annotations

import numpy as np
import pytest
from support.columns import EDGES, RANDOM
from support.strategies import CUMULATIVE, LOGNORMAL, SURGE
from support.tolerances import ROUNDING

import clear_alloc as ca
from clear_alloc.curves.arrival import central_third

CAPS = np.linspace(0.0, 4_000.0, 41)[:, None]


@pytest.mark.parametrize("curves", {**RANDOM, **EDGES}.values(), ids={**RANDOM, **EDGES})
def test_what_has_arrived_and_what_is_to_come_make_the_top(curves):
    to_come = curves.answer_survival(CAPS)
    assert ((to_come >= 0) & (to_come <= 1)).all()
    np.testing.assert_allclose(
        curves.utility(CAPS), curves.top * (1 - to_come), rtol=1e-9, atol=1e-14 * curves.top.max()
    )


def test_a_small_share_to_come_keeps_its_digits():
    cumulative, lognormal = ca.CumulativeSurge(100, 10, 0.5), ca.LognormalArrival(100, 0.1, 0.5)
    assert cumulative.answer_survival(900.0)[0] == pytest.approx(81 * np.exp(-80), rel=1e-13)
    assert lognormal.answer_survival(100 * np.exp(1.0))[0] == pytest.approx(7.619853024160527e-24, rel=1e-12)
    assert ca.ShiftedSurge(0, 1, 0.5).answer_survival(1 - 1e-6)[0] == pytest.approx(0.5e-12, rel=1e-3)


@pytest.mark.parametrize("family", [CUMULATIVE, LOGNORMAL])
def test_the_expected_cost_is_the_integral_of_the_survival(family):
    curves = RANDOM[family]
    steps = np.linspace(0.0, 3_000.0, 30_001)[:, None]
    share = curves.length_survival(steps)
    area = np.cumsum(0.5 * (share[1:] + share[:-1]), axis=0) * 0.1
    square = np.cumsum((share[1:] * steps[1:] + share[:-1] * steps[:-1]), axis=0) * 0.1
    np.testing.assert_allclose(curves.expected_cost(steps[1::997]), area[::997], rtol=1e-6)
    np.testing.assert_allclose(curves.expected_square(steps[1::997]), square[::997], rtol=1e-6)
    spread = square - area**2
    np.testing.assert_allclose(curves.deviation(steps[1::997]) ** 2, spread[::997], rtol=1e-4, atol=1e-3)


def test_a_family_without_lengths_refuses_expected_costs():
    surge = RANDOM[SURGE]
    for ask in (surge.length_survival, surge.expected_cost, surge.expected_square, surge.deviation):
        with pytest.raises(ca.NotSupported, match="how long completions are"):
            ask(10.0)
    with pytest.raises(ca.NotSupported, match="how long completions are"):
        surge.reservation_price("expected")


def test_the_third_central_moment_is_that_of_a_sample():
    x = np.random.default_rng(3).gamma(2.0, size=1_000)
    found = central_third(*(np.array((x**k).mean()) for k in (1, 2, 3)))
    assert found == pytest.approx(((x - x.mean()) ** 3).mean(), rel=1e3 * ROUNDING)
