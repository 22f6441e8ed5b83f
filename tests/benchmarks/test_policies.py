"""The policies of the benchmarks against slow, plain versions of themselves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import clear_alloc as ca
from benchmarks import experiments
from benchmarks import slsqp as relaxed
from benchmarks.batch import Batch, Caps, Known, _stretched
from benchmarks.policies import EXPECTED, LADDER, POLICIES, installed, peers
from benchmarks.policies.paper_clear import hump_caps, integral_caps, shared_humps
from benchmarks.scoring import Split, held_out_accuracy, held_out_use
from benchmarks.streams import STREAMS, rollouts_of

RESERVED = [name for name in POLICIES if POLICIES[name].charged == "reserved"]
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


def known_of(name="Balanced", n=60, seed=3):
    rng = np.random.default_rng(seed)
    return Known(rollouts_of(STREAMS[name].draw(rng, n), rng))


@pytest.fixture(scope="module")
def known():
    return known_of()


@pytest.fixture(scope="module")
def batch(known):
    return Batch(known, np.arange(60))


def shares_of(known, *shares):
    return [int(share * known.split.scoring["tokens"].mean() * len(known)) for share in shares]


def needs(name):
    if not installed(name):
        pytest.skip(f"{POLICIES[name].needs} is not installed")
    return POLICIES[name].act


def accuracy(batch, tokens):
    split = batch.known.split
    mine = split.only([split.ids[row] for row in batch.rows])
    return held_out_accuracy(mine, mine.ids, tokens)


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


@pytest.mark.slow
@pytest.mark.parametrize("name", POLICIES)
def test_caps_are_whole_and_within_the_budget(known, name):
    act = needs(name)
    sizes = (1, 3) if "chosen" in name else (1, 2, 3, 40)  # who tries many curves is tried on few queries
    for rows in (np.arange(60)[:: 60 // size][:size] for size in sizes):
        scarce, ample = (total * len(rows) // 60 for total in shares_of(known, 0.1, 2.0))
        for budget in (0, scarce) if "chosen" in name else (0, 1, scarce, ample):
            caps = act(Batch(known, rows), budget)
            assert caps.tokens.shape == rows.shape
            assert caps.tokens.dtype == np.int64
            assert (caps.tokens >= 0).all()
            if POLICIES[name].charged == "reserved":
                assert caps.tokens.sum() <= budget


@pytest.mark.parametrize("name", POLICIES)
def test_a_stream_of_one_query_is_served(name):
    act, alone = needs(name), known_of("Identical", 1)
    caps = act(Batch(alone, np.arange(1)), 3000).tokens
    assert caps.shape == (1,)
    assert caps[0] > 0


@pytest.mark.parametrize("name", POLICIES)
def test_with_plenty_every_policy_gets_nearly_all_answers(known, batch, name):
    (budget,) = shares_of(known, 20.0)
    caps, most = needs(name)(batch, budget), np.full(60, 10**6)
    # Some stop at a length of their own, tokens or not: at the top of a hump, at a break-even, at the longest seen.
    early = {
        "CLEAR, paper's fit": 0.65,
        "best value first": 0.45,
        "ours, empirical": 0.25,
        "CLEAR": 0.2,
        "SLSQP": 0.2,
    }
    short = early.get(name.replace(", expected", ""), 0.15)
    assert accuracy(batch, caps.tokens) >= (1.0 - short) * accuracy(batch, most)


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


def test_policies_that_are_charged_by_use_say_so():
    assert {name for name in POLICIES if POLICIES[name].charged == EXPECTED} == {
        *(name for name in POLICIES if ", expected" in name),
        "uniform, unused returned",
    }
    assert set(LADDER) < set(POLICIES)
    assert LADDER[0] == "CLEAR"


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


def test_no_lots_are_those_that_streams_are_drawn_with():
    assert len({peers.LOTS, experiments.LOTS, *range(len(STREAMS))}) == len(STREAMS) + 2


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
    monkeypatch.setattr(relaxed, "minimize", lambda *_, **__: SimpleNamespace(x=end, fun=-99.0, success=False))
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


def test_the_error_of_a_prediction_is_a_factor_at_one_deviation(known):
    lots = np.log(experiments.disturbed(known_of("Identical", 2000), 0.5, 1).factor) / np.log(1.5)
    assert stats.kstest(lots, "norm").pvalue > 1e-3
    wrong, again, other = (experiments.disturbed(known, 0.25, seed) for seed in (1, 1, 2))
    assert wrong.error == pytest.approx(np.log(1.25))
    assert (wrong.factor == again.factor).all()
    assert (wrong.factor != other.factor).all()
    twice = experiments.disturbed(known, 0.25**2 + 0.5, 1)  # the same lots, further off
    assert np.log(twice.factor) == pytest.approx(2.0 * np.log(wrong.factor))
    assert experiments.disturbed(known, 0.0, 1) is known


@pytest.mark.parametrize("accounting", ["reserved", "expected"])
def test_knowing_that_there_is_no_error_is_ours(known, batch, accounting):
    word = "" if accounting == "reserved" else ", expected"
    (budget,) = shares_of(known, 0.2)
    plain, told = (POLICIES[f"ours{word}{more}"].act(batch, budget) for more in ("", ", knowing its error"))
    assert np.abs(told.tokens - plain.tokens).max() <= 1
    assert told.promised == pytest.approx(plain.promised, rel=1e-9)
    assert POLICIES[f"ours{word}, knowing its error"].charged == accounting


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
