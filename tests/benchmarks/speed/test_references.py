"""The references of speed are right."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from support.speed_rows import SURGE, value_of_one

import clear_alloc as ca
from benchmarks import slsqp
from benchmarks.speed import references, workloads
from benchmarks.speed.groups import competitors
from benchmarks.speed.references import bisected, grid_of, mixed_integer, sequential, surge_value
from benchmarks.speed.workloads import budget_of, columns


def test_bisection_maximises_every_query_s_surplus_and_fills_the_budget():
    given = columns(SURGE, 150)
    budget = budget_of(SURGE, given)
    caps, price = bisected(given, budget)
    for row, cap in enumerate(caps):
        tried = np.linspace(0.0, 3000.0, 30_001)
        best = (value_of_one(given, row, tried) - price * tried).max()
        assert value_of_one(given, row, cap) - price * cap == pytest.approx(max(best, 0.0), abs=1e-5)
    assert (caps > 0.0).sum() > 20
    funded = np.flatnonzero(caps)
    slope = [(value_of_one(given, row, caps[row] + 1e-3) - value_of_one(given, row, caps[row] - 1e-3)) / 2e-3
             for row in funded]  # fmt: skip
    assert slope == pytest.approx(np.full(len(funded), price), rel=1e-4)
    lower, _ = bisected(given, budget + caps.max() + 3000.0)
    assert budget - 3000.0 < caps.sum() <= budget < lower.sum()


def test_values_are_those_of_the_curves():
    for family, value in competitors.VALUE.items():
        given = columns(family, 40)
        caps = np.arange(40) * 70.0
        assert value(given, caps) == pytest.approx(float(workloads.curves_of(family, given).utility(caps).sum()))


@pytest.mark.slow
@pytest.mark.parametrize("solve", [sequential, mixed_integer])
@pytest.mark.parametrize("n", [10, 50])
def test_no_solver_beats_ours_by_more_than_its_gap(solve, n):
    given = columns(SURGE, n)
    budget = budget_of(SURGE, given)
    found, ours = solve(given, budget), ca.allocate(ca.ShiftedSurge(*given), budget)
    assert found.ended
    assert found.caps.sum() <= budget
    assert (found.caps == np.floor(found.caps)).all()
    assert found.caps.min() >= 0.0
    theirs = surge_value(given, found.caps)
    assert 0.1 * ours.utility < theirs <= ours.utility * (1.0 + 1e-6) + ours.gap


def test_slsqp_finds_the_optimum_where_curves_are_concave():
    given = (np.zeros(6), np.array([50.0, 100, 200, 300, 400, 500]), np.array([0.3, 0.9, 0.5, 0.8, 0.4, 1.0]))
    found = sequential(given, 600).caps
    assert found == pytest.approx(bisected(given, 600)[0] - 0.5, abs=0.6)  # rounded down


def test_the_integer_program_finds_the_best_of_its_grid():
    given = columns(SURGE, 3)
    grid = grid_of(given)
    assert grid.shape == (3, references.GRID)
    assert (grid[:, 0] == 0.0).all()
    assert (grid[:, -1] == np.ceil(given[0] + given[1])).all()
    assert (np.diff(grid[:, 1:], axis=1) >= 0.0).all()
    every = np.array(list(itertools.product(*grid)))
    worth = sum(value_of_one(given, row, every[:, row]) for row in range(3))
    for budget in (900, 1800, 2500):
        found = mixed_integer(given, budget)
        assert found.caps.sum() <= budget
        assert surge_value(given, found.caps) == pytest.approx(worth[every.sum(axis=1) <= budget].max(), rel=1e-4)
        assert 0.0 <= found.left <= 1e-4
    with pytest.raises(RuntimeError, match="HiGHS found no caps"):
        mixed_integer(given, -1)


def test_what_a_solver_says_of_itself_is_kept_and_its_tolerance_is_not_ours(monkeypatch):
    given = columns(SURGE, 8)
    beyond = SimpleNamespace(x=np.full(8, 1.25), success=False)
    monkeypatch.setattr(slsqp, "minimize", lambda *_, **__: beyond)
    assert sequential(given, 801) == (pytest.approx(np.full(8, 100.0)), pytest.approx(math.nan, nan_ok=True), False)
    late = SimpleNamespace(x=np.eye(references.GRID)[:8].ravel(), mip_gap=0.2, status=1)
    monkeypatch.setattr(references, "milp", lambda *_, **__: late)
    found = mixed_integer(given, 5)
    assert found.caps.tolist() == [grid_of(given)[row, row] for row in range(8)]
    assert (found.left, found.ended) == (0.2, False)
