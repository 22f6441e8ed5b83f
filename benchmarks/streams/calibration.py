"""Where the numbers of the pools and of the four paper streams come from: the paper's own figures.

    python -m benchmarks calibrate

Figure 1 gives each pool's median, its spread between queries and its shares of terse and wandering answers (least
squares over eight points). The accuracies of the uniform cap, 32 of them, then give the pools' shares of right
answers and the proportions of the four streams, which the paper does not state. That isn't enough to settle all of
them, so they are drawn towards first guesses, and so is the olympiad pool, of which Figure 1 says nothing. What the
paper's *method* gets is never looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.special import expit, logit, softmax

from benchmarks import paper
from benchmarks.streams.pools import Pool, arrived, solved_by

Array = npt.NDArray[np.float64]

POOLS = ("easy", "medium", "hard", "olympiad")
FIRST_GUESS = {  # shares of the pools
    "Balanced": (0.25, 0.25, 0.25, 0.25),
    "MostlyEasy": (0.7, 0.1, 0.1, 0.1),
    "MostlyHard": (0.1, 0.1, 0.2, 0.6),
    "UShaped": (0.4, 0.1, 0.1, 0.4),
}
RIGHT = (0.8, 0.5, 0.3, 0.2)  # first guess of the share of right completions
OLYMPIAD = (1800.0, 0.4)  # median, token, and spread between queries
PULL = {"right": 10.0, "olympiad": 10.0, "shares": 0.5}  # towards the guesses, in points of accuracy
SOLVABLE = (0.97, 0.85, 0.65, 0.5)  # assumed: the paper says nothing of it
LOST = (0.02, 0.05, 0.1, 0.15)  # assumed, too


class Calibrated(NamedTuple):
    """pools : by name, easy to olympiad. shares : of each pool in each stream, by name."""

    pools: dict[str, Pool]
    shares: dict[str, tuple[float, ...]]


class Shape(NamedTuple):
    """What decides when a pool's right answers arrive."""

    median: float
    between: float
    terse: float = 0.0
    detour: float = 0.0

    def pool(self, right: float = 0.5, solvable: float = 0.9, lost: float = 0.0) -> Pool:
        """A pool of this shape."""
        return Pool(self.median, self.between, right, solvable, terse=self.terse, detour=self.detour, lost=lost)


class Match(NamedTuple):
    """Simulated less reported, in points: of Figure 1 (pools, lengths) and of uniform (streams, budgets)."""

    arrived: Array
    uniform: Array


def calibrated() -> Calibrated:
    """Pools and shares from the paper's figures, rounded to two or three digits. A second or two."""
    shapes = [_shape(np.array(row) / 100.0) for row in paper.ARRIVED.values()]
    start = np.concatenate([logit(RIGHT), [np.log(OLYMPIAD[0])], _guess().ravel()])
    found = least_squares(_misses, start, args=(shapes,)).x
    shapes.append(_olympiad(found))
    right = [round(float(value), 2) for value in expit(found[:4])]
    pools = [Shape.pool(*numbers) for numbers in zip(shapes, right, SOLVABLE, LOST, strict=True)]
    shares = {name: _rounded(row) for name, row in zip(paper.STREAMS, _shares(found), strict=True)}
    return Calibrated(dict(zip(POOLS, pools, strict=True)), shares)


def match(known: Calibrated) -> Match:
    """How far the simulated pools and streams are from the paper's."""
    rows = zip(known.pools.values(), paper.ARRIVED.values(), strict=False)  # no row for the olympiad
    figure = [100.0 * arrived(pool, paper.ARRIVED_BY) - row for pool, row in rows]
    solved = 100.0 * np.array([solved_by(pool, paper.BUDGETS) for pool in known.pools.values()])
    return Match(np.array(figure), np.array([known.shares[name] for name in paper.STREAMS]) @ solved - _uniform())


def _shape(row: Array) -> Shape:
    def misses(x: Array) -> Array:
        return arrived(Shape(*np.exp(x[:2]), *expit(x[2:])).pool(), paper.ARRIVED_BY) - row

    x = least_squares(misses, [np.log(400.0), np.log(0.5), -3.5, -3.5]).x
    between, terse, detour = (round(float(value), 3) for value in (np.exp(x[1]), *expit(x[2:])))
    return Shape(float(f"{np.exp(x[0]):.3g}"), between, terse, detour)


def _olympiad(x: Array) -> Shape:
    return Shape(float(f"{np.exp(x[4]):.3g}"), OLYMPIAD[1])


def _uniform() -> Array:
    return np.array([[paper.REPORTED[name, budget].uniform for budget in paper.BUDGETS] for name in paper.STREAMS])


def _guess() -> Array:
    rows = np.log([FIRST_GUESS[name] for name in paper.STREAMS])
    return rows[:, :3] - rows[:, 3:]


def _shares(x: Array) -> Array:
    shares: Array = softmax(np.pad(x[5:].reshape(4, 3), ((0, 0), (0, 1))), axis=1)
    return shares


def _misses(x: Array, shapes: list[Shape]) -> Array:
    olympiad = Shape(float(np.exp(x[4])), OLYMPIAD[1])
    by_then = np.array([arrived(shape.pool(), paper.BUDGETS) for shape in (*shapes, olympiad)])
    missed = 100.0 * _shares(x) @ (expit(x[:4])[:, None] * by_then) - _uniform()
    pulls = [
        PULL["right"] * (x[:4] - logit(RIGHT)),
        PULL["olympiad"] * (x[4:5] - np.log(OLYMPIAD[0])),
        PULL["shares"] * (x[5:] - _guess().ravel()),
    ]
    return np.concatenate([missed.ravel(), *pulls])


def _rounded(row: Array) -> tuple[float, ...]:
    """To two digits, the largest share taking what rounding leaves."""
    cut = np.round(row, 2)
    cut[np.argmax(cut)] += 1.0 - cut.sum()
    return tuple(round(float(share), 2) for share in cut)
