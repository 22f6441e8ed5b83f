"""Captured gain has its limits."""

from __future__ import annotations

import numpy as np
import pytest
from support.benchmark_rollouts import rollouts

from benchmarks.captured_gain import Outcome, figures, outcome_of
from benchmarks.scoring import hindsight_curves, split_by_parity


def test_the_oracle_s_own_curves_capture_everything():
    split = split_by_parity(rollouts(3))
    budget = int(0.3 * split.scoring["tokens"].mean() * len(split.ids))
    found = outcome_of(split, hindsight_curves(split, split.ids), split.ids, budget, "expected")
    assert found.gain == 1.0
    assert 0.9 < found.spent <= 1.0
    assert split.swapped().swapped().ids == split.ids


def test_where_uniform_is_as_good_as_the_oracle_no_gain_is_counted():
    nothing, something = Outcome(0.3, 0.3, 0.3005, 1.0), Outcome(0.2, 0.1, 0.3, 0.8)
    assert np.isnan(nothing.gain)
    assert figures([nothing, something]) == pytest.approx((0.5, 0.9))
