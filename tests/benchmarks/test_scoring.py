"""What a uniform cap and an oracle are credited with."""

from __future__ import annotations

import numpy as np
import pytest
from support.benchmark_rollouts import rollouts

import clear_alloc as ca
from benchmarks.scoring import Split, held_out_accuracy, held_out_use, hindsight_curves, split_by_parity, uniform_cap


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


def test_no_rollout_is_on_both_sides():
    odd, even = split_by_parity(rollouts(6)), split_by_parity(rollouts(6)).swapped()
    assert isinstance(even, Split)
    assert set(odd.fitting["sample"]) == set(even.scoring["sample"]) == {1, 3, 5, 7}
