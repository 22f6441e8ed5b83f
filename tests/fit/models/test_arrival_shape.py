"""The shape of a surge, pooled over the right answers."""

import numpy as np
import pytest
from scipy import stats

from clear_alloc.fit import fit


@pytest.mark.parametrize("stopped", [False, True])
def test_a_surge_is_found_again(stopped):
    rng = np.random.default_rng(14)
    # Lengths whose distribution is the cumulative surge itself: threshold + a gamma of shape 2.
    scale = np.exp(rng.normal(7.0, 0.5, 300))
    query = np.repeat(np.arange(300), 12)
    tokens = scale[query] * (1.0 + rng.gamma(2.0, 0.25, 3600))
    right = rng.random(3600) < 0.7
    table = {"query_id": query, "tokens": tokens, "correct": right}
    if stopped:
        table["cap"] = 1.7 * scale[query]
        cut = tokens >= table["cap"]
        assert 0.1 < cut.mean() < 0.3
        table["tokens"], table["correct"] = np.minimum(tokens, table["cap"]), right & ~cut
    fitted = fit(table, "cumulative_surge")
    pooled = fitted.report.pooled
    median = 1.0 + 0.25 * stats.gamma(2.0).median()
    assert pooled["threshold_in_medians"] == pytest.approx(1.0 / median, abs=0.04)
    assert pooled["width_in_medians"] == pytest.approx(0.25 / median, rel=0.2)
    assert pooled["rmse_of_shape"] < 0.03
    curves = fitted.curves
    assert curves.threshold / curves.width == pytest.approx(curves.threshold[0] / curves.width[0])


def test_a_surge_is_as_wide_from_two_rollouts_each_as_from_many():
    # A length lies nearer to the median that it helped to place than the next one will.
    rng = np.random.default_rng(21)
    widths = []
    for queries, each in ((3000, 2), (300, 20)):
        query = np.repeat(np.arange(queries), each)
        scale = np.exp(rng.normal(7.0, 1.0, queries))
        tokens = scale[query] * (1.0 + rng.gamma(2.0, 0.25, len(query)))
        table = {"query_id": query, "tokens": tokens, "correct": np.ones(len(query))}
        widths.append(fit(table, "cumulative_surge").report.pooled["width_in_medians"])
    assert widths[0] > 1.1 * widths[1]  # the next length also misses the median, which two rollouts place less well
