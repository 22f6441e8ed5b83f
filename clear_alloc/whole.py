"""Whole tokens: round real caps down, then give what is left, token by token, where it is worth most."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.market import SmoothSide

__all__ = ["whole_tokens"]

_EXCHANGES = 64  # single tokens moved from the cheapest loss to the best gain; usually none is needed
_NEARLY_WHOLE = 1e-9  # a cap this close below a whole number is that number


def whole_tokens(side: SmoothSide, caps: Array, pool: float) -> Array:
    """Whole caps for all queries of `side`, summing to at most `pool`, token.

    caps : shape (n,), real caps in [floor, last_whole] with a sum of at most `pool`.
    On the concave branch the result is the integer optimum up to `_EXCHANGES` exchanges. O(n) per round; there is
    one round unless the queries saturate.
    """
    whole = np.maximum(np.floor(caps + _NEARLY_WHOLE), side.floor)
    whole = _give(side, whole, pool - float(whole.sum()))
    return _exchange(side, whole)


def _gain(side: SmoothSide, whole: Array) -> Array:
    """Value of one more token, -1 where none is allowed."""
    gain = side.curves.utility(whole + 1.0) - side.curves.utility(whole)
    return np.where(whole < side.last_whole, gain, -1.0)


def _loss(side: SmoothSide, whole: Array) -> Array:
    """Value of the last token, infinite where the floor forbids to take it."""
    loss = side.curves.utility(whole) - side.curves.utility(np.maximum(whole - 1.0, 0.0))
    return np.where(whole > side.floor, loss, np.inf)


def _give(side: SmoothSide, whole: Array, left: float) -> Array:
    while left >= 1.0:
        gain = _gain(side, whole)
        worth = np.flatnonzero(gain > 0.0)
        take = min(int(left), len(worth))
        if not take:
            break
        best = worth[np.argpartition(-gain[worth], take - 1)[:take]]
        whole[best] += 1.0
        left -= take
    return whole


def _exchange(side: SmoothSide, whole: Array) -> Array:
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
        two = side.rows(pair)
        gain[pair], loss[pair] = _gain(two, whole[pair]), _loss(two, whole[pair])
    return whole
