"""Routers, greedy rules, lots and optimisers against slow, plain versions of themselves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from support.benchmark_batches import known_of, needs, shares_of

import clear_alloc as ca
from benchmarks import slsqp
from benchmarks.batch import Batch
from benchmarks.policies import POLICIES


def test_uniform_is_the_same_for_all(batch):
    assert POLICIES["uniform"].act(batch, 60 * 77 + 59).tokens.tolist() == [77] * 60


def test_what_returned_tokens_allow_is_the_largest_common_cap_that_fits_in_use(known):
    for rows in (np.arange(60), np.arange(20, 30)):
        tokens = known.split.scoring["tokens"].reshape(60, 16)[rows]
        for budget in (0, 500, 5000, 10**7):
            caps = POLICIES["uniform, unused returned"].act(Batch(known, rows), budget).tokens
            assert len(set(caps.tolist())) == 1
            used = [np.minimum(tokens, caps[0] + more).mean(axis=1).sum() for more in (0, 1)]
            assert used[0] <= budget * (1.0 + 1e-12)
            assert used[1] > budget or caps[0] == tokens.max()


def test_proportional_and_cutoff_are_the_package_s_own(known, batch):
    for budget in shares_of(known, 0.1, 0.5):
        proportional = POLICIES["proportional"].act(batch, budget).tokens
        assert proportional / proportional.sum() == pytest.approx(
            known.fitted("lognormal").median / known.fitted("lognormal").median.sum(), abs=2e-3
        )
        cutoff, curves = POLICIES["cutoff plus pad"].act(batch, budget), known.fitted("shifted_surge")
        assert (cutoff.tokens == ca.cutoff_plus_pad(curves, budget).tokens).all()
        assert cutoff.promised == pytest.approx(curves.utility(cutoff.tokens).sum())
        assert np.isnan(cutoff.price)
        assert cutoff.gap >= 0.0


def test_the_tier_router_has_five_caps_in_proportion_to_what_nine_in_ten_need(known, batch):
    curves = known.fitted("lognormal")
    order = np.argsort(curves.median)
    need = stats.lognorm(s=curves.spread, scale=curves.median).ppf(0.9)
    for budget in shares_of(known, 0.1, 1.0):
        tokens = POLICIES["tier router"].act(batch, budget).tokens
        caps = [set(tokens[order[start : start + 12]].tolist()) for start in range(0, 60, 12)]
        assert [len(own) for own in caps] == [1] * 5
        ladder = np.array([own.pop() for own in caps])
        assert (np.diff(ladder) > 0).all()
        typical = np.array([need[order[start : start + 12]].mean() for start in range(0, 60, 12)])
        assert ladder == pytest.approx(budget * typical / (12 * typical.sum()), abs=1.0)
    assert len(set(POLICIES["tier router"].act(Batch(known, np.array([1, 20, 33])), 3000).tokens)) == 3


@pytest.mark.parametrize("budget", [7, 500, 3001, 40_000])
def test_greedy_gives_each_block_to_whoever_gains_most(known, budget):
    own = Batch(known, np.array([3, 11, 24, 40]))
    curves, block = own.curves("lognormal"), max(budget // 80, 1)
    tokens = np.zeros(4, dtype=np.int64)
    for _ in range(budget // block):
        gain = curves.utility(tokens + block) - curves.utility(tokens)
        tokens[int(np.argmax(gain))] += block
    assert POLICIES["greedy marginal"].act(own, budget).tokens.tolist() == tokens.tolist()


def test_best_value_first_funds_by_value_per_token_each_where_that_is_highest(known, batch):
    curves = known.fitted("lognormal")
    every = np.arange(1, 9000)
    worth = curves.utility(np.tile(every[:, None], 60)) / every[:, None]
    most, order = every[worth.argmax(axis=0)], np.argsort(-worth.max(axis=0))
    for budget in shares_of(known, 0.05, 0.3):
        tokens = POLICIES["best value first"].act(batch, budget).tokens
        funded = np.flatnonzero(tokens)
        assert set(funded) == set(order[: len(funded)])
        assert np.abs(tokens - most)[funded].max() <= 1
        assert tokens.sum() + most[order[len(funded)]] + 1 >= budget  # the next one doesn't fit


def test_lots_are_drawn_anew_for_each_seed_and_each_winner_gets_nine_in_ten_of_its_lengths(known):
    curves = known.fitted("lognormal")
    need = np.ceil(stats.lognorm(s=curves.spread, scale=curves.median).ppf(0.9))
    (budget,) = shares_of(known, 0.3)
    won = np.zeros(60)
    for seed in range(40):
        tokens = POLICIES["random order"].act(Batch(known, np.arange(60), seed), budget).tokens
        assert (tokens == POLICIES["random order"].act(Batch(known, np.arange(60), seed), budget).tokens).all()
        funded = tokens > 0
        assert tokens[funded] == pytest.approx(need[funded], abs=1.0)
        assert tokens.sum() <= budget < tokens.sum() + need[~funded].max()
        won += funded
    assert (won > 0).sum() > 50  # a few need more than the whole budget
    assert won.max() < 30


def test_slsqp_spends_its_budget_better_than_uniform_and_promises_what_its_caps_are_worth():
    known = known_of(n=20)
    batch, curves = Batch(known, np.arange(20)), known.fitted("lognormal")
    for budget in shares_of(known, 0.2, 0.5):
        caps, equal = (POLICIES[name].act(batch, budget) for name in ("SLSQP", "uniform"))
        assert 0.9 * budget <= caps.tokens.sum() <= budget
        assert caps.promised == pytest.approx(curves.utility(caps.tokens).sum())
        assert caps.promised > curves.utility(equal.tokens).sum() + 0.1


def test_whatever_the_optimiser_ends_with_is_cut_to_the_budget(known, monkeypatch):
    own, end = Batch(known, np.arange(10)), np.linspace(-1.0, 5.0, 10)
    monkeypatch.setattr(slsqp, "minimize", lambda *_, **__: SimpleNamespace(x=end, fun=-99.0, success=False))
    caps = POLICIES["SLSQP"].act(own, 9000)
    positive = np.maximum(end, 0.0)
    assert caps.tokens == pytest.approx(9000 * positive / positive.sum(), abs=1.0)
    assert caps.tokens.sum() <= 9000
    assert caps.promised == own.curves("lognormal").utility(caps.tokens).sum()


def test_the_pricing_library_spends_its_budget_and_beats_uniform(known, batch):
    act = needs("price-contour")
    curves = known.fitted("lognormal")
    for budget in shares_of(known, 0.1, 0.4):
        tokens = act(batch, budget).tokens
        assert 0.8 * budget <= tokens.sum() <= budget
        assert (
            curves.utility(tokens).sum() > 1.2 * curves.utility(POLICIES["uniform"].act(batch, budget).tokens).sum()
        )
