"""fit: the curves that the rollouts draw themselves, and the paper's own fit."""

import time

import numpy as np
import pytest
from scipy import stats

import clear_alloc as ca
from clear_alloc.fit import fit


def handed_on(tokens, correct, cap):
    """Redistribution to the right, rollout by rollout: {length: share right by it}."""
    rows = sorted(zip(tokens, correct, cap, strict=True), key=lambda r: (r[0], not (r[1] or r[0] < r[2])))
    mass = [1.0 / len(rows)] * len(rows)
    shares, total = {}, 0.0
    for i, (length, right, limit) in enumerate(rows):
        if right:
            total += mass[i]
            shares[length] = total
        elif length >= limit and rows[i + 1 :]:
            for j in range(i + 1, len(rows)):
                mass[j] += mass[i] / (len(rows) - i - 1)
    return shares


def pool(seed, queries, most, stopped):
    rng = np.random.default_rng(seed)
    query = np.repeat(np.arange(queries), rng.integers(1, most, queries))
    cap = np.where(rng.random(len(query)) < 0.7, rng.integers(5, 25, len(query)), 99) if stopped else 99
    length = rng.integers(1, 30, len(query))
    tokens = np.minimum(length, cap)
    correct = (rng.random(len(query)) < 0.6) & ((length < cap) | (rng.random(len(query)) < 0.1))
    order = rng.permutation(len(query))
    caps = np.broadcast_to(cap, len(query))
    return {"query_id": query[order], "tokens": tokens[order], "correct": correct[order], "cap": caps[order]}


@pytest.mark.parametrize("stopped", [False, True])
def test_the_empirical_curve_is_the_share_right_by_each_length(stopped):
    table = pool(1, 300, 12, stopped)
    fitted = fit(table, "empirical")
    assert isinstance(fitted.curves, ca.Menu)
    for place, name in enumerate(fitted.ids):
        mine = table["query_id"] == name
        shares = handed_on(*(table[column][mine].tolist() for column in ("tokens", "correct", "cap")))
        assert fitted.curves.costs[place].tolist() == (list(shares) or [0.0])
        assert fitted.curves.values[place] == pytest.approx(list(shares.values()) or [0.0], rel=1e-9)
        if not stopped:
            grid = np.arange(31.0)
            plain = [np.mean(table["correct"][mine] & (table["tokens"][mine] <= cap)) for cap in grid]
            found = fitted.curves[place].utility(grid[:, None])[:, 0]
            assert found == pytest.approx(plain, abs=1e-12)


def test_a_stopped_rollout_is_shared_by_those_that_went_on_and_not_by_the_wrong_ones_before():
    table = {
        "query_id": ["a"] * 4,
        "tokens": [100, 200, 300, 400],
        "correct": [0, 0, 1, 1],
        "cap": [None, 200, 500, 500],
    }
    curve = fit(table, "empirical").curves
    assert curve.costs[0].tolist() == [300, 400]
    assert curve.values[0] == pytest.approx([0.375, 0.75])  # Kaplan and Meier's would be 1/3 and 2/3


def test_random_caps_leave_the_empirical_curve_unbiased():
    rng = np.random.default_rng(2)
    query = np.repeat(np.arange(40), 2000)
    length, right = np.exp(rng.normal(6.0, 0.5, len(query))), rng.random(len(query)) < 0.6
    cap = np.exp(rng.normal(6.3, 0.6, len(query)))
    tokens = np.minimum(length, cap)
    table = {"query_id": query, "tokens": tokens, "correct": right & (length <= cap), "cap": cap}
    assert 0.3 < np.mean(length > cap) < 0.4
    curves = fit(table, "empirical").curves
    for z in (-1.0, 0.0, 1.0):
        found = curves.utility(np.full(40, np.exp(6.0 + 0.5 * z))).mean()
        assert found == pytest.approx(0.6 * stats.norm.cdf(z), abs=0.01)


