"""The queries that are timed."""

from __future__ import annotations

import numpy as np
from support.speed_rows import SURGE, surge_case

import clear_alloc as ca
from benchmarks.speed import subject, workloads
from benchmarks.speed.workloads import budget_of, columns


def test_the_workloads_are_the_ones_of_old():
    for family, ranges in {
        SURGE: ((0, 2000), (10, 500), (0.1, 1)),
        "lognormal": ((50, 2000), (0.05, 1.5), (0.1, 1)),
    }.items():
        rng = np.random.default_rng([1, 30])
        for column, (low, high) in zip(columns(family, 30), ranges, strict=True):
            assert column.tolist() == rng.uniform(low, high, 30).tolist()
    assert columns(SURGE, 30, seed=2)[0][0] != columns(SURGE, 30)[0][0]


def test_the_budget_is_a_share_of_break_even_whatever_the_blocks(monkeypatch):
    given = columns(SURGE, 100)
    whole = ca.ShiftedSurge(*given).break_even.sum()
    for block in (7, 99, 100, 1000):
        monkeypatch.setattr(workloads, "BLOCK", block)
        assert budget_of(SURGE, given) == int(0.3 * whole)
    assert budget_of(SURGE, given, 1.5) == subject.work_of(surge_case(n=100, share=1.5)).budget == int(1.5 * whole)
