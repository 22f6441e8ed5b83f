"""What tests of the benchmarks share."""

from __future__ import annotations

import numpy as np
import pytest
from support.benchmark_batches import known_of
from support.benchmark_runs import TINY

from benchmarks.batch import Batch
from benchmarks.experiments import EXPERIMENTS


@pytest.fixture(scope="session")
def known():
    return known_of()


@pytest.fixture(scope="session")
def batch(known):
    return Batch(known, np.arange(60))


@pytest.fixture
def tiny(monkeypatch):
    """An experiment that takes no time, in this process only."""
    monkeypatch.setitem(EXPERIMENTS, "peers", TINY)
