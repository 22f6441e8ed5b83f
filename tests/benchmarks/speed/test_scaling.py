"""How the time grows."""

from __future__ import annotations

import math

import pytest
from support.speed_rows import surge_case

from benchmarks.speed.rows import Case, Row
from benchmarks.speed.scaling import growth


def test_growth_is_that_of_large_sizes_series_by_series():
    times = {100: 5.0, 1_000: 5.0, 10_000: 1.0, 100_000: 8.0, 1_000_000: 100.0}
    rows = [Row.of(surge_case(n=n), (t, t, n * t)) for n, t in reversed(times.items())]
    rows += [Row.of(Case("sort", "lognormal", "reserved", n), (1.0,)) for n in (1_000, 10_000)]
    rows.append(Row.of(surge_case(n=10_000_000), error="ValueError"))
    (found,) = growth(rows)
    assert (found.first, found.last, found.exponent) == (10_000, 1_000_000, pytest.approx(1.0))
    assert (found.low, found.high) == (pytest.approx(math.log10(8.0)), pytest.approx(math.log10(12.5)))
