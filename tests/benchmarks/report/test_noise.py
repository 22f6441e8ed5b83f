"""What errors of prediction cost."""

from __future__ import annotations

import pytest
from support.benchmark_results import results, row

from benchmarks.report.noise import kept
from benchmarks.report.pages import markdown


def test_accuracy_kept_is_a_share_of_its_own_without_error():
    where = {"experiment": "noise"}
    rows = [row("ours", 0.4, **where), row("ours", 0.3, noise=0.5, **where)]
    rows += [row("ours", 0.2, level=0.3, **where), row("ours", 0.1, level=0.3, noise=0.5, **where)]
    assert kept(results(*rows), "ours", 0.5) == pytest.approx((0.75 + 0.5) / 2)
    assert "| ours | 100 | 62 |" in markdown(results(*rows), {}, "")
