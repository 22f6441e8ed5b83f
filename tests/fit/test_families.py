"""Curves of one family: invariances that all share, and pools at the edge of what can be fitted."""

import json

import numpy as np
import pytest
from oracles.rollout_pools import simulate

from clear_alloc.errors import InvalidArgument
from clear_alloc.fit import FAMILIES, fit
from clear_alloc.fit.families import MODELS


@pytest.mark.parametrize("family", ["cumulative_surge", "shifted_surge"])
def test_surges_follow_the_lognormal_of_the_same_rollouts(family):
    table = simulate(15, 400, 6)[0]
    surge, smooth = fit(table, family).curves, fit(table).curves
    top = surge.peak if family == "shifted_surge" else surge.solvability
    assert top == pytest.approx(smooth.solvability)
    for share in (0.8, 1.0, 1.3):
        apart = surge.utility(share * smooth.median) - smooth.utility(share * smooth.median)
        assert abs(apart.mean()) < 0.05


@pytest.mark.parametrize("family", [*MODELS, "paper"])
def test_the_order_of_rows_does_not_matter(family):
    table = simulate(16, 120, 4, stopped=0.3)[0]
    order = np.random.default_rng(17).permutation(len(table["tokens"]))
    shuffled = {name: np.asarray(column)[order] for name, column in table.items()}
    one, two = fit(table, family), fit(shuffled, family)
    assert two.ids == list(dict.fromkeys(shuffled["query_id"].tolist()))
    back = np.argsort(two.ids)
    for name in one.curves.parameters:
        assert getattr(two.curves, name)[back] == pytest.approx(getattr(one.curves, name), rel=1e-6)
    assert two.report.n[back].tolist() == one.report.n.tolist()


def test_other_units_of_length_scale_the_curves():
    table = simulate(18, 100, 4)[0]
    one, two = fit(table).curves, fit({**table, "tokens": 10.0 * table["tokens"]}).curves
    assert two.median == pytest.approx(10.0 * one.median, rel=1e-5)
    assert two.spread == pytest.approx(one.spread, rel=1e-5)


DEGENERATE = {
    "one rollout": (["a"], [1000], [1], [None]),
    "all solved": (list("aabb"), [1000, 900, 500, 400], [1, 1, 1, 1], [None] * 4),
    "one query": (list("aaa"), [1000, 900, 500], [1, 0, 1], [None] * 3),
    "identical lengths": (list("aaaabbbb"), [1000] * 8, [1, 0] * 4, [None] * 8),
    "one query stopped": (list("aabb"), [1000, 900, 2000, 2000], [1, 0, 0, 0], [2000] * 4),
    "one finished of many": ([0] + [1] * 50, [10] + [4000] * 50, [1] + [0] * 50, [4000] * 51),
    "another cap each": ([0, 0, 0, 1, 1], [100, 200, 300, 150, 10], [0, 0, 0, 0, 1], [100, 200, 300, 150, 10]),
    "empty completions": (list("aab"), [0, 900, 0], [0, 1, 0], [None] * 3),
    "wild lengths": ([1, 1, 1, 1, 2, 2], [1, 2**50, 90_000, 80_000, 1000, 1100], [1, 0, 1, 0, 1, 0], [None] * 6),
    "far apart": (["a", "b"], [1, 2**50], [1, 1], [None] * 2),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_pools_give_curves(case, family):
    ids, tokens, correct, cap = DEGENERATE[case]
    curves = fit({"query_id": ids, "tokens": tokens, "correct": correct, "cap": cap}, family).curves
    top = curves.utility(np.full(len(curves), 2.0**53))
    assert np.all((top > 0) | (family == "empirical"))  # whose promise is what it saw, and may be nothing
    assert np.all((top >= 0) & (top <= 1))
    assert np.all(np.isfinite(curves.utility(np.full(len(curves), 1000.0))))


def test_one_rollout_does_not_make_a_step():
    for family in MODELS:
        curves = fit({"query_id": ["a"], "tokens": [1000], "correct": [1]}, family).curves
        low, high = curves.utility([[850.0], [1300.0]])
        assert 0.02 < low[0] < 0.5 * curves.ceiling[0]
        assert high[0] > low[0] + 0.1


def small_pool(seed):
    """2 to 12 queries of 1 to 8 rollouts, with caps, ties, zeros, instant answers, all right or all wrong."""
    rng = np.random.default_rng(seed)
    query = np.repeat(np.arange(rng.integers(2, 13)), 8)
    query = query[np.sort(rng.permutation(len(query))[: rng.integers(2, len(query))])]
    scale, n = np.exp(rng.uniform(0.0, 11.0, 12))[query], len(query)
    length = np.ceil(scale * np.exp(rng.choice([0.0, 0.01, 0.3, 2.5]) * rng.normal(size=n)))
    right = rng.random(n) < rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])
    length[rng.random(n) < rng.choice([0.0, 0.3])] = rng.choice([0, 1])
    if rng.random() < 0.3:
        length = 500.0 * np.ceil(length / 500.0)
    cap = rng.choice([400.0, 2000.0, 8000.0, np.nan], n) if rng.random() < 0.6 else np.full(n, np.nan)
    limit = np.where(np.isnan(cap), np.inf, cap)
    return {"query_id": query, "tokens": np.minimum(length, limit), "correct": right & (length <= limit), "cap": cap}


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_small_pools_give_finite_curves_or_an_error_of_ours():
    curves = 0
    for seed in range(60):
        for family in (*FAMILIES, "auto"):
            table = small_pool(seed)
            try:
                fitted = fit(table, family)
            except InvalidArgument:
                unfinished = (table["tokens"] >= table["cap"]) & ~table["correct"] | (table["tokens"] == 0)
                assert unfinished.all() or not (table["correct"] & ~unfinished).any()
                continue
            curves += len(fitted.curves)
            caps = np.array([[0.0], [50.0], [1e4], [2.0**53]])
            value = fitted.curves.utility(caps)
            assert np.all(np.isfinite(value) & (value >= 0) & (value <= 1 + 1e-9))
            json.dumps(fitted.report.to_dict(), allow_nan=False)
    assert curves > 1200
