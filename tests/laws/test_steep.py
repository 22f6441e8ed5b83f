"""Curves that climb within a token beside wide ones: no token stays idle, none of the steep ones is given up."""

from __future__ import annotations

import numpy as np
import pytest

import clear_alloc as ca

WIDE = 20_000.0


def steep_and_wide(family, n, width):
    """n curves that climb to 0.5 just before token 100, and one that climbs to 0.9 over many tokens."""
    wide = ca.ShiftedSurge(0.0, WIDE, 0.9)
    if family == "surge":
        return ca.concatenate([ca.ShiftedSurge(np.full(n, 99.5), width, 0.5), wide])
    return ca.concatenate([ca.LognormalArrival(np.full(n, 99.5), width / 100.0, 0.5), wide])


def by_hand(curves, budget, **terms):
    """The best of so many steep curves at the caps that they need, and the wide one with what is left."""
    n, rate = len(curves) - 1, terms.get("rate", 1.0)
    tokens = np.arange(90, 140.0)
    steep = curves[:1].utility(tokens[:, None])[:, 0]
    best = 0.0
    for need, value in zip(tokens, steep, strict=True):
        for count in {0, n, min(n, int(budget / rate // need))}:
            left = budget / rate - count * need
            if left >= 0:
                best = max(best, float(count * value + curves[n:].utility([np.floor(left)])[0]))
    return best


@pytest.mark.parametrize("family", ["surge", "lognormal"])
@pytest.mark.parametrize("n", [2, 10, 40, 300])
@pytest.mark.parametrize("width", [0.01, 0.3, 1.0])
def test_steep_curves_get_the_token_that_they_need_and_the_rest_is_spent(family, n, width):
    curves, before = steep_and_wide(family, n, width), 0.0
    for budget in (150, 60 * n, 101 * n + 60, 100 * n + 500, 100 * n + 5_000, 110 * n + 15_000):
        result = ca.allocate(curves, budget)
        result.audit()
        assert result.utility >= by_hand(curves, budget) * (1.0 - 1e-3)
        assert result.spent == budget or result.utility >= result.upper_bound * (1.0 - 1e-6)
    for budget in np.linspace(50, 100 * n + 6_000, 25).astype(int).tolist():
        utility = ca.allocate(curves, budget).utility
        assert utility >= before * (1.0 - 1e-12)
        before = utility


@pytest.mark.parametrize(
    "terms", [{"rate": 0.01}, {"fallback": 3}, {"max_tokens": 4_000}, {"min_tokens": 2}], ids=str
)
def test_the_terms_of_a_budget_leave_no_token_idle_either(terms):
    curves, rate = steep_and_wide("surge", 12, 0.3), terms.get("rate", 1.0)
    for budget in (1_260 * rate, 1_900 * rate, 4_000 * rate):
        result = ca.allocate(curves, budget, **terms)
        result.audit()
        assert result.utility >= by_hand(curves, budget, **terms) * (1.0 - 2e-3)


def test_the_example_of_ten_steep_curves():
    curves = ca.ShiftedSurge([99.5] * 10 + [0], [0.3] * 10 + [WIDE], [0.5] * 10 + [0.9])
    result = ca.allocate(curves, 6000)
    assert result.tokens.tolist() == [100] * 10 + [5000]
    assert result.utility == pytest.approx(5.476325, abs=1e-6)
