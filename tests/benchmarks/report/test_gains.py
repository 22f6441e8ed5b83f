"""Captured gain by policy and stream."""

from __future__ import annotations

import pytest
from support.benchmark_results import BASE, results, row

from benchmarks.report.gains import gain_at, stream_gain, stream_gains
from benchmarks.report.results import EXPECTED, Place


def test_captured_gain_is_told_by_the_yardsticks_of_the_policy_s_own_accounting():
    values = {**BASE, "ours": 0.5, EXPECTED: 0.41}
    known = results(*(row(policy, value) for policy, value in values.items()), row("uniform", 0.9, seed=1))
    place = Place("scarcity", "Balanced", 0.1)
    assert gain_at(known, place, "ours") == pytest.approx(0.4 / 0.5)
    assert gain_at(known, place, EXPECTED) == pytest.approx(0.29 / 0.58)
    assert set(stream_gains(known, "scarcity")) == {"CLEAR", "ours", EXPECTED}


def test_captured_gain_is_a_mean_over_budgets_with_something_to_gain():
    found = {0.1: (0.1, 0.2, 0.5), 0.75: (0.2, 0.5, 0.6), 0.5: (0.6, 0.1, 0.604), 1.0: (0.1, 0.1, 0.9)}
    rows = [
        row(policy, accuracy, level=level)
        for level, values in found.items()
        for policy, accuracy in zip(("uniform", "ours", "oracle"), values, strict=True)
    ]
    assert stream_gain(results(*rows), "scarcity", "Balanced", "ours") == pytest.approx((0.25 + 0.75) / 2)
