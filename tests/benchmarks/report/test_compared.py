"""Ties, losses and budgets overdrawn."""

from __future__ import annotations

import re

import pytest
from support.benchmark_results import results, row, seeded

from benchmarks.report.compared import ahead, behind, meetings, overdrawn, overdrawn_by_stream, worst
from benchmarks.report.pages import markdown
from benchmarks.report.results import BEST, EXPECTED


def test_ties_and_losses_are_told_by_the_interval_over_seeds():
    gaps = {
        "Balanced": (0.1, 0.11, 0.12),
        "Identical": (-0.01, 0.02, 0.0),
        "Drift": (0.01, -0.02, 0.0),
        "Adversarial": (-0.03, -0.031, -0.029),
    }
    rows = [
        own
        for stream, differences in gaps.items()
        for own in (
            *seeded("uniform", [0.2] * 3, stream=stream),
            *seeded(BEST, [0.2 + gap for gap in differences], stream=stream),
        )
    ]
    known = results(*rows)
    met = {own.place.stream: own for own in meetings(known, known.places("scarcity"), BEST, "uniform")}
    assert [name for name, own in met.items() if ahead(own.pair)] == ["Balanced"]
    assert [name for name, own in met.items() if behind(own.pair)] == ["Adversarial"]
    assert worst(met.values()).place.stream == "Adversarial"
    assert worst(met.values()).pair.difference == pytest.approx(-0.03)
    page = markdown(known, {}, "")
    listed = page[page.index("settings in which at least one") :]
    assert re.search(r"\| Identical \| 10 % \| \*\*\+0\.33 \(", listed)
    assert re.search(r"\| Adversarial \| 10 % \| \*\*-3\.00 \(", listed)
    assert "| Balanced | 10 % | +" not in listed[: listed.index("## 5")]
    assert "**more than 0.5 points below** *uniform*" in page


def test_half_a_point_below_is_within_bounds_and_more_is_not():
    for gap, words in ((-0.004, "is nowhere more than 0.5 points below"), (-0.006, "**more than 0.5 points below**")):
        known = results(*seeded("uniform", [0.2] * 2), *seeded(BEST, [0.2 + gap] * 2))
        assert words in markdown(known, {}, "")


def test_with_one_seed_the_mean_decides_and_the_page_says_so():
    known = results(row("uniform", 0.2), row(BEST, 0.19), row(BEST, 0.3, level=0.3), row("uniform", 0.2, level=0.3))
    met = meetings(known, known.places("scarcity"), BEST, "uniform")
    assert [(ahead(own.pair), behind(own.pair)) for own in met] == [(False, True), (True, False)]
    assert "There is one seed, so there are no intervals" in markdown(known, {}, "")


def test_budgets_overdrawn_are_counted_for_expected_charges_only():
    rows = [
        row(EXPECTED, 0.3, burned=110.0),
        row(EXPECTED, 0.3, burned=130.0, stream="Drift"),
        row(EXPECTED, 0.3, burned=100.0, seed=1),
        row(EXPECTED, 0.3, stream="Identical"),
        row("uniform", 0.3, burned=400.0),
        row("oracle, expected", 0.3, burned=99.0),
    ]
    found = {own.policy: own[1:] for own in overdrawn(results(*rows))}
    assert found[EXPECTED] == (4, 2, pytest.approx(0.2), pytest.approx(0.3))
    assert found["oracle, expected"] == (1, 0, 0.0, 0.0)
    assert set(found) == {EXPECTED, "oracle, expected"}
    assert overdrawn_by_stream(results(*rows)) == {"Balanced": (1, 2), "Drift": (1, 1)}
    page = markdown(results(*rows), {}, "")
    assert "it overdrew 50.0 %, more than it promises.\nBy stream: Balanced 1 of 2 and Drift 1 of 1." in page
    assert "in 2 of 5 batches" in page
    assert "it overdrew 0.0 %." in markdown(results(row(EXPECTED, 0.3)), {}, "")


def test_a_window_that_is_overdrawn_counts_and_a_batch_of_two_experiments_counts_once():
    full = row(EXPECTED, 0.2, burned=80.0, fullest=1.07)  # 80 % of the budgets together, but one window has more
    again = row(EXPECTED, 0.2, experiment="spending", burned=80.0, fullest=1.07)
    later = row(EXPECTED, 0.2, experiment="spending", level=0.3, burned=80.0, fullest=0.8, budget=12_000)
    (found,) = overdrawn(results(full, again, later))
    assert (found.rows, found.over) == (2, 1)
    assert found.worst == pytest.approx(0.07)
    assert overdrawn_by_stream(results(full, again, later)) == {"Balanced": (1, 2)}
