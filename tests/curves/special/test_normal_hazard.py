"""The hazard of a normal, its peak and its inverse against scipy, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import log_ndtr
from scipy.stats import norm
from support.spreads import SPREADS, one_by_one

from clear_alloc.curves.special.normal_hazard import FAR, inverse_mills, relative_hazard_peak, relative_hazard_root

Z_ERROR = 1e-12  # of a root


def log_hazard(z):
    return -0.5 * z * z - 0.5 * np.log(2 * np.pi) - log_ndtr(-z)


def surplus_slope(z, spread):
    return norm.pdf(z) / norm.sf(z) - z - spread


def peak_of(spread):
    """Where log hazard - spread z is highest, by a bracketing search."""
    if surplus_slope(FAR, spread) >= 0:
        return FAR
    return brentq(surplus_slope, -30.0, FAR, args=(spread,), xtol=1e-14, rtol=1e-15)


def root_of(target, spread, peak):
    def excess(z):
        return log_hazard(z) - spread * z - target

    if excess(peak) <= 0.0:
        return peak
    return FAR if excess(FAR) >= 0.0 else brentq(excess, peak, FAR, xtol=1e-14, rtol=1e-15)


def test_the_hazard_is_that_of_a_normal():
    z = np.linspace(-24, 7, 1_000)
    assert inverse_mills(z) == pytest.approx(norm.pdf(z) / norm.sf(z), rel=1e-12)


@pytest.mark.parametrize("spread", SPREADS)
def test_the_peak_is_where_the_slope_vanishes(spread):
    (z,) = relative_hazard_peak(np.array([spread]))
    error = abs(z - peak_of(spread))
    assert error <= Z_ERROR or abs(surplus_slope(z, spread)) <= 1e-14 * (1 + abs(z))
    assert z <= FAR


def test_all_spreads_have_their_peak():
    spread = np.exp(np.random.default_rng(0).uniform(np.log(1e-9), np.log(20), 400))
    found = relative_hazard_peak(spread)
    for z, one in zip(found, spread, strict=True):
        assert abs(z - peak_of(one)) <= Z_ERROR or abs(surplus_slope(z, one)) <= 1e-14 * (1 + abs(z))
    order = np.argsort(spread)
    assert (np.diff(found[order]) <= 1e-12).all()


def targets_of(spread, rng):
    """Targets at the peak, a hair below it, far from it, beyond the far end, and infinite ones."""
    peak = peak_of(spread)
    top, last = (log_hazard(z) - spread * z for z in (peak, FAR))
    below = top - 10.0 ** np.arange(-16, 2.01)
    between = last + (top - last) * rng.uniform(0, 1, 12)
    edges = [top, np.nextafter(top, -np.inf), top + 1e-15, top + 1e-3, top + 50, 1e5, np.inf]
    ends = [last, last + 1e-12, last - 1e-12, last - 1e-3, last - 1, last - 500, -1e5, -np.inf]
    return peak, np.concatenate([below, between, edges, ends])


@pytest.mark.parametrize("spread", SPREADS)
def test_the_root_is_that_of_a_bracketing_search(spread):
    peak, target = targets_of(spread, np.random.default_rng(1))
    spreads = np.full(len(target), spread)
    peaks = relative_hazard_peak(spreads)
    found = relative_hazard_root(target, spreads, peaks)
    assert ((found >= peaks) & (found <= FAR)).all()
    for z, asked in zip(found, target, strict=True):
        size = 1 + 0.5 * z * z + abs(spread * z)
        near = abs(z - root_of(asked, spread, peak)) <= Z_ERROR
        assert near or abs(log_hazard(z) - spread * z - asked) <= 1e-15 * size, (asked, z)


def test_random_roots_of_every_spread():
    rng = np.random.default_rng(2)
    spread = np.exp(rng.uniform(np.log(0.1), np.log(20), 600))
    peak = relative_hazard_peak(spread)
    drop = np.where(rng.random(600) < 0.6, 10.0 ** rng.uniform(-15, 0, 600), rng.uniform(0, 60, 600))
    target = log_hazard(peak) - spread * peak - drop
    found = relative_hazard_root(target, spread, peak)
    for z, asked, one, start in zip(found, target, spread, peak, strict=True):
        near = abs(z - root_of(asked, one, start)) <= Z_ERROR
        assert near or abs(log_hazard(z) - one * z - asked) <= 1e-15 * (1 + 0.5 * z * z + abs(one * z))


def crowded(n=300, seed=3):
    """Rows of all kinds, the awkward ones among them, with targets near and far from their peaks."""
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.uniform(np.log(1e-3), np.log(20), n))
    spread[: len(SPREADS)] = SPREADS
    rng.shuffle(spread)
    peak = relative_hazard_peak(spread)
    drop = np.where(rng.random(n) < 0.5, 10.0 ** rng.uniform(-16, 0, n), rng.uniform(-1, 60, n))
    return spread, peak, log_hazard(peak) - spread * peak - drop


def test_neighbours_never_change_a_peak_or_a_root():
    spread, peak, target = crowded()
    assert (one_by_one(relative_hazard_peak, spread) == relative_hazard_peak(spread)).all()
    assert (
        one_by_one(relative_hazard_root, target, spread, peak) == relative_hazard_root(target, spread, peak)
    ).all()


def test_neighbours_change_a_root_by_no_more_than_its_own_error():
    spread, peak, target = crowded()
    together = relative_hazard_root(target, spread, peak)
    for found in (
        one_by_one(relative_hazard_root, target, spread, peak),
        relative_hazard_root(np.stack([target, target - 1.0]), spread, peak)[0],
    ):
        size = 1 + 0.5 * found**2 + np.abs(spread * found)
        same = np.abs(found - together) <= Z_ERROR
        residual = np.abs(log_hazard(found) - spread * found - np.minimum(target, log_hazard(peak) - spread * peak))
        assert (same | (residual <= 1e-15 * size)).all()
