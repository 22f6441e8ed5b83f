"""Envelopes of menus against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import integer_programme
from support import strategies, tolerances
from support.laws import examples


@given(st.lists(strategies.menu_records(), min_size=1, max_size=5))
@examples(100)
def test_the_envelope_is_the_smallest_concave_function_above_the_options(records):
    """Edges of each query run uphill with falling slopes, end at the best value, and no option is above them."""
    menu = strategies.build(records)
    for k, record in enumerate(records):
        mine = menu.steps.owner == k
        cost, gain = menu.steps.cost[mine], menu.steps.gain[mine]
        assert (cost > 0).all()
        assert (gain > 0).all()
        slope = gain / cost
        assert (np.diff(slope) <= tolerances.ROUNDING * slope[:-1]).all()
        xs = np.concatenate([[0.0], np.cumsum(cost)])
        ys = integer_programme.utility(record, 0) + np.concatenate([[0.0], np.cumsum(gain)])
        for c, v in zip(record["costs"], record["values"], strict=True):
            assert record["weight"] * v <= np.interp(c, xs, ys) + 1e-9
        assert ys[-1] == pytest.approx(integer_programme.utility(record, 1e9))
        reached = {(0.0, 0.0)} | {
            (c, record["weight"] * v) for c, v in zip(record["costs"], record["values"], strict=True)
        }
        for x, y in zip(xs[1:], ys[1:], strict=True):
            assert any(abs(c - x) < 1e-6 and abs(v - y) < 1e-9 for c, v in reached)
