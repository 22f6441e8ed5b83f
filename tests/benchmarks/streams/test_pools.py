"""What is drawn of a pool is what the formulas say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit
from support.simulated import ODD, SIGMAS, assert_share, rng_of

from benchmarks.streams import POOLS
from benchmarks.streams.pools import (
    LIMIT,
    LONG,
    Memoryless,
    Process,
    Queries,
    arrived,
    completions,
    drawn,
    ease,
    solved_by,
)

EVEN = Process(0.2, 1e9)  # every completion takes the typical length


def one_query(samples, seed=0, longer=1.0, process=EVEN, **shares):
    own = {"typical": 600.0, "chance": 0.7, "terse": 0.0, "detour": 0.0, "lost": 0.0} | shares
    queries = Queries(*(np.array([value]) for value in own.values()), process)
    tokens, correct = completions(queries, samples, rng_of(seed), longer)
    return tokens[0], correct[0]


@pytest.mark.parametrize("pool", [*POOLS.values(), ODD], ids=[*POOLS, "odd"])
def test_completions_arrive_when_the_quadrature_says(pool):
    tokens, correct = completions(drawn(pool, 20_000, rng_of(1)), 12, rng_of(2))
    for by in (150, 300, 600, 1000, 1800, 2500, 4000, 8000):
        each = ((correct == 1) & (tokens <= by)).mean(axis=1)
        error = max(each.std() / np.sqrt(len(each)), 1e-5)
        assert each.mean() == pytest.approx(float(solved_by(pool, by)), abs=SIGMAS * error)
    whole = correct.mean(axis=1)  # the few that would pass the limit are stopped there, and wrong
    assert whole.mean() == pytest.approx(pool.right, abs=SIGMAS * whole.std() / np.sqrt(len(whole)) + 2e-3)


def test_what_has_arrived_rises_to_everything_at_the_limit():
    for pool in (*POOLS.values(), ODD):
        share = arrived(pool, np.arange(1, LIMIT + 2))
        assert (np.diff(share) >= 0.0).all()
        assert share[LIMIT - 1] == pytest.approx(1.0)
        assert solved_by(pool, LIMIT) == pytest.approx(pool.right)
        assert arrived(pool, 30).shape == ()


def test_kinds_of_completions_have_their_shares_and_lengths():
    tokens, correct = one_query(200_000, terse=0.1, detour=0.25, lost=0.4)
    assert_share(correct, 0.7)
    right, wrong = tokens[correct == 1], tokens[correct == 0]
    assert_share((right == 200) | (right == 201), 0.1)  # a third of 600
    assert_share((right == 600) | (right == 601), 0.65)
    assert_share(right >= LONG, 0.25)
    assert_share(wrong == LIMIT, 0.4)
    assert_share((wrong == 660) | (wrong == 661), 0.6)  # a tenth longer than right ones
    spread = np.log(right[right >= LONG] / LONG) / np.log(LIMIT / LONG)
    assert stats.kstest(spread, "uniform").pvalue > 1e-4


def test_nothing_is_right_beyond_the_limit_nor_before_the_head():
    tokens, correct = one_query(1000, typical=20_000.0)
    assert (tokens == LIMIT).all()
    assert not correct.any()
    tokens, correct = one_query(1000, typical=LIMIT - 0.5, chance=1.0)
    assert (tokens == LIMIT).all()
    assert correct.all()  # it ends just before it would be stopped
    for head in (0.2, 0.5):
        tokens, _ = one_query(100_000, chance=1.0, process=Process(head, 4.0))
        assert tokens.min() > head * 600
        assert tokens.min() < (head + 0.1) * 600
        assert tokens.max() <= LIMIT
        assert tokens.dtype == np.int64


def test_lengths_of_a_stream_that_drifts_are_longer_by_the_factor():
    for factor in (1.0, 1.5, 3.0):
        tokens, _ = one_query(10, chance=1.0, longer=factor)
        assert tokens == pytest.approx(600.0 * factor, abs=1.0)


@pytest.mark.parametrize("process", [Process(), Process(0.0, 1.5), ODD.process])
def test_quantile_and_share_are_inverse(process):
    u = np.linspace(0.001, 0.999, 999)
    assert process.share(process.quantile(u)) == pytest.approx(u, abs=1e-12)
    assert process.quantile(0.5) == pytest.approx(1.0)  # the typical length is the median
    assert process.quantile(0.0) == process.head
    assert process.share([0.0, process.head]) == pytest.approx([0.0, 0.0], abs=1e-12)
    far = process.quantile(1.0 - np.array([1e-6, 1e-9]))  # a tail that falls like x^-tail
    assert far[1] / far[0] == pytest.approx(1000.0 ** (1.0 / process.tail), rel=0.01)


def test_memoryless_lengths_halve_what_is_left_at_every_typical_length():
    assert Memoryless().quantile([0.0, 0.5, 0.75, 0.875]) == pytest.approx([0.0, 1.0, 2.0, 3.0])


def test_harder_queries_are_longer_and_less_often_right():
    queries = drawn(ODD, 40_000, rng_of(3))
    z = np.log(queries.typical / ODD.median) / ODD.between
    assert stats.kstest(z, "norm").pvalue > 1e-4
    solvable = queries.chance > 0.0
    assert_share(solvable, ODD.solvable)
    odds = logit(queries.chance[solvable]) + ODD.slope * z[solvable]
    assert odds == pytest.approx(ease(ODD.right, ODD.solvable, ODD.slope))
    assert (queries.terse[0], queries.detour[0], queries.lost[0]) == (ODD.terse, ODD.detour, ODD.lost)
    assert_share(z[solvable] > 0.0, 0.5)  # what can't be solved at all is no longer than the rest


@pytest.mark.parametrize("right", [0.0, -0.1, 0.5, 0.9])
def test_a_share_of_right_answers_that_cannot_be_is_refused(right):
    with pytest.raises(ValueError, match=r"solvable = 0\.5"):
        ease(right, 0.5, 0.8)
