"""The streams are what their notes say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit
from support.simulated import SIGMAS, assert_share, rng_of

from benchmarks import paper
from benchmarks.streams import MIXTURES, POOLS, STREAMS, named, rollouts_of
from benchmarks.streams.pools import (
    LIMIT,
    LONG,
    Memoryless,
    Process,
    completions,
    ease,
)

REPLAYED = ("tokens", "correct", "sample", "cap", "query_id")


def stream(name, seed=0, n=40):
    rng = rng_of(seed, 11)
    arrivals = STREAMS[name].draw(rng, n)
    return arrivals, rollouts_of(arrivals, rng)


def test_the_notes_on_the_paper_s_streams_are_true():
    assert MIXTURES["MostlyEasy"][0] == pytest.approx(2 / 3, abs=0.04)
    assert sum(MIXTURES["MostlyHard"][2:]) == pytest.approx(0.9, abs=0.01)
    assert sum(MIXTURES["UShaped"][1:3]) < 0.1
    assert STREAMS.keys() >= set(paper.STREAMS)
    assert len(STREAMS) == 10


def test_a_mixture_holds_each_pool_s_queries_whole_and_in_random_order():
    queries = named.mixed(rng_of(4), 20_000, MIXTURES["Balanced"])
    marks = [pool.lost for pool in POOLS.values()]  # no two pools lose as many
    kind = np.array([marks.index(lost) for lost in queries.lost])
    for place, (pool, share) in enumerate(zip(POOLS.values(), MIXTURES["Balanced"], strict=True)):
        own = kind == place
        assert_share(own, share)
        z = np.log(queries.typical[own] / pool.median) / pool.between
        assert stats.kstest(z, "norm").pvalue > 1e-4
        odds = ease(pool.right, pool.solvable, pool.slope) - pool.slope * z
        solvable = queries.chance[own] > 0.0
        assert logit(queries.chance[own][solvable]) == pytest.approx(odds[solvable])
        assert (queries.terse[own] == pool.terse).all()
        assert (queries.detour[own] == pool.detour).all()
    assert abs(np.corrcoef(kind[:-1], kind[1:])[0, 1]) < SIGMAS / np.sqrt(20_000)


@pytest.mark.parametrize("name", STREAMS)
def test_the_same_seed_gives_the_same_rollouts_and_another_seed_others(name):
    (_, first), (_, again), (_, other) = stream(name), stream(name), stream(name, seed=1)
    for side in ("fitting", "scoring"):
        for column in REPLAYED:
            assert (getattr(first, side)[column] == getattr(again, side)[column]).all()
        assert (getattr(first, side)["tokens"] != getattr(other, side)["tokens"]).any()


@pytest.mark.parametrize("name", STREAMS)
def test_no_sample_is_on_both_sides_and_the_columns_are_whole(name):
    _, split = stream(name)
    assert set(split.fitting["sample"]) == set(range(1, 9))
    assert set(split.scoring["sample"]) == set(range(9, 25))
    assert split.ids == [f"q{row:04d}" for row in range(40)]
    for side in split[:2]:
        samples = len(set(side["sample"]))
        assert side["query_id"].tolist() == [query for query in split.ids for _ in range(samples)]
        assert (side["sample"].reshape(40, -1) == np.unique(side["sample"])).all()
        assert (side["cap"] == LIMIT).all()
        assert side["tokens"].min() >= 1
        assert side["tokens"].max() <= LIMIT
        assert set(side["correct"]) == {0, 1}
    drawn_twice = split.scoring["tokens"].reshape(40, -1)[:, :8] == split.fitting["tokens"].reshape(40, -1)
    assert drawn_twice.mean() < 0.3  # only those stopped at the limit are equal, and a few by chance


@pytest.mark.parametrize("name", sorted(set(STREAMS) - {"Bursty", "Drift"}))
def test_most_streams_are_steady(name):
    arrivals, _ = stream(name)
    assert len(arrivals.queries) == 40
    assert (arrivals.longer == 1.0).all()
    assert (arrivals.window == 0).all()


def test_bursty_has_ten_windows_of_one_to_a_tenth_of_the_queries_in_any_order():
    sizes, busiest = np.zeros(10), set()
    for seed in range(40):
        window = stream("Bursty", seed, 500)[0].window
        assert (np.diff(window) >= 0).all()
        count = np.bincount(window, minlength=10)
        busiest.add(int(count.argmax()))
        sizes += np.sort(count)[::-1] / 500
    expected = 1.0 / np.arange(1, 11) / (1.0 / np.arange(1, 11)).sum()
    assert sizes / 40 == pytest.approx(expected, abs=0.01)
    assert len(busiest) > 4


def test_drift_lengthens_the_scoring_samples_and_only_them():
    arrivals, _ = stream("Drift", n=200)
    assert arrivals.longer == pytest.approx(1.0 + 0.5 * np.arange(200) / 199)
    assert (arrivals.window == 0).all()
    grown, still = (rollouts_of(own, rng_of(5)) for own in (arrivals, arrivals._replace(longer=np.ones(200))))
    assert (grown.fitting["tokens"] == still.fitting["tokens"]).all()
    now, before = grown.scoring["tokens"], still.scoring["tokens"]
    plain = now < LONG
    factor = np.repeat(arrivals.longer, 16)
    assert plain.mean() > 0.5
    assert (np.abs(now - factor * before) <= 1.0 + factor)[plain].all()
    alike = stream("Balanced", n=200)[0].queries
    assert (arrivals.queries.typical == alike.typical).all()


def test_near_ties_are_worth_the_same_per_token():
    queries = stream("NearTies", n=4000)[0].queries
    assert set(queries.typical) == {300.0, 600.0, 1200.0, 2400.0}
    worth = np.log(queries.chance / queries.typical)
    assert worth.mean() == pytest.approx(np.log(0.1 / 300.0), abs=0.001)
    assert worth.std() == pytest.approx(0.01, abs=0.0005)
    assert queries.chance.max() < 1.0
    for length in (300.0, 2400.0):
        assert_share(queries.typical == length, 0.25)


def test_heavy_tails_are_heavy_within_and_between_queries():
    queries = stream("HeavyTail", n=20_000)[0].queries
    for length in (300.0, 1000.0, 5000.0):
        assert_share(queries.typical > length, (150.0 / length) ** 1.2)
    assert queries.typical.min() >= 150.0
    assert queries.typical.max() == LIMIT
    assert stats.kstest(queries.chance, "uniform").pvalue > 1e-4
    assert queries.process == Process(0.0, 1.5)


@pytest.mark.parametrize("name", ["Identical", "Adversarial"])
def test_alike_queries_are_alike(name):
    queries = stream(name)[0].queries
    for column in queries[:-1]:
        assert len(set(column.tolist())) == 1
    assert (queries.typical[0], queries.chance[0]) == (600.0, 0.6)
    assert queries.terse[0] == queries.detour[0] == queries.lost[0] == 0.0
    assert queries.process == Process() if name == "Identical" else isinstance(queries.process, Memoryless)


def test_on_the_adversarial_stream_no_caps_are_worth_more_than_one_cap_for_all():
    arrivals, _ = stream("Adversarial", n=20_000)
    tokens, correct = completions(arrivals.queries, 10, rng_of(6))
    value = 0.6 * (1.0 - 0.5 ** (np.arange(LIMIT) / 600.0))  # right, and of at most so many tokens
    for cap in (20, 100, 600, 2000, 8000):
        assert_share((correct == 1) & (tokens <= cap), value[cap])
    rng = rng_of(7)
    for mean in (40, 300, 1500):
        for concentration in (0.1, 1.0, 100.0):
            shares = rng.dirichlet(np.full(50, concentration), size=200)
            caps = np.minimum(np.floor(50 * mean * shares), LIMIT - 1).astype(int)
            assert (value[caps].mean(axis=1) <= value[mean]).all()
