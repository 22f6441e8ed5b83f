"""Streams drawn for tests."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.streams.pools import (
    Pool,
    Process,
)

SIGMAS = 4.5  # of the sampling error: a miss by chance once in 150,000


ODD = Pool(700.0, 0.3, 0.45, 0.8, slope=1.5, terse=0.25, detour=0.3, lost=0.4, process=Process(0.35, 3.0))


def rng_of(*seed):
    return np.random.default_rng(list(seed))


def assert_share(hits, expected):
    error = np.sqrt(max(expected * (1.0 - expected), 1e-9) / len(hits))
    assert np.mean(hits) == pytest.approx(expected, abs=SIGMAS * error)
