"""What a level and a mix of levels are credited with."""

from __future__ import annotations

import numpy as np
import pytest
from support.benchmark_rollouts import rollouts

import clear_alloc as ca
from benchmarks.effort_levels import Held, compared
from benchmarks.scoring import split_by_parity


def test_mixing_is_the_chord_between_levels_and_never_below_the_best_single_one():
    held = Held(np.full((2, 3), [100.0, 200.0, 400.0]), np.full((2, 3), [0.4, 0.3, 0.7]))
    assert held.mixing(50.0) == pytest.approx(0.2)  # half the questions are not asked
    assert held.mixing(250.0) == pytest.approx(0.55)  # the level in between is worse than a mix of its neighbours
    assert (held.single(50.0), held.single(250.0), held.single(500.0)) == (0.0, 0.4, 0.7)
    assert held.mixing(900.0) == 0.7
    assert held.run(np.array([-1, 2])) == (200.0, pytest.approx(0.35))


def test_levels_chosen_question_by_question_beat_a_mix_at_the_same_use():
    levels = [split_by_parity(rollouts(4, solved=0.5)), split_by_parity(rollouts(5, longer=6.0, solved=0.9))]
    menu = ca.menu_of_levels({str(place): ca.fit(split.fitting) for place, split in enumerate(levels)})
    assert menu.ids == levels[0].ids
    assert [len(costs) for costs in menu.curves.costs] == [2] * 40
    for row in compared(levels, [0.08 * levels[1].scoring["tokens"].mean()]):
        _, ours, spent, single, mixing, oracle = row
        assert 1.2 * mixing < ours <= oracle
        assert single <= mixing
        assert 0.85 < spent < 1.15
