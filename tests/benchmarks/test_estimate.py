"""How long a run will take."""

from __future__ import annotations

import pytest
from support.benchmark_runs import TINY

from benchmarks import estimate as estimating
from benchmarks.estimate import Speed, estimate, speed_of
from benchmarks.experiments import EXPERIMENTS, Case

pytestmark = pytest.mark.usefixtures("tiny")


def test_the_estimate_adds_up_cases_by_budgets_and_shares_them_out():
    full = {name: len(plan.levels) for name, plan in EXPERIMENTS.items()}
    quick, slow = Speed(estimating.PROBE, 1), Speed(3.0 * estimating.PROBE, 2)
    levels = EXPERIMENTS["scarcity"].levels
    one = Case("scarcity", "Balanced", 0, levels)
    assert estimate([one], full, quick) == pytest.approx(estimating.SECONDS["scarcity"])
    some = [one, Case("scarcity", "Drift", 0, levels[:2]), Case("peers", "Balanced", 0, TINY.levels)]
    total = estimating.SECONDS["scarcity"] * (1.0 + 2.0 / len(levels)) + estimating.SECONDS["peers"]
    assert estimate(iter(some * 4), full, quick) == pytest.approx(4.0 * total)
    assert estimate(some * 4, full, slow) == pytest.approx(6.0 * total)
    bursty = Case("scarcity", "Bursty", 0, levels)
    assert estimate([bursty], full, slow) == pytest.approx(3.0 * estimating.BURSTY)  # one case is one process
    assert estimate([], full, slow) == 0.0


@pytest.mark.slow
def test_the_probe_uses_no_more_processors_than_there_are(monkeypatch):
    monkeypatch.setattr(estimating.os, "cpu_count", lambda: 2)
    one, many = speed_of(1), speed_of(64)
    assert (one.jobs, many.jobs) == (1, 2)
    assert 0.0 < one.probe < 5.0
