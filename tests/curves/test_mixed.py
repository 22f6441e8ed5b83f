"""Columns of several families: their order, their rows, their records."""

from __future__ import annotations

import numpy as np
import pytest
from support import strategies
from support.columns import COLUMNS, RANDOM

import clear_alloc as ca


def test_a_price_may_differ_between_queries():
    curves = ca.concatenate([RANDOM[strategies.SURGE][:3], strategies.menu_draws(3, np.random.default_rng(0))])
    prices = np.linspace(0, 2e-3, 6)
    np.testing.assert_array_equal(curves.demand(prices), [curves[k].demand(p)[0] for k, p in enumerate(prices)])


def test_concatenation_keeps_order_and_family():
    a, b = COLUMNS[strategies.SURGE], COLUMNS[strategies.CUMULATIVE]
    assert type(ca.concatenate([a, a])) is ca.ShiftedSurge
    both = ca.concatenate([a, b, a[:1]])
    assert len(both) == 15
    assert both.to_records() == a.to_records() + b.to_records() + a[:1].to_records()
    assert (
        ca.concatenate([both, COLUMNS["menu"], both]).to_records()
        == both.to_records() + COLUMNS["menu"].to_records() + both.to_records()
    )
    assert type(both[:7]) is ca.ShiftedSurge
    assert type(both[7:14]) is ca.CumulativeSurge
    np.testing.assert_array_equal(both.utility(np.full((3, 15), 900.0))[1], both.utility(900.0))
    np.testing.assert_array_equal(both.marginal(900.0)[7:14], b.marginal(900.0))
    np.testing.assert_array_equal(both.break_even[:7], a.break_even)


def test_empty_columns_answer_with_empty_arrays():
    for empty in (
        ca.ShiftedSurge([], [], []),
        ca.CumulativeSurge([], 1, 0.5),
        ca.LognormalArrival([], [], []),
        ca.Menu([], []),
    ):
        assert len(empty) == 0
        for answer in (
            empty.utility(3.0),
            empty.demand(0.1),
            empty.reservation_price(),
            empty.ceiling,
            empty.emergence,
        ):
            assert answer.shape == (0,)
        assert empty.to_records() == []
        assert len(ca.concatenate([empty, empty])) == 0
        assert ca.concatenate([empty, COLUMNS["mixed"]]).to_records() == COLUMNS["mixed"].to_records()


def test_records_rebuild_the_curves():
    for curves in COLUMNS.values():
        assert strategies.build(curves.to_records()).to_records() == curves.to_records()


@pytest.mark.parametrize(
    "method",
    [
        *("utility", "marginal", "inverse_marginal", "answer_survival", "length_survival", "expected_cost"),
        *("expected_square", "deviation", "third_moment", "hazard_value", "inverse_hazard"),
    ],
)
def test_every_row_is_asked_of_its_own_family(method):
    one, other = RANDOM[strategies.LOGNORMAL][:5], RANDOM[strategies.CUMULATIVE][:5]
    both, asked = ca.concatenate([one, other]), np.linspace(1e-4, 900.0, 10) * np.array([[1.0], [0.5]])
    expected = [getattr(one, method)(asked[:, :5]), getattr(other, method)(asked[:, 5:])]
    np.testing.assert_array_equal(getattr(both, method)(asked), np.concatenate(expected, axis=1))


@pytest.mark.parametrize("name", ["top", "ceiling", "emergence", "concave_from", "break_even", "hazard_peak"])
def test_every_column_is_gathered_from_its_own_family(name):
    one, other = RANDOM[strategies.LOGNORMAL][:5], RANDOM[strategies.CUMULATIVE][:5]
    both = ca.concatenate([one, other])
    np.testing.assert_array_equal(getattr(both, name), np.concatenate([getattr(one, name), getattr(other, name)]))