def test_nothing_is_shrunk_and_the_report_says_so():
    table = {"query_id": list("aabbcc"), "tokens": [10, 20, 30, 40, 50, 60], "correct": [1, 1, 0, 0, 1, 0]}
    fitted = fit(table, "empirical", weight=[1.0, 1.0, 3.0])
    assert fitted.curves.utility(np.full(3, 1e6)).tolist() == [1.0, 0.0, 1.5]
    assert fitted.curves.demand(1e-9).tolist() == [20.0, 0.0, 50.0]
    assert "nothing is shrunk" in str(fitted.report)
    assert fitted.report.pooled == {"solvability": 0.5, "median": 20.0}
    assert fitted.report.solvability_error == pytest.approx(
        [stats.beta(2.5, 0.5).std(), stats.beta(0.5, 2.5).std(), stats.beta(1.5, 1.5).std()]
    )
    told = fitted.report.to_dict()["queries"][1]
    assert told["flags"] == ["never_solved"]
    assert "log_median_error" not in told
    assert ca.allocate(fitted.curves, 80).tokens.tolist() == [20, 0, 50]


def test_a_pool_without_a_right_answer_is_worth_nothing():
    fitted = fit({"query_id": [1, 1, 2], "tokens": [5, 6, 7], "correct": [0, 0, 0]}, "empirical")
    assert fitted.curves.utility(np.full(2, 100.0)).tolist() == [0.0, 0.0]
    assert fitted.report.pooled == {"solvability": 0.0}


def test_twenty_thousand_queries_take_seconds():
    rng = np.random.default_rng(3)
    query = rng.permutation(np.repeat(np.arange(20_000), 10))
    length = np.exp(rng.normal(7.0, 0.5, 200_000))
    tokens = np.minimum(length, 2000.0)
    table = {"query_id": query, "tokens": tokens, "correct": (length < 2000) & (rng.random(200_000) < 0.5)}
    start = time.process_time()
    fit({**table, "cap": np.full(200_000, 2000.0)}, "empirical")
    assert time.process_time() - start < 3.0


# --- the paper's fit --------------------------------------------------------------------------------------


def test_the_paper_s_hump_is_found_again():
    # Right lengths drawn from the hump itself, a gamma of shape 2 beyond each threshold.
    rng = np.random.default_rng(4)
    tau = rng.uniform(100.0, 2000.0, 60)
    query = np.repeat(np.arange(60), 400)
    tokens = tau[query] + rng.gamma(2.0, 200.0, len(query))
    right = rng.random(len(query)) < 0.8
    table = {"query_id": query, "tokens": tokens, "correct": right}
    fitted = fit(table, "paper", weight=2.0)
    bin_width = tokens[right].max() / 64
    assert isinstance(fitted.curves, ca.ShiftedSurge)
    assert np.abs(fitted.curves.threshold - tau).max() < 2.0 * bin_width
    assert abs(np.mean(fitted.curves.threshold - tau)) < 0.7 * bin_width
    assert 1.0 / fitted.report.pooled["beta"] == pytest.approx(200.0, rel=0.12)
    assert fitted.curves.peak == pytest.approx(right.mean())
    assert fitted.curves.weight.tolist() == [2.0] * 60
    pooled = fitted.report.pooled
    assert pooled["alpha"] / (pooled["beta"] * np.e) == pytest.approx(right.mean())
    assert pooled["rmse_of_histogram"] < 0.02


def test_the_paper_s_curve_knows_no_solvability():
    table = {"query_id": list("aaabbb"), "tokens": [100, 110, 120, 90, 95, 70], "correct": [1, 1, 1, 0, 0, 0]}
    fitted = fit(table, "paper")
    assert fitted.curves.peak == pytest.approx([0.5, 0.5])
    assert fitted.curves.threshold[1] == 120.0  # never right: beyond every right answer
    assert "knows no solvability" in str(fitted.report)
    assert "solvability_error" not in fitted.report.to_dict()["queries"][0]
