"""The yardsticks of the benchmarks: what a uniform cap, an oracle, a level and a mix are credited with."""

from __future__ import annotations

import numpy as np
import pytest

import clear_alloc as ca
from benchmarks.captured_gain import Outcome, figures, outcome_of
from benchmarks.effort_levels import Held, compared
from benchmarks.scoring import Split, held_out_accuracy, held_out_use, hindsight_curves, split_by_parity, uniform_cap


def rollouts(seed, queries=40, samples=8, longer=1.0, solved=0.7):
    rng = np.random.default_rng(seed)
    query = np.repeat(np.arange(queries), samples)
    median = np.exp(np.random.default_rng(0).normal(6.0, 0.8, queries))
    tokens = np.maximum(np.round(longer * median[query] * np.exp(rng.normal(0.0, 0.25, len(query)))), 1.0)
    return {
        "query_id": query.astype(str),
        "sample": np.tile(np.arange(1, samples + 1), queries),
        "tokens": tokens.astype(int),
        "correct": (rng.random(len(query)) < solved).astype(int),
    }


def test_no_larger_common_cap_fits_what_the_scoring_samples_burn():
    split = split_by_parity(rollouts(1))
    for share in (0.1, 0.4, 0.8):
        budget = int(share * split.scoring["tokens"].mean() * len(split.ids))
        caps = uniform_cap(split, split.ids, budget, "expected")
        burned = [np.minimum(split.scoring["tokens"], caps[0] + more).mean() for more in (0, 1)]
        assert burned[0] * len(split.ids) <= budget < burned[1] * len(split.ids)
        assert held_out_use(split, split.ids, caps) == pytest.approx(burned[0])
        assert uniform_cap(split, split.ids, budget, "reserved").tolist() == [budget // len(split.ids)] * 40
    everything = uniform_cap(split, split.ids, 10**9, "expected")
    assert everything[0] == split.scoring["tokens"].max()


def test_the_oracle_promises_and_pays_what_scoring_finds():
    split = split_by_parity(rollouts(2))
    curves = hindsight_curves(split, split.ids)
    budget = int(0.3 * split.scoring["tokens"].mean() * len(split.ids))
    result = ca.allocate(curves, budget, accounting="expected", overrun=0.5)
    assert result.utility / 40 == pytest.approx(held_out_accuracy(split, split.ids, result.tokens))
    assert result.spent / 40 == pytest.approx(held_out_use(split, split.ids, result.tokens))


def test_the_oracle_s_own_curves_capture_everything():
    split = split_by_parity(rollouts(3))
    budget = int(0.3 * split.scoring["tokens"].mean() * len(split.ids))
    found = outcome_of(split, hindsight_curves(split, split.ids), split.ids, budget, "expected")
    assert found.gain == 1.0
    assert 0.9 < found.spent <= 1.0
    assert split.swapped().swapped().ids == split.ids


def test_where_uniform_is_as_good_as_the_oracle_no_gain_is_counted():
    nothing, something = Outcome(0.3, 0.3, 0.3005, 1.0), Outcome(0.2, 0.1, 0.3, 0.8)
    assert np.isnan(nothing.gain)
    assert figures([nothing, something]) == pytest.approx((0.5, 0.9))


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


def test_no_rollout_is_on_both_sides():
    odd, even = split_by_parity(rollouts(6)), split_by_parity(rollouts(6)).swapped()
    assert isinstance(even, Split)
    assert set(odd.fitting["sample"]) == set(even.scoring["sample"]) == {1, 3, 5, 7}
