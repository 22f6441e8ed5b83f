"""The streams: four of the paper and six that ask other questions, seeded, 500 queries each.

The four paper streams are mixtures of the pools in the shares of `calibration`. Of the others, some are there for
uniform to win: nothing tells their queries apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks import paper
from benchmarks.scoring import Split
from benchmarks.streams.pools import LIMIT, Memoryless, Pool, Process, Queries, completions, drawn

# As `python -m benchmarks calibrate` prints them; a test calibrates again and compares.
POOLS = {
    "easy": Pool(330.0, 0.116, 0.8, 0.97, terse=0.038, detour=0.03, lost=0.02),
    "medium": Pool(548.0, 0.337, 0.5, 0.85, terse=0.02, detour=0.034, lost=0.05),
    "hard": Pool(833.0, 0.283, 0.3, 0.65, lost=0.1),
    "olympiad": Pool(1880.0, 0.4, 0.2, 0.5, lost=0.15),
}
MIXTURES = {
    "Balanced": (0.21, 0.09, 0.24, 0.46),
    "MostlyEasy": (0.64, 0.15, 0.06, 0.15),
    "MostlyHard": (0.06, 0.04, 0.26, 0.64),
    "UShaped": (0.38, 0.04, 0.03, 0.55),
}
FITTING, SCORING = 8, 16  # completions of each query
WINDOWS = 10  # of the bursty stream
DRIFT = 1.5  # the last query's lengths at scoring, in those at fitting
SAME = 0.01  # deviation of the value per token among near ties


class Arrivals(NamedTuple):
    """Queries, the factor on their lengths when they are scored, (n,), and the window each falls in, (n,).

    Every window has the same budget, as with so many tokens a minute; most streams have one.
    """

    queries: Queries
    longer: npt.NDArray[np.float64]
    window: npt.NDArray[np.intp]


class Stream(NamedTuple):
    """note : what it asks, in a sentence. draw : queries for a generator and a count."""

    note: str
    draw: Callable[[np.random.Generator, int], Arrivals]


def rollouts_of(arrivals: Arrivals, rng: np.random.Generator) -> Split:
    """Completions to fit on and others to score on."""
    n = len(arrivals.queries)
    sides, names = [], np.array([f"q{row:04d}" for row in range(n)])
    for samples, first, longer in ((FITTING, 1, 1.0), (SCORING, FITTING + 1, arrivals.longer)):
        tokens, correct = completions(arrivals.queries, samples, rng, longer)
        number = np.tile(np.arange(first, first + samples), n)
        cap = np.full(n * samples, float(LIMIT))
        flat = {"tokens": tokens.ravel(), "correct": correct.ravel(), "cap": cap}
        sides.append({"query_id": np.repeat(names, samples), "sample": number, **flat})
    return Split(*sides, names.tolist())


def mixed(rng: np.random.Generator, n: int, shares: tuple[float, ...]) -> Queries:
    """Queries of the four pools in random order."""
    pool = rng.choice(len(shares), size=n, p=shares)
    parts = [drawn(pool_of, int((pool == place).sum()), rng) for place, pool_of in enumerate(POOLS.values())]
    at = np.argsort(np.argsort(pool, kind="stable"), kind="stable")
    columns = (np.concatenate(column)[at] for column in zip(*(part[:-1] for part in parts), strict=True))
    return Queries(*columns, Process())


def alike(typical: npt.ArrayLike, chance: npt.ArrayLike, process: Process | Memoryless) -> Queries:
    """Queries of these lengths and chances, without terse, wandering or lost answers."""
    nothing = np.zeros(np.shape(typical))
    return Queries(np.asarray(typical), np.asarray(chance), nothing, nothing, nothing, process)


def _steady(queries: Queries) -> Arrivals:
    n = len(queries)
    return Arrivals(queries, np.ones(n), np.zeros(n, dtype=np.intp))


def _mixture(name: str) -> Callable[[np.random.Generator, int], Arrivals]:
    return lambda rng, n: _steady(mixed(rng, n, MIXTURES[name]))


def _identical(_: np.random.Generator, n: int) -> Arrivals:
    return _steady(alike(np.full(n, 600.0), np.full(n, 0.6), Process()))


def _near_ties(rng: np.random.Generator, n: int) -> Arrivals:
    kind = rng.integers(4, size=n)
    typical, chance = 300.0 * 2.0**kind, 0.1 * 2.0**kind
    return _steady(alike(typical, chance * np.exp(SAME * rng.standard_normal(n)), Process()))


def _heavy_tail(rng: np.random.Generator, n: int) -> Arrivals:
    typical = np.minimum(150.0 * rng.random(n) ** (-1.0 / 1.2), LIMIT)  # Pareto: the mean hardly exists
    return _steady(alike(typical, rng.beta(1.0, 1.0, n), Process(0.0, 1.5)))


def _bursty(rng: np.random.Generator, n: int) -> Arrivals:
    busy = rng.permutation(1.0 / np.arange(1, WINDOWS + 1))
    window = np.sort(rng.choice(WINDOWS, size=n, p=busy / busy.sum()))
    return Arrivals(mixed(rng, n, MIXTURES["Balanced"]), np.ones(n), window)


def _drift(rng: np.random.Generator, n: int) -> Arrivals:
    queries = mixed(rng, n, MIXTURES["Balanced"])
    return Arrivals(queries, np.linspace(1.0, DRIFT, n), np.zeros(n, dtype=np.intp))


def _adversarial(_: np.random.Generator, n: int) -> Arrivals:
    return _steady(alike(np.full(n, 600.0), np.full(n, 0.6), Memoryless()))


_PAPER = {
    "Balanced": "the paper's; as many hard and olympiad queries as its uniform accuracies imply",
    "MostlyEasy": "the paper's; two thirds easy",
    "MostlyHard": "the paper's; nine tenths hard or olympiad",
    "UShaped": "the paper's; easy or olympiad, little between",
}
STREAMS = {
    **{name: Stream(_PAPER[name], _mixture(name)) for name in paper.STREAMS},
    "Identical": Stream("one query 500 times over; what the fits differ in is chance", _identical),
    "NearTies": Stream("four kinds of query, all worth the same per token to about 1 %", _near_ties),
    "HeavyTail": Stream("lengths without a variance, between queries hardly with a mean", _heavy_tail),
    "Bursty": Stream("Balanced in ten windows of one budget each and 1 to 1/10 of the queries", _bursty),
    "Drift": Stream("Balanced, but fitted before the lengths began to grow, to 1.5 times at the end", _drift),
    "Adversarial": Stream(
        "identical queries without any threshold: concave, so that uniform is optimal", _adversarial
    ),
}
