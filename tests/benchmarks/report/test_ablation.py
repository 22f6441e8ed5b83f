"""The ladder from the paper's method to ours."""

from __future__ import annotations

import pytest
from support.benchmark_results import results, row, seeded

from benchmarks.policies import LADDER
from benchmarks.report.ablation import STEPS, climb
from benchmarks.report.results import Place


def test_the_ladder_s_steps_sum_to_its_ends_over_the_seeds_that_all_rungs_have():
    values = dict(zip(LADDER, (0.1, 0.12, 0.11, 0.2, 0.3), strict=True))
    rows = [own for policy, value in values.items() for own in seeded(policy, [value, value + 0.02])]
    extra = row("CLEAR", 0.9, seed=7)
    found = climb(results(*rows, extra), Place("scarcity", "Balanced", 0.1))
    assert found.seeds == 2
    assert dict(zip(STEPS, found.steps, strict=True)) == pytest.approx(
        {"repair": 0.02, "shape": -0.01, "solvability": 0.09, "accounting": 0.1}
    )
    assert found.start == pytest.approx(0.11)
    assert found.start + sum(found.steps) == pytest.approx(found.end)
    without = [own for own in rows if own.policy != "CLEAR + repair"]
    assert climb(results(*without), Place("scarcity", "Balanced", 0.1)) is None
