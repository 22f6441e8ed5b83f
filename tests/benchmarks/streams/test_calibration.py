"""The pools' numbers are those that the paper's figures give."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import paper
from benchmarks.streams import MIXTURES, POOLS
from benchmarks.streams.calibration import calibrated, match
from benchmarks.streams.pools import (
    arrived,
    solved_by,
)


def test_the_constants_are_what_calibration_gives():
    known = calibrated()
    assert known.pools == POOLS
    assert known.shares == MIXTURES
    for shares in MIXTURES.values():
        assert sum(shares) == pytest.approx(1.0, abs=1e-12)


def test_the_streams_match_the_paper_s_figures_to_a_point():
    off = match(calibrated())
    assert off.arrived.shape == (3, 8)
    assert off.uniform.shape == (4, 8)
    for misses in off:
        assert np.sqrt((misses**2).mean()) < 0.9
        assert np.abs(misses).max() < 2.5
    solved = [
        sum(s * solved_by(p, 300) for s, p in zip(MIXTURES[name], POOLS.values(), strict=True)) for name in MIXTURES
    ]
    told = [paper.REPORTED[name, 300].uniform for name in MIXTURES]
    assert off.uniform[:, paper.BUDGETS.index(300)] == pytest.approx(100.0 * np.array(solved) - told)
    early = 100.0 * arrived(POOLS["hard"], 512) - paper.ARRIVED["AIME/AMC"][3]
    assert off.arrived[2, 3] == pytest.approx(float(early))
