"""What a policy is given: rows of a stream, their fits, lengths that are predicted wrongly."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from support.benchmark_batches import accuracy

import clear_alloc as ca
from benchmarks.batch import Batch, Caps, Known, _stretched
from benchmarks.scoring import Split


def test_wrong_predictions_stretch_lengths_and_share_the_fits(known):
    factor = np.linspace(0.5, 2.0, 60)
    other = known.disturbed(factor, 0.3)
    assert other.fitted("lognormal") is known.fitted("lognormal")
    assert (other.error, known.error) == (0.3, 0.0)
    assert (known.factor == 1.0).all()
    assert other.hindsight.utility(np.full(60, 700)) == pytest.approx(known.hindsight.utility(np.full(60, 700)))
    rows = np.array([50, 4])
    far, near = Batch(other, rows), Batch(known, rows)
    for family, moved in (("lognormal", "median"), ("shifted_surge", "threshold"), ("cumulative_surge", "threshold")):
        wrong, right = far.curves(family), near.curves(family)
        for name in ("median", "spread", "solvability", "threshold", "width", "peak", "weight"):
            if hasattr(right, name):
                times = factor[rows] if name == moved else 1.0
                assert getattr(wrong, name) == pytest.approx(times * getattr(right, name))
    assert (near.curves("lognormal").median == known.fitted("lognormal").median[rows]).all()
    assert len(near) == 2


def test_nothing_is_predicted_of_menus(known):
    menu = known.hindsight
    assert _stretched(menu, np.ones(60)) is menu
    with pytest.raises(TypeError, match="Menu has no predicted lengths"):
        _stretched(menu, np.full(60, 2.0))
    weighted = ca.LognormalArrival([100.0], [0.3], [0.5], weight=[3.0])
    assert _stretched(weighted, np.array([2.0])).weight == 3.0


def test_a_part_of_a_batch_is_its_rows(known):
    part = Batch(known, np.array([7, 9]), seed=5)
    assert part.ids == [known.split.ids[7], known.split.ids[9]]
    assert part.split.ids == part.ids
    assert set(part.split.fitting["query_id"]) == set(part.split.scoring["query_id"]) == set(part.ids)
    turned = Batch(known, np.arange(60)[::-1])
    assert turned.split.ids == known.split.ids[::-1]  # caps are in the batch's own order
    assert Batch(known, np.arange(60)).split is known.split
    caps = np.full(2, 500)
    assert part.hindsight.utility(caps).mean() == pytest.approx(accuracy(part, caps))


def test_a_fit_in_another_order_is_refused(known):
    turned = Known(Split(known.split.fitting, known.split.scoring, known.split.ids[::-1]))
    with pytest.raises(ValueError, match="another order"):
        turned.fitted("lognormal")


def test_caps_of_an_allocation_are_its_own():
    found = SimpleNamespace(tokens=np.array([3]), price=0.5, utility=0.25, gap=0.125)
    assert Caps.of(found) == Caps(found.tokens, 0.5, 0.25, 0.125)
    bare = Caps(found.tokens)
    assert np.isnan([bare.price, bare.promised, bare.gap]).all()
