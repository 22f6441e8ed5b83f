"""CLEAR against slow, plain versions of itself."""

from __future__ import annotations

import numpy as np
import pytest
from support.benchmark_batches import accuracy, shares_of

from benchmarks.batch import Batch, Known
from benchmarks.policies import POLICIES
from benchmarks.policies.paper_clear import hump_caps, integral_caps, shared_humps
from benchmarks.scoring import held_out_accuracy


def by_hand(threshold, width, peak, budget):
    """The paper's caps without its closed form: demand by trying every pad, the price by trying every price."""
    pad = np.linspace(0.0, width, 20_001)
    value = peak * pad / width * np.exp(1.0 - pad / width)

    def demand(price):
        surplus = value - price * (threshold[:, None] + pad)
        best = surplus.argmax(axis=1)
        return np.where(surplus.max(axis=1) > 0.0, threshold + pad[best], 0.0)

    low, high = 0.0, 1.01 * peak * np.e / width
    for _ in range(5):  # zoom in on the lowest price whose demand fits
        prices = np.linspace(low, high, 41)
        fit = next(k for k, price in enumerate(prices) if demand(price).sum() <= budget)
        low, high = prices[max(fit - 1, 0)], prices[fit]
    return demand(high)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.03, 0.2, 0.6, 0.95, 1.5])
def test_the_paper_s_caps_are_what_trying_every_price_and_pad_gives(seed, share):
    rng = np.random.default_rng(seed)
    wide = 20.0 if seed == 0 else 1.0  # thresholds early on the hump: prices up to its steepest slope
    threshold, width = np.exp(rng.normal(6.0, 0.8, 9)), wide * float(rng.uniform(30.0, 400.0))
    budget = int(share * (threshold + width).sum())
    caps, slow = hump_caps(threshold, width, 0.4, budget), by_hand(threshold, width, 0.4, budget)
    assert ((caps > 0) == (slow > 0)).all()
    assert np.abs(caps - slow).max() <= 1.0 + width / 200.0
    assert caps.sum() <= budget
    assert caps.dtype == np.int64
    if share > 1.0:
        assert (caps >= np.floor(threshold + width) - 1).all()
        assert (caps <= threshold + width).all()


def test_the_height_that_all_share_cancels():
    threshold = np.array([100.0, 300.0, 900.0])
    assert (hump_caps(threshold, 80.0, 0.1, 700) == hump_caps(threshold, 80.0, 0.9, 700)).all()


def test_on_identical_queries_the_paper_s_method_funds_nobody_where_not_all_fit():
    threshold = np.full(10, 500.0)
    each = 500.0 + (np.sqrt(500.0**2 + 4 * 500.0 * 100.0) - 500.0) / 2.0  # least that anybody is funded with
    assert hump_caps(threshold, 100.0, 0.5, int(10 * each) - 20).tolist() == [0] * 10
    assert hump_caps(threshold, 100.0, 0.5, 0).tolist() == [0] * 10
    assert (hump_caps(threshold, 100.0, 0.5, int(10 * each) + 20) >= np.floor(each)).all()


def test_the_paper_s_method_leaves_tokens_over_and_gives_everybody_one_pad():
    threshold = np.array([100.0, 200.0, 400.0, 800.0, 1600.0])
    caps = hump_caps(threshold, 100.0, 0.5, 1300)
    pads = (caps - threshold)[caps > 0]
    assert 0 < len(pads) < 5
    assert np.ptp(pads) <= 1.0
    assert 1300 - caps.sum() > 50


def test_clear_has_its_own_thresholds_and_a_width_and_a_height_for_all(known):
    some = Batch(known.disturbed(np.linspace(0.5, 2.0, 60), 0.4), np.array([5, 2, 40]))
    curves = known.fitted("shifted_surge")
    threshold, width, peak = shared_humps(some, 2000)
    assert threshold == pytest.approx(np.linspace(0.5, 2.0, 60)[[5, 2, 40]] * curves.threshold[[5, 2, 40]])
    middle = sorted(curves.width)[29:31] @ np.array([0.5, 0.5])
    learnt = known.split.only([known.split.ids[row] for row in (5, 2, 40)])
    learnt = learnt._replace(scoring=learnt.fitting)
    widths = middle * 10.0 ** np.linspace(-1.0, 1.0, 17)
    scores = [held_out_accuracy(learnt, learnt.ids, hump_caps(threshold, w, peak, 2000)) for w in widths]
    assert width == pytest.approx(widths[int(np.argmax(scores))])
    assert peak == pytest.approx(sum(curves.peak) / 60)
    tokens = POLICIES["CLEAR"].act(some, 2000).tokens
    assert (tokens == hump_caps(threshold, width, peak, 2000)).all()


def test_the_paper_s_own_fit_shares_its_width_and_height(known, batch):
    curves = known.fitted("paper")
    assert len(set(curves.width.tolist())) == len(set(curves.peak.tolist())) == 1
    (budget,) = shares_of(known, 0.2)
    tokens = POLICIES["CLEAR, paper's fit"].act(batch, budget).tokens
    assert (tokens == hump_caps(curves.threshold, curves.width[0], curves.peak[0], budget)).all()
    assert tokens.any()


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3, 0.6, 1.0])
def test_the_best_width_in_hindsight_is_never_below_the_tuned_one(known, share):
    for rows in (np.arange(60), np.arange(0, 60, 4), np.array([7, 8, 30])):
        own = Batch(known, rows)
        budget = shares_of(known, share)[0] * len(rows) // 60
        plain, best = (POLICIES[name].act(own, budget).tokens for name in ("CLEAR", "CLEAR, best width in hindsight"))
        assert accuracy(own, best) >= accuracy(own, plain)
        threshold, _, peak = shared_humps(own, budget)
        for other in np.median(known.fitted("shifted_surge").width) * np.array([0.1, 1.0, 10.0]):
            assert accuracy(own, best) >= accuracy(own, hump_caps(threshold, other, peak, budget))


def test_the_width_is_tuned_on_samples_that_do_not_score(known, batch):
    split = known.split
    scrambled = {**split.scoring, "correct": 1 - split.scoring["correct"]}
    other = Batch(Known(split._replace(scoring=scrambled)), batch.rows)
    for name in ("CLEAR", "CLEAR, hump as marginal", "CLEAR + repair"):
        assert (POLICIES[name].act(batch, 9000).tokens == POLICIES[name].act(other, 9000).tokens).all()
    best = (POLICIES["CLEAR, best width in hindsight"].act(own, 9000).tokens for own in (batch, other))
    assert (next(best) != next(best)).any()


def test_the_integral_of_the_hump_is_maximised_query_by_query():
    rng = np.random.default_rng(3)
    for _ in range(5):
        threshold, width, budget = rng.uniform(0, 900, 12), rng.uniform(20, 300), int(rng.integers(500, 9000))
        caps = integral_caps(threshold, width, 0.6, budget)
        assert caps.sum() <= budget
        if not caps.any():
            continue
        pad = float((caps - threshold)[caps > 0].mean())
        price = 0.6 * pad / width**2 * np.exp(-pad / width)  # the slope there
        grid = np.linspace(0.0, 6000.0, 60_001)
        beyond = np.maximum(grid - threshold[:, None], 0.0) / width
        surplus = 0.6 * (1.0 - (1.0 + beyond) * np.exp(-beyond)) - price * grid
        best = grid[surplus.argmax(axis=1)]
        sure = np.abs(surplus.max(axis=1)) > 1e-3
        assert np.abs(best - caps)[sure].max() <= 3.0
    assert integral_caps(np.zeros(3), 10.0, 0.5, 10**9).min() > 100
