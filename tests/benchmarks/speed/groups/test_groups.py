"""Every group measures its cases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.speed.groups import GROUPS


@pytest.mark.slow
def test_every_group_measures_a_small_case():
    for name in ("sort", "slsqp", "milp", "start"):
        case = replace(GROUPS[name].cases[0], n=10)
        row = GROUPS[name].measure(case, 2)
        assert (row.group, row.n, len(row.ours), len(row.reference)) == (name, 10, 2, 2)
        assert 0.0 <= row.gap < 1.0
        assert row.error is row.skipped is None
    assert row.figures == {"same caps": 1.0}
