"""The paper's own fit."""

import numpy as np
import pytest

import clear_alloc as ca
from clear_alloc.fit import fit


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
