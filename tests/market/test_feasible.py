"""Which caps are feasible, what covers an option, and what a message shows of them."""

from __future__ import annotations

import numpy as np

from clear_alloc.market.read_limits import read_feasible


def caps_of(n=4, **terms):
    return read_feasible(n, **terms)


def test_rows_are_taken_with_their_own_levels():
    caps = caps_of(levels=[{0, 8, 9}, None, {0, (3, 5)}, {0, 7}], fallback=[1, 2, 0, 3])
    some = caps.take(np.array([3, 1, 0]))
    assert some.fallback.tolist() == [3, 2, 1]
    assert some.listed.tolist() == [0, 2]
    assert some.levels.tolist() == [[7, np.inf], [8, 9]]
    assert some.lifts.tolist() == [True, False, True]
    assert caps.take(np.arange(4)) is caps
    plain = caps_of(max_tokens=[5, 6, 7, 8])
    assert plain.take(np.array([2, 2])).high.tolist() == [7, 7]
    assert not len(plain.take(np.array([2, 2])).listed)


def test_a_cap_is_lifted_to_the_smallest_that_is_allowed():
    options = np.array([[0.0, 5.0, 60.0, 700.0]] * 4)
    listed = caps_of(levels={0, 50, 100})
    assert listed.lifted(options).tolist() == [[0, 50, 100, np.inf]] * 4
    span = caps_of(levels={0, (50, 100)})
    assert span.lifted(options).tolist() == [[0, 50, 60, np.inf]] * 4
    fallback = caps_of(levels={0, 50, 100}, fallback=5)
    assert fallback.lifted(options).tolist() == [[0, 5, 100, np.inf]] * 4
    floor = caps_of(min_tokens=50, max_tokens=100)
    assert floor.lifted(options).tolist() == [[0, 5, 60, np.inf]] * 4  # a floor alone lifts nothing
    funded = caps_of(levels={50, 100}, fallback=5)
    assert funded.lifted(options).tolist() == [[50, 50, 100, np.inf]] * 4  # without 0 nobody rests


def test_what_is_allowed_is_what_is_shown():
    caps = caps_of(3, levels=[{0, 8, 1200}, None, {0, (3, 5)}], max_tokens=2_000)
    tokens = np.array([[0.0, 0, 0], [8, 2_000, 3], [9, 2_001, 2], [1_200, 1, 5]])
    allowed = [caps.allow(row).tolist() for row in tokens]
    assert allowed == [[True] * 3, [True] * 3, [False] * 3, [True] * 3]
    assert [caps.shown(row) for row in range(3)] == ["8, 1,200", "0 to 2,000", "3 to 5"]
