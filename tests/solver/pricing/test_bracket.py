"""The bracketed search: always neighbours on the grid, whatever the way there, with several points at once or one."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import tolerances
from support.laws import examples

import clear_alloc as ca
from clear_alloc.solver.pricing.bracket import (
    COARSE,
    FINE,
    MAX_EVALUATIONS,
    bracket_decreasing,
    bracket_from_guess,
    vector_root,
)

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


class Falling:
    """A continuous falling function of many points: straight between given heights, on a logarithmic scale."""

    def __init__(self, places, heights, high):
        self.places, self.heights, self.high = np.log(places), np.sort(heights)[::-1], high
        self.calls = 0

    def __call__(self, points):
        self.calls += 1
        points = np.atleast_1d(points)
        assert (points > 0).all()
        assert (points < self.high).all()
        assert (np.diff(points) >= 0).all()
        return self.at(points)

    def at(self, points):
        with np.errstate(divide="ignore"):
            return np.interp(np.log(points), self.places, self.heights)


@st.composite
def continuous(draw):
    """Such a function, flat in places, with its end and a level between its values there."""
    count = draw(st.integers(2, 8))
    places = sorted(draw(st.lists(st.floats(-200, 100), min_size=count, max_size=count, unique=True)))
    if draw(st.booleans()):  # heights on few steps make flat stretches
        heights = draw(st.lists(st.integers(0, 3).map(float), min_size=count, max_size=count))
    else:
        heights = draw(st.lists(st.floats(0, 1e6), min_size=count, max_size=count))
    high = float(np.exp(places[-1]) * draw(st.sampled_from([1.0, 1.5, 1e6])))
    f = Falling(np.exp(places), heights, high)
    most, least = f.heights[0], f.heights[-1]
    share = draw(st.one_of(st.just(0.0), st.just(1.0 - 1e-9), st.floats(0, 0.999)))
    level = float(least + share * (most - least))
    flat = draw(st.sampled_from([*f.heights]))
    return f, float(flat) if draw(st.booleans()) and flat < most else level


def hardly_less(f, level, found):
    value = float(f.at(found))
    assert value <= level
    # Where f falls steeply between neighbouring floats, the one before is too high.
    assert value >= level * (1 - 1e-7) or float(f.at(found * (1 - 8e-15))) > level * (1 - 1e-7)


@given(continuous(), st.floats(0, 1), st.sampled_from([0.0, 1e-6, 0.02, 3.0]), st.floats(-8, 8))
@examples(150)
def test_what_nearly_spends_never_overspends(case, place, error, off):
    f, level = case
    if not f.heights[0] > level >= f.heights[-1]:
        return
    guesses = [0.0, 1e-300, f.high, 7 * f.high, f.high * np.nextafter(1, 0), f.high * math.exp(-250 * place)]
    for price_guess in guesses:
        hardly_less(f, level, vector_root(f, level, f.high, price_guess, error))
    root = vector_root(f, level, f.high, 0.0, 0.0)
    assert 0.0 < root <= f.high
    hardly_less(f, level, vector_root(f, level, f.high, root * math.exp(off * error), error))


@pytest.mark.parametrize("power", [0.3, 1.0, 3.0])
def test_a_good_guess_needs_few_calls(power):
    f = Falling(np.geomspace(1e-3, 1.0, 400), 100.0 * np.linspace(0, 1, 400) ** power, 1.0)
    for level in (3.0, 20.0, 71.0):
        root = vector_root(f, level, 1.0, 0.0, 0.0)
        f.calls = 0
        hardly_less(f, level, vector_root(f, level, 1.0, root * 1.001, 1e-3))
        assert f.calls <= 4
        f.calls = 0
        hardly_less(f, level, vector_root(f, level, 1.0, 0.0, 0.0))
        assert f.calls <= 12


def test_the_far_end_is_the_answer_where_everything_before_it_is_too_much():
    def cliff(points):
        return np.where(points < 1.0, 2.0, 0.5)

    found = vector_root(cliff, 1.0, 1.0, 0.5, 0.02)
    assert found == 1.0
    assert vector_root(cliff, 1.0, 1.0, 0.0, 0.0) == 1.0
    assert vector_root(cliff, 1.0, 5e-324, 0.0, 0.0) == 5e-324  # no float lies before it


@st.composite
def stepped(draw):
    """A falling function with jumps, ties among them, and a slope or none between; its jumps, and a level."""
    count = draw(st.integers(1, 8))
    jumps = np.sort(draw(st.lists(st.floats(0.9, 1.1), min_size=count, max_size=count)) * draw(st.integers(1, 3)))
    heights = np.array(draw(st.lists(st.floats(0.1, 10), min_size=len(jumps), max_size=len(jumps))))
    slope = draw(st.sampled_from([0.0, 1.0, 100.0]))

    def f(price):
        return float(heights[jumps > price].sum()) + slope * max(0.0, 2.0 - price)

    return f, jumps, f(0.0) * draw(st.floats(0, 0.999))


@given(stepped(), st.floats(0.85, 1.15), st.floats(0.8, 1.0), st.floats(1.0, 1.3))
@examples(150)
def test_a_search_from_a_guess_finds_the_same_bracket_or_says_so(case, price_guess, low, high):
    f, jumps, level = case
    plain = bracket_decreasing(f, level, 3.0, jumps)
    inside = jumps[(jumps > low) & (jumps <= high)]
    for guess in (price_guess, plain.high, plain.low, plain.high * (1 + 1e-9), 0.5 * (low + high)):
        found = bracket_from_guess(f, level, guess, (low, high), inside)
        if not low < guess < high or not plain.high > low or not plain.low < high:
            assert found is None
        elif found is not None:
            assert found[:2] == plain[:2]
    # Right in the middle, a guess as good as that is enough.
    if plain.high > low * 1.001 and plain.low < high * 0.999:
        found = bracket_from_guess(f, level, plain.high, (low, high), inside)
        assert found is not None
        assert found[:2] == plain[:2]
        assert found.evaluations <= 3
