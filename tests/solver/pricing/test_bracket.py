"""The bracketed search: always neighbours on the grid, whatever the way there."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import tolerances
from support.laws import examples

import clear_alloc as ca
from clear_alloc.solver.pricing.bracket import COARSE, FINE, MAX_EVALUATIONS, bracket_decreasing

roots = sys.modules["clear_alloc.solver.pricing.bracket"]


def index(price, drop):
    """Number of a grid point, counted from 0; fails where `price` is not on the grid."""
    bits = int(np.float64(price).view(np.int64))
    assert bits % (1 << drop) == 0
    return bits >> drop


def steps(points, heights):
    """A falling step function: it loses heights[k] at points[k], where it already has the lower value."""
    points, heights = np.asarray(points), np.asarray(heights)
    return lambda price: float(heights[points > price].sum())


@st.composite
def falling(draw):
    """A falling function with its jumps and its last point: smooth, stepped, both, with tied jumps."""
    count = draw(st.integers(1, 8))
    points = draw(st.lists(st.floats(1e-12, 1e3), min_size=count, max_size=count)) * draw(st.integers(1, 3))
    heights = draw(st.lists(st.floats(0.1, 1e6), min_size=len(points), max_size=len(points)))
    slope, last = draw(st.sampled_from([0.0, 1.0, 1e-9, 1e6])), max(points)
    jump = steps(points, heights)

    def f(price):
        return jump(price) + slope * max(0.0, 1.0 - price / last) ** 2

    return f, np.sort(points), last


def check(f, level, bracket, drop):
    assert index(bracket.high, drop) - index(bracket.low, drop) == 1
    assert f(bracket.low) > level >= f(bracket.high)


@given(falling(), st.floats(0, 1), st.sampled_from([FINE, COARSE]))
@examples(300)
def test_the_bracket_is_a_pair_of_neighbours_around_the_level(case, share, drop):
    f, jumps, last = case
    level = share * f(0.0) * (1 - tolerances.ROUNDING)
    for hints in ({}, {"breakpoints": jumps}):
        bracket = bracket_decreasing(f, level, last, drop=drop, **hints)
        check(f, level, bracket, drop)
        assert 0 < bracket.evaluations <= MAX_EVALUATIONS


@given(falling(), st.floats(0, 0.999), st.floats(1e-15, 1e4), st.lists(st.floats(1e-13, 1e3), max_size=5))
@examples(200)
def test_the_answer_does_not_depend_on_the_way_there(case, share, price_guess, wrong):
    """Exact: guesses and jumps, right, wrong or missing, change the number of evaluations and nothing else."""
    f, jumps, last = case
    level = share * f(0.0)
    plain = bracket_decreasing(f, level, last)
    for hints in (
        {"breakpoints": jumps},
        {"breakpoints": jumps[::2]},
        {"breakpoints": np.sort(wrong)},
        {"price_guess": price_guess},
        {"price_guess": last},
        {"price_guess": plain.high, "breakpoints": jumps},
        {"price_guess": np.nextafter(plain.low, 0)},
    ):
        assert bracket_decreasing(f, level, last, **hints)[:2] == plain[:2]
    assert bracket_decreasing(f, level, 7 * last)[:2] == plain[:2]


@given(falling(), st.floats(0, 0.999), st.floats(0, 0.999))
@examples(200)
def test_a_lower_level_never_has_a_smaller_root(case, one, other):
    f, jumps, last = case
    low, high = sorted((one * f(0.0), other * f(0.0)))
    assert bracket_decreasing(f, low, last, jumps).high >= bracket_decreasing(f, high, last).high


@pytest.mark.parametrize("root", [5e-324, 1e-310, 1e-30, 1e-12, 0.3, 1.0, 1e12])
@pytest.mark.parametrize("high", [1.0, 1e12, 1e300])
def test_roots_of_any_size_are_found_to_the_grid(root, high):
    if root >= high:
        root = high
    bracket = bracket_decreasing(lambda price: float(price < root), 0.5, high)
    assert bracket.low < root <= bracket.high
    check(lambda price: float(price < root), 0.5, bracket, FINE)
    if root > 1e-300:
        assert bracket.high - bracket.low <= tolerances.PRICE_GRID * root
    assert bracket.evaluations <= 90


@pytest.mark.parametrize("power", [1, 3, 15, 1 / 7])
def test_a_smooth_function_takes_few_evaluations_and_a_good_guess_fewer(power):
    def f(price):
        return (1.0 - min(price, 1.0)) ** power

    cold = bracket_decreasing(f, 0.3, 1.0)
    warm = bracket_decreasing(f, 0.3, 1.0, price_guess=cold.high * 1.0001)
    assert cold.evaluations <= 40
    assert warm[:2] == cold[:2]
    assert warm.evaluations <= 40


def test_many_jumps_cost_their_logarithm():
    points = np.sort(np.random.default_rng(0).uniform(0, 1, 100_000))
    level = 40_000.5
    bracket = bracket_decreasing(steps(points, np.ones(len(points))), level, 1.0, points)
    assert bracket.low < points[-40_001] <= bracket.high
    assert bracket.evaluations <= 40


def test_no_function_however_wild_needs_more_than_the_limit():
    """Every fourth step halves the bracket, so 300 evaluations are never reached: the limit guards against bugs."""
    rng = np.random.default_rng(2)
    worst = 0
    for _ in range(300):
        exponents = np.sort(rng.uniform(-300, 300, 40))[::-1]
        points = np.sort(10.0 ** rng.uniform(-300, 3, 40))
        f = steps(points, 10.0**exponents)
        level = f(0.0) * rng.uniform(0, 1) ** 20
        worst = max(worst, bracket_decreasing(f, level, 1e3, price_guess=10.0 ** rng.uniform(-300, 3)).evaluations)
    assert worst < 240


def test_a_search_that_does_not_end_says_where_it_stood(monkeypatch):
    monkeypatch.setattr(roots, "MAX_EVALUATIONS", 5)
    with pytest.raises(ca.PriceNotConverged, match=r"stayed between .* after 5 evaluations") as caught:
        bracket_decreasing(lambda price: 1.0 - price, 0.4321, 1.0)
    assert caught.value.low < 1 - 0.4321 <= caught.value.high
    assert caught.value.evaluations == 5
    monkeypatch.setattr(roots, "MAX_EVALUATIONS", 1)
    with pytest.raises(ca.PriceNotConverged):
        ca.allocate(ca.ShiftedSurge([100, 300], 50, 0.5), 120)
