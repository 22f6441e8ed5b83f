"""The package's own policies, the ladder to them, and the oracles."""

from __future__ import annotations

import numpy as np
import pytest
from support.benchmark_batches import RESERVED, accuracy, shares_of

import clear_alloc as ca
from benchmarks.batch import Batch
from benchmarks.policies import EXPECTED, POLICIES, installed
from benchmarks.policies.paper_clear import shared_humps
from benchmarks.scoring import held_out_use

# What `ours` and the oracles are: curves and accounting.
PLAIN = {
    "ours": ("lognormal", "reserved"),
    "ours, shifted surge": ("shifted_surge", "reserved"),
    "ours, cumulative surge": ("cumulative_surge", "reserved"),
    "ours, empirical": ("empirical", "reserved"),
    "ours, expected": ("lognormal", "expected"),
    "ours, expected, cumulative surge": ("cumulative_surge", "expected"),
    "ours, expected, empirical": ("empirical", "expected"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_ours_is_the_package_s_allocator_on_fitted_curves(known, batch, name):
    (family, accounting), (budget,) = PLAIN[name], shares_of(known, 0.2)
    caps = POLICIES[name].act(batch, budget)
    plain = ca.allocate(ca.fit(known.split.fitting, family=family).curves, budget, accounting=accounting)
    assert (caps.tokens == plain.tokens).all()
    assert (caps.price, caps.promised, caps.gap) == (plain.price, plain.utility, plain.gap)
    assert POLICIES[name].charged == accounting


@pytest.mark.parametrize("accounting", ["reserved", "expected"])
def test_the_oracle_is_the_package_s_allocator_without_a_margin(known, batch, accounting):
    (budget,) = shares_of(known, 0.2)
    caps = POLICIES["oracle" if accounting == "reserved" else "oracle, expected"].act(batch, budget)
    plain = ca.allocate(known.hindsight, budget, accounting=accounting, overrun=0.5)
    assert (caps.tokens == plain.tokens).all()
    assert caps.promised == plain.utility


def test_the_ladder_changes_one_thing_at_a_time(known, batch):
    (budget,) = shares_of(known, 0.2)
    humps = shared_humps(batch, budget)
    curves = ca.ShiftedSurge(*humps)
    repaired, literal_caps = (POLICIES[name].act(batch, budget) for name in ("CLEAR + repair", "CLEAR"))
    assert repaired.promised == pytest.approx(curves.utility(repaired.tokens).sum())
    assert repaired.promised > curves.utility(literal_caps.tokens).sum()
    shaped, fitted = POLICIES["CLEAR + repair + shape"].act(batch, budget), known.fitted("lognormal")
    level = ca.LognormalArrival(fitted.median, fitted.spread, np.full(60, fitted.solvability.mean()))
    assert (shaped.tokens == ca.allocate(level, budget).tokens).all()
    few = Batch(known, np.arange(5))  # the pool's share, not the batch's
    level = ca.LognormalArrival(fitted.median[:5], fitted.spread[:5], np.full(5, fitted.solvability.mean()))
    assert POLICIES["CLEAR + repair + shape"].act(few, 900).promised == ca.allocate(level, 900).utility


@pytest.mark.slow
@pytest.mark.parametrize("name", ["oracle", "oracle, expected"])
def test_the_oracle_promises_what_scoring_finds_and_nobody_beats_it_by_more_than_its_gap(known, name):
    for rows in (np.arange(60), np.arange(10, 35)):
        own = Batch(known, rows)
        split = known.split.only([known.split.ids[row] for row in rows])
        for budget in shares_of(known, 0.05, 0.3):
            caps = POLICIES[name].act(own, budget)
            assert caps.promised / len(rows) == pytest.approx(accuracy(own, caps.tokens))
            if POLICIES[name].charged == EXPECTED:
                assert held_out_use(split, split.ids, caps.tokens) * len(rows) <= budget * (1.0 + 1e-9)
                others = ["uniform, unused returned"]
            else:
                others = [other for other in RESERVED if installed(other) and other not in ("SLSQP", "price-contour")]
            for other in others:
                least = len(rows) * accuracy(own, POLICIES[other].act(own, budget).tokens)
                assert least <= caps.promised + caps.gap + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("accounting", ["reserved", "expected"])
def test_knowing_that_there_is_no_error_is_ours(known, batch, accounting):
    word = "" if accounting == "reserved" else ", expected"
    (budget,) = shares_of(known, 0.2)
    plain, told = (POLICIES[f"ours{word}{more}"].act(batch, budget) for more in ("", ", knowing its error"))
    assert np.abs(told.tokens - plain.tokens).max() <= 1
    assert told.promised == pytest.approx(plain.promised, rel=1e-9)
    assert POLICIES[f"ours{word}, knowing its error"].charged == accounting


@pytest.mark.slow
@pytest.mark.parametrize(("error", "hopeless"), [(0.2, False), (0.5, False), (3.0, True)])
def test_known_errors_draw_predictions_to_the_mean_as_bayes_has_it(known, error, hopeless):
    factor = np.exp(error * np.random.default_rng(1).standard_normal(60) * (0.1 if hopeless else 1.0))
    told, rows = known.disturbed(factor, error), np.arange(5, 45)
    fitted = known.fitted("lognormal")
    predicted = [np.log(f * m) for f, m in zip(factor, fitted.median, strict=True)]  # of the pool, not of the batch
    mean = sum(predicted) / 60
    variance = sum((one - mean) ** 2 for one in predicted) / 60
    own = variance - error**2  # what queries differ in
    assert (own <= 0.0) == hopeless
    median, spread = [], []
    for row in rows:
        if hopeless:
            centre, doubt = mean, variance
        else:
            doubt = 1.0 / (1.0 / own + 1.0 / error**2)
            centre = doubt * (mean / own + predicted[row] / error**2)
        median.append(np.exp(centre))
        spread.append(np.sqrt(fitted.spread[row] ** 2 + doubt))
    curves = ca.LognormalArrival(median, spread, fitted.solvability[rows])
    (budget,) = shares_of(known, 0.2)
    for word, accounting in (("", "reserved"), (", expected", "expected")):
        caps = POLICIES[f"ours{word}, knowing its error"].act(Batch(told, rows), budget)
        plain = ca.allocate(curves, budget, accounting=accounting)
        assert caps.promised == pytest.approx(plain.utility, rel=1e-9)
        assert np.abs(caps.tokens - plain.tokens).max() <= 1


def test_families_are_not_chosen_on_lengths_predicted_wrongly(known):
    wrong = Batch(known.disturbed(np.linspace(0.5, 2.0, 60), 0.4), np.arange(2))
    with pytest.raises(ValueError, match="not on lengths predicted wrongly"):
        POLICIES["ours, chosen"].act(wrong, 900)
