"""What rows say: paired differences and ratios with their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from support.benchmark_runs import as_rows, one_row, sides

from benchmarks.summary import by_setting, mean_interval, paired


@pytest.mark.parametrize("n", [2, 3, 20])
@pytest.mark.parametrize("better", [0.1, 0.0, -0.1])
def test_paired_differences_have_student_s_intervals(n, better):
    ours, theirs = sides(n, n, better)
    found = paired(as_rows(ours), as_rows(theirs))
    interval = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.difference == pytest.approx((ours - theirs).mean())
    assert (found.first, found.second) == pytest.approx((ours.mean(), theirs.mean()))
    assert found.ratio == pytest.approx(ours.mean() / theirs.mean())
    assert found.seeds == n
    mean, low, high = mean_interval(ours)
    plain = stats.ttest_1samp(ours, 0.0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((ours.mean(), plain.low, plain.high))


@pytest.mark.parametrize("seed", range(6))
def test_the_least_ratio_is_fieller_s(seed):
    n = 4 + 3 * seed
    ours, theirs = sides(seed, n, better=0.2 * seed, base=0.05 + 0.1 * seed)
    scale = stats.t.ppf(0.975, n - 1) ** 2 / n
    (top, cross), (_, bottom) = np.cov(ours, theirs)
    # (mean(ours) - k mean(theirs))^2 = t^2 var(ours - k theirs)/n, its lower root in k
    a = theirs.mean() ** 2 - scale * bottom
    b = ours.mean() * theirs.mean() - scale * cross
    c = ours.mean() ** 2 - scale * top
    roots = np.roots([a, -2.0 * b, c])
    least = min(root.real for root in roots if ours.mean() - root.real * theirs.mean() > 0.0)
    assert paired(as_rows(ours), as_rows(theirs)).least == pytest.approx(least, rel=1e-9)


def test_a_ratio_has_its_limits():
    ours = as_rows([0.2, 0.3, 0.25])
    nothing = as_rows([0.0, 0.0, 0.0])
    assert paired(ours, nothing).ratio == paired(ours, nothing).least == np.inf
    assert np.isnan([paired(nothing, nothing).ratio, paired(nothing, nothing).least]).all()
    assert paired(nothing, ours).least == paired(nothing, ours).ratio == 0.0
    assert paired(as_rows([0.5, 0.0]), as_rows([0.1, 0.1])).least == 0.0  # not even more than nothing is certain
    alone = paired(as_rows([0.4]), as_rows([0.1]))
    assert alone.difference == pytest.approx(0.3)
    assert np.isnan([alone.low, alone.high, alone.least]).all()
    assert paired(as_rows([0.6, 0.6, 0.6]), as_rows([0.2, 0.2, 0.2])).least == pytest.approx(3.0)


def test_only_seeds_that_both_have_are_paired():
    ours, theirs = as_rows([0.5, 0.7, 0.9]), as_rows([0.0, 0.1, 0.2])
    del ours[0], theirs[2]
    found = paired(ours, theirs)
    assert (found.seeds, found.first, found.second) == (1, 0.7, 0.1)
    with pytest.raises(ValueError, match="no seed in common"):
        paired({0: ours[1]}, {1: theirs[1]})


def test_failures_take_no_part_in_means():
    some = [one_row("ours", 0, 0.5), one_row("ours", 1, None, error="ValueError: no"), one_row("ours", 2, 0.7, 0.2)]
    found = by_setting(some)
    assert found == {
        ("scarcity", "Balanced", 0.1, 0.0): {"ours": {0: some[0]}},
        ("scarcity", "Balanced", 0.2, 0.0): {"ours": {2: some[2]}},
    }
