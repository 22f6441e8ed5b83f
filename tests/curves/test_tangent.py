"""Steepest chords against a search on a grid of caps."""

from __future__ import annotations

import numpy as np
import pytest
from support.columns import RANDOM
from support.strategies import CUMULATIVE, LOGNORMAL

import clear_alloc as ca
from clear_alloc.curves import Charged, steepest_chord
from clear_alloc.curves.tangent import tangent_from_zero

CURVES = ca.concatenate([RANDOM[LOGNORMAL][:6], RANDOM[CUMULATIVE][:6]])
CALL = np.tile([0.0, 5.0, 40.0], 4)


def steepest_on_a_grid(side, origin, stop):
    grid = origin + np.linspace(0, 1, 20_001)[1:, None] * (stop - origin)
    run = side.charge(grid) - side.charge(origin)
    rise = side.curves.utility(grid) - side.curves.utility(origin)
    return np.where(run > 1e-9, rise / np.where(run > 1e-9, run, 1.0), 0.0).max(axis=0)


@pytest.mark.parametrize("accounting", ["reserved", "expected"])
@pytest.mark.parametrize("call", [None, CALL], ids=["tokens", "and calls"])
@pytest.mark.parametrize("floor", [0.0, 60.0, 400.0])
def test_the_chord_is_that_of_a_grid_search(accounting, call, floor):
    side, origin = Charged(CURVES, accounting, np.linspace(0.2, 2.0, 12), call), np.full(12, floor)
    stop = np.minimum(CURVES.ceiling, 3_000.0)
    start = np.clip(CURVES.branch_start(accounting), origin, stop)
    slope, end = steepest_chord(side, origin, CURVES.utility(origin), start, stop)
    best = steepest_on_a_grid(side, origin, stop)
    assert (slope >= best * (1 - 1e-6)).all()
    np.testing.assert_allclose(slope, best, rtol=3e-3)
    assert ((end >= start) & (end <= stop)).all()


@pytest.mark.parametrize("accounting", ["reserved", "expected"])
def test_the_tangent_from_zero_is_the_reservation_price(accounting):
    price, cap = tangent_from_zero(CURVES, accounting)
    np.testing.assert_allclose(price, CURVES.reservation_price(accounting), rtol=1e-10)
    np.testing.assert_allclose(CURVES.utility(cap) / CURVES.cost(cap, accounting), price, rtol=1e-10)


def test_a_guess_saves_steps_and_changes_nothing():
    curves = RANDOM[LOGNORMAL]
    side, zero = Charged(curves, "expected"), np.zeros(len(curves))
    ends = (zero, zero, curves.hazard_peak, curves.ceiling)
    np.testing.assert_allclose(steepest_chord(side, *ends, curves.likely_run)[0], steepest_chord(side, *ends)[0])


def test_nowhere_to_go_is_worth_nothing():
    zero = np.zeros(len(CURVES))
    assert not steepest_chord(Charged(CURVES), zero, zero, zero, zero)[0].any()
