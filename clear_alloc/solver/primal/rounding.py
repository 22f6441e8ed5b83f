"""Whole tokens: round real caps down, then give what is left, token by token, where it is worth most."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.market.smooth_demand import SmoothDemand
from clear_alloc.support.types import Index

__all__ = ["NEARLY_WHOLE", "round_to_whole", "rounded_down"]

_EXCHANGES = 64  # single tokens moved from the cheapest loss to the best gain; usually none is needed
_SACRIFICES = 16  # rounds; one is enough unless the steep curves differ
_ROUNDS = 6  # of single tokens of different charges; what they leave goes to one cap
NEARLY_WHOLE = 1e-9  # a cap this close below a whole number is that number


def round_to_whole(side: SmoothDemand, caps: Array, pool: float) -> Array:
    """Whole caps for all queries of `side`, all funded, charged at most `pool` together, budget units.

    caps : shape (n,), real caps in [least, last_whole] that are charged at most `pool`.
    On the concave branch the result is the integer optimum up to `_EXCHANGES` exchanges. O(n) per round; there is
    one round unless the queries saturate.
    """
    whole = rounded_down(side, caps)
    if not side.plain:
        return _filled(side, whole, pool)
    left = int(pool) - int(whole.astype(np.int64).sum())  # near 2**53 tokens a sum of floats may be one too low
    whole = _increment(side, whole, left) if left >= 0 else _decrement(side, whole, -left)
    return _pairwise_exchange(side, _defund_for_increments(side, whole))


def rounded_down(side: SmoothDemand, caps: Array) -> Array:
    """Whole caps at or below real ones, never below the least that is allowed."""
    return np.maximum(np.floor(caps + NEARLY_WHOLE), side.least)


def _gain(side: SmoothDemand, whole: Array) -> Array:
    """Value of one more token, -1 where none is allowed."""
    gain = side.curves.utility(whole + 1.0) - side.curves.utility(whole)
    return np.where((whole < side.last_whole) & (whole >= side.least), gain, -1.0)


def _loss(side: SmoothDemand, whole: Array) -> Array:
    """Value of the last token, infinite where a limit forbids to take it."""
    loss = side.curves.utility(whole) - side.curves.utility(np.maximum(whole - 1.0, 0.0))
    return np.where(whole > side.least, loss, np.inf)


def _filled(side: SmoothDemand, whole: Array, pool: float) -> Array:
    """Tokens of different charges: rounds of one token each, best value per charge first, while any fits."""
    for _ in range(_ROUNDS):
        left = pool - float(side.charge(whole).sum())
        gain, cost = _gain(side, whole), side.charge(whole + 1.0) - side.charge(whole)
        rows = np.flatnonzero((gain > 0.0) & (cost <= left))
        if not len(rows):
            break
        with np.errstate(divide="ignore"):
            rows = rows[np.argsort(-gain[rows] / cost[rows], kind="stable")]
        whole[rows[: max(int(np.searchsorted(np.cumsum(cost[rows]), left, side="right")), 1)]] += 1.0
    return whole


def _increment(side: SmoothDemand, whole: Array, left: float) -> Array:
    """One token each where it is worth most; in blocks while there are more than two for each query."""
    while left >= 1.0:
        gain = _gain(side, whole)
        worth = np.flatnonzero(gain > 0.0)
        if not len(worth):
            break
        block = max(np.floor(left / (2 * len(worth))), 1.0)
        take = min(int(left / block), len(worth))
        best = worth[np.argpartition(-gain[worth], take - 1)[:take]]
        given = np.minimum(block, side.last_whole[best] - whole[best])
        whole[best] += given
        left -= float(given.sum())
    return whole


def _decrement(side: SmoothDemand, whole: Array, over: int) -> Array:
    """Take back the few tokens by which rounding exceeded the pool, each where it is missed least."""
    for _ in range(over):
        whole[int(_loss(side, whole).argmin())] -= 1.0
    return whole


def _defund_for_increments(side: SmoothDemand, whole: Array) -> Array:
    """Give queries up where their tokens let many others take the one token that a steep curve still needs.

    A curve that climbs within a token or two is worth little when its cap is rounded down, so rounding can leave
    every query a token short. O(n) where no curve is that steep.
    """
    for _ in range(_SACRIFICES):
        gain = np.maximum(_gain(side, whole), 0.0)
        freed, loss = whole - side.floor, side.curves.utility(whole) - side.floor_value
        rows = np.flatnonzero((freed > 0.0) & (loss < freed * gain.max(initial=0.0)))
        rows = rows[np.argsort(loss[rows] / freed[rows], kind="stable")]
        # Give up 1, 2, 4, ... of those that are worth least per token, whichever pays best.
        net, given_up = max(((_net(gain, freed, loss, rows[:m]), m) for m in _doubling(len(rows))), default=(0.0, 0))
        if net <= 1e-12 * loss.sum():
            break
        rows = rows[:given_up]
        best = _takers(gain, freed, rows)
        whole[best] += 1.0
        whole[rows] = side.floor[rows]
    return whole


def _doubling(most: int) -> list[int]:
    return [2**k for k in range(most.bit_length())]


def _takers(gain: Array, freed: Array, rows: Index) -> Index:
    """Queries that take one each of the tokens that `rows` free."""
    others = gain.copy()
    others[rows] = 0.0
    take = min(int(freed[rows].sum()), int(np.count_nonzero(others)))
    best: Index = np.argpartition(-others, take - 1)[:take] if take else rows[:0]
    return best


def _net(gain: Array, freed: Array, loss: Array, rows: Index) -> float:
    return float(gain[_takers(gain, freed, rows)].sum() - loss[rows].sum())


def _pairwise_exchange(side: SmoothDemand, whole: Array) -> Array:
    """Move single tokens while a gain exceeds a loss; the sum stays."""
    if len(side) < 2:
        return whole
    gain, loss = _gain(side, whole), _loss(side, whole)
    for _ in range(_EXCHANGES):
        to, source = int(gain.argmax()), int(loss.argmin())
        if to == source or gain[to] <= loss[source] * (1.0 + 1e-12):
            break
        whole[to] += 1.0
        whole[source] -= 1.0
        pair = np.array([to, source])
        two = side.take(pair)
        gain[pair], loss[pair] = _gain(two, whole[pair]), _loss(two, whole[pair])
    return whole
