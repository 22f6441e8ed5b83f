"""A child tells its own bytes, seconds and shares."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from support.speed_rows import surge_case

from benchmarks.speed import subprocess_probe
from benchmarks.speed.groups import processes
from benchmarks.speed.profiling import house_order, profiled


@pytest.mark.slow
@pytest.mark.skipif(not subprocess_probe.STATUS.exists(), reason="no /proc")
def test_a_child_s_peak_is_its_own():
    ballast = np.ones(75_000_000)  # 600 MB that ru_maxrss would hand on to the child
    code = (
        "import numpy as np; from benchmarks.speed.subprocess_probe import resident; before = resident('VmHWM');"
        "np.ones(20_000_000); print(before, resident('VmHWM'), resident('VmRSS'))"
    )
    before, high, now = map(float, processes._python("-c", code).split())
    assert before < 0.8 * ballast.nbytes
    assert high - before > 120e6
    assert high - now > 120e6


@pytest.mark.skipif(not subprocess_probe.STATUS.exists(), reason="no /proc")
def test_a_child_tells_bytes_and_seconds():
    np.ones(20_000_000)  # a peak that is over
    found = subprocess_probe.memory(surge_case("memory", 2_000))
    assert found["before"] > 10e6
    assert found["before"] + 80e6 < found["peak_before"] <= found["peak"]
    assert 0.0 < found["seconds"] < 10.0


@pytest.mark.slow
def test_the_profile_is_of_the_package_and_its_shares_are_of_the_whole(monkeypatch):
    monkeypatch.setattr(subprocess_probe, "LONG", 0.02)
    house = house_order()
    found = subprocess_probe.stages(surge_case("stages", 5))
    assert sum(found["shares"].values()) == pytest.approx(1.0)
    assert min(found["shares"].values()) >= 0.0
    assert found["shares"]["curves"] > 0.0  # how much, a busy machine decides
    assert list(found["shares"])[: len(house)] == house
    assert found["profiled"] > 0.0 < found["seconds"]
    assert profiled(lambda: sum(range(1000))) == {}
    assert sys.getprofile() is None
