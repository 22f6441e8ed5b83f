"""Other ways to the same end are credited with what their caps are worth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.speed_rows import SURGE, surge_case, value_of_one

import clear_alloc as ca
from benchmarks.speed.groups import GROUPS, competitors
from benchmarks.speed.references import Found
from benchmarks.speed.workloads import budget_of, columns


def stub(monkeypatch, caps, **found):
    monkeypatch.setitem(
        competitors.COMPETITORS, "slsqp", competitors.Competitor(lambda work: Found(caps(work), **found))
    )
    return competitors.against(surge_case("slsqp", 10), 1)


@pytest.mark.slow
def test_a_rival_s_utility_is_computed_here_and_its_caps_must_fit(monkeypatch):
    given = columns(SURGE, 10)
    best = ca.allocate(ca.ShiftedSurge(*given), budget_of(SURGE, given))
    row = stub(monkeypatch, lambda work: best.tokens * (len(work.given[0]) == 10), left=0.25, ended=False)
    assert row.figures == {"ended": 0.0, "left": 0.25, "utility": pytest.approx(1.0)}
    half = stub(
        monkeypatch, lambda _: best.tokens * (np.arange(10) == best.tokens.argmax()), left=math.nan, ended=True
    )
    assert half.figures.keys() == {"ended", "utility"}
    assert half.figures["utility"] == pytest.approx(
        best.utility / value_of_one(given, best.tokens.argmax(), best.tokens.max())
    )
    with pytest.raises(ValueError, match="more than the budget"):
        stub(monkeypatch, lambda work: np.full(10, work.budget / 10 + 1.0), left=0.0, ended=True)


def test_without_its_package_a_rival_is_skipped(monkeypatch):
    monkeypatch.setattr(competitors, "find_spec", lambda _: None)
    row = competitors.against(GROUPS["contour"].cases[0], 3)
    assert row.skipped == "skipped: price_contour is not installed"
    assert row.error is None
