"""fit: the curves that the rollouts draw themselves, and the paper's own fit."""

import math
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


def burned_by(tokens, correct, cap, limit):
    """Mean and deviation of min(length, limit): Kaplan and Meier's survival of all completions, integrated."""
    rows = list(zip(tokens, correct, cap, strict=True))
    ends = sorted({length for length, right, own in rows if (right or length < own) and length < limit})
    survival, since, mean, square = 1.0, 0.0, 0.0, 0.0
    for end in [*ends, limit]:
        mean += survival * (end - since)
        square += survival * (end**2 - since**2)
        at_risk = sum(length >= end for length, _, _ in rows)
        finished = sum(length == end and (right or length < own) for length, right, own in rows)
        survival, since = survival * (1.0 - finished / at_risk), end
    return mean, math.sqrt(max(square - mean**2, 0.0))


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


@pytest.mark.parametrize("stopped", [False, True])
def test_a_cap_is_expected_to_burn_what_all_completions_burn_under_it(stopped):
    table = pool(6, 300, 12, stopped)
    fitted = fit(table, "empirical")
    records = fitted.curves.to_records()
    for place, name in enumerate(fitted.ids):
        mine = table["query_id"] == name
        columns = [table[column][mine].tolist() for column in ("tokens", "correct", "cap")]
        told = zip(*(records[place][key] for key in ("costs", "expected", "deviation")), strict=True)
        for limit, expected, deviation in told:
            mean, spread = burned_by(*columns, limit) if any(columns[1]) else (0.0, 0.0)
            assert expected == pytest.approx(mean, rel=1e-9)
            assert deviation == pytest.approx(spread, rel=1e-6, abs=1e-4)
            if not stopped:
                plain = np.minimum(columns[0], limit)
                assert (expected, deviation) == pytest.approx((plain.mean(), plain.std()), rel=1e-6, abs=1e-4)


def test_wrong_answers_burn_too_and_a_stopped_one_burns_what_those_beyond_it_do():
    table = {
        "query_id": ["a"] * 4 + ["b", "c"],
        "tokens": [100, 200, 300, 400, 70, 80],
        "correct": [0, 0, 1, 1, 1, 0],
        "cap": [None, 200, 500, 500, None, None],
    }
    a, b, c = fit(table, "empirical").curves.to_records()
    assert a["expected"] == pytest.approx([(100 + 3 * 300) / 4, (100 + 1.5 * 300 + 1.5 * 400) / 4])
    assert a["deviation"][0] == pytest.approx(np.std([100, 300, 300, 300]))
    assert (b["expected"], b["deviation"]) == ([70.0], [0.0])
    assert (c["expected"], c["deviation"]) == ([0.0], [0.0])  # never right: nobody pays for it


def test_expected_accounting_of_empirical_curves_spends_what_the_rollouts_would():
    table = pool(7, 300, 12, stopped=False)
    fitted = fit(table, "empirical")
    result = ca.allocate(fitted.curves, 2500, accounting="expected", overrun=0.5)
    caps = dict(zip(fitted.ids, result.tokens.tolist(), strict=True))
    runs = {name: [] for name in fitted.ids}
    for name, length in zip(table["query_id"].tolist(), table["tokens"].tolist(), strict=True):
        runs[name].append(min(length, caps[name]))
    burned = sum(np.mean(lengths) for lengths in runs.values())
    assert result.spent == pytest.approx(burned)
    assert 2490 < burned <= 2500
    assert result.utility > 1.1 * ca.allocate(fitted.curves, 2500).utility


def test_random_caps_leave_the_tokens_burned_unbiased():
    rng = np.random.default_rng(8)
    query = np.repeat(np.arange(20), 3000)
    length, cap = np.exp(rng.normal(6.0, 0.5, len(query))), np.exp(rng.normal(6.3, 0.6, len(query)))
    right = (rng.random(len(query)) < 0.6) & (length <= cap)
    curves = fit(
        {"query_id": query, "tokens": np.minimum(length, cap), "correct": right, "cap": cap}, "empirical"
    ).curves
    for limit in (250.0, 400.0, 800.0):
        least = np.minimum(length, limit)
        assert curves.expected_cost(np.full(20, limit)).mean() == pytest.approx(least.mean(), rel=0.01)
        assert curves.deviation(np.full(20, limit)).mean() == pytest.approx(least.std(), rel=0.02)


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
