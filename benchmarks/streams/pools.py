"""Pools of simulated queries. Nothing here is, or knows, a curve family of the package.

A query has a difficulty z ~ Normal(0, 1) within its pool. Harder ones are longer and less often right:

    typical length    m = median exp(between z)                                                  token
    chance of right   p = 1 / (1 + exp(slope z - ease)), or 0 if the query can't be solved at all
    a completion      L = m (head + (1 - head) X),  X log-logistic with median 1 and shape `tail`

so no answer comes before `head` of the typical length, and P(X > x) falls like x^-tail, far slower than log-normals
and surges do. Of the right completions a share `terse` skips most of the reasoning (TERSE of the length), and a share
`detour` wanders off (log-uniform between LONG and LIMIT). Wrong ones are STRETCH longer, and a share `lost` of them
never ends: the engine stops it at LIMIT.

`ease` follows from `right`, the share of right completions of the whole pool.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit

LIMIT = 8192  # token, max_tokens of the simulated engine
LONG = 2000  # token: a detour takes at least so many
TERSE = 1.0 / 3.0  # of the length
STRETCH = 1.1  # wrong answers to right ones, in length
NODES = 61  # of the quadrature over difficulty

Array = npt.NDArray[np.float64]


class Process(NamedTuple):
    """How the lengths of one query vary. head : share of the typical length; tail : shape of the log-logistic."""

    head: float = 0.2
    tail: float = 4.0

    def quantile(self, u: npt.ArrayLike) -> Array:
        """Length, in typical lengths, below which the share u < 1 lies."""
        u = np.asarray(u, dtype=np.float64)
        return self.head + (1.0 - self.head) * (u / (1.0 - u)) ** (1.0 / self.tail)

    def share(self, length: npt.ArrayLike) -> Array:
        """Share of lengths, in typical lengths, up to `length`: the inverse of `quantile`."""
        beyond = (np.asarray(length, dtype=np.float64) - self.head) / (1.0 - self.head)
        return expit(self.tail * np.log(np.maximum(beyond, 1e-300)))


class Memoryless:
    """Lengths that an answer may end at any moment: exponential, median 1. No threshold, and a concave value."""

    def quantile(self, u: npt.ArrayLike) -> Array:
        """Length, in typical lengths, below which the share u < 1 lies."""
        halvings: Array = -np.log2(1.0 - np.asarray(u, dtype=np.float64))
        return halvings


class Pool(NamedTuple):
    """One level of difficulty.

    median : token. between : deviation of log typical length between queries. right : share of completions that are
    right. solvable : share of queries that can be solved. slope : fall of the log odds of a right answer per
    deviation of difficulty. terse, detour : shares of right completions. lost : share of wrong ones.
    """

    median: float
    between: float
    right: float
    solvable: float
    slope: float = 0.8
    terse: float = 0.0
    detour: float = 0.0
    lost: float = 0.05
    process: Process = Process()


class Queries(NamedTuple):
    """Drawn queries, arrays (n,): typical length, token; chance of a right answer; shares as of `Pool`."""

    typical: Array
    chance: Array
    terse: Array
    detour: Array
    lost: Array
    process: Process | Memoryless

    def __len__(self) -> int:
        return len(self.typical)


@lru_cache(maxsize=256)
def ease(right: float, solvable: float, slope: float) -> float:
    """The log odds at the middle of a pool at which the share `right` of all its completions is right."""
    z, mass = _difficulties()
    wanted = right / solvable
    if not 0.0 < wanted < 1.0:
        raise ValueError(f"right is {right}; allowed: between 0 and solvable = {solvable}; lower it")
    return float(brentq(lambda at: mass @ expit(at - slope * z) - wanted, -60.0, 60.0))


@lru_cache(maxsize=1)
def _difficulties() -> tuple[Array, Array]:
    """Quadrature nodes of a standard normal and their masses."""
    nodes, mass = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, mass / mass.sum()


def arrived(pool: Pool, tokens: npt.ArrayLike) -> Array:
    """Share of the pool's right completions that have arrived by `tokens`: a row of the paper's Figure 1.

    By quadrature over the difficulty; the few that would pass LIMIT are taken as arriving there.
    """
    z, mass = _difficulties()
    weight = mass * expit(ease(pool.right, pool.solvable, pool.slope) - pool.slope * z)
    tokens = np.asarray(tokens, dtype=np.float64)[..., None]
    length = tokens / (pool.median * np.exp(pool.between * z))
    wandering = np.clip(np.log(tokens / LONG) / np.log(LIMIT / LONG), 0.0, 1.0)
    plain = 1.0 - pool.terse - pool.detour
    share = plain * pool.process.share(length) + pool.terse * pool.process.share(length / TERSE)
    by_then = np.where(tokens < LIMIT, share + pool.detour * wandering, 1.0)
    result: Array = by_then @ weight / weight.sum()
    return result


def solved_by(pool: Pool, tokens: npt.ArrayLike) -> Array:
    """Share of all completions of the pool that are right by `tokens`: what a uniform cap gets."""
    return pool.right * arrived(pool, tokens)


def drawn(pool: Pool, count: int, rng: np.random.Generator) -> Queries:
    """`count` queries of one pool."""
    z = rng.standard_normal(count)
    chance = expit(ease(pool.right, pool.solvable, pool.slope) - pool.slope * z)
    solvable = rng.random(count) < pool.solvable
    shares = (np.full(count, share) for share in (pool.terse, pool.detour, pool.lost))
    return Queries(pool.median * np.exp(pool.between * z), np.where(solvable, chance, 0.0), *shares, pool.process)


def completions(
    queries: Queries, samples: int, rng: np.random.Generator, longer: npt.ArrayLike = 1.0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Tokens and correct (0 or 1) of `samples` completions of each query, shape (n, samples).

    longer : factor on the typical lengths, for a stream that drifts; shape (n,) or one number.
    """
    shape = (len(queries), samples)
    right = rng.random(shape) < queries.chance[:, None]
    typical = (queries.typical * np.asarray(longer))[:, None]
    length = typical * queries.process.quantile(rng.random(shape)) * np.where(right, 1.0, STRETCH)
    stray, wandered = rng.random(shape), LONG * (LIMIT / LONG) ** rng.random(shape)
    terse, detour, lost = (column[:, None] for column in (queries.terse, queries.detour, queries.lost))
    length = np.where(right & (stray < terse), TERSE * length, length)
    length = np.where(right & (stray >= 1.0 - detour), wandered, length)
    length = np.where(~right & (stray < lost), LIMIT, length)
    tokens = np.clip(np.ceil(length), 1, LIMIT).astype(np.int64)
    return tokens, (right & (length < LIMIT)).astype(np.int64)
