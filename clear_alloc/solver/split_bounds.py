"""Whether the splits that need no price are surely worth less than a solution, told from some of the queries."""

from __future__ import annotations

import numpy as np

from clear_alloc.columns.constant import any_nonzero
from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.market.smooth_demand import SmoothDemand

__all__ = ["splits_dominated"]

_SAMPLES = (1_024, 16_384)  # queries whose losses show that a split can't win; more, if few don't
_STEP, _FARTHEST = 1.1, 1e20


def splits_dominated(market: Market, budget: float, price: float, gap: float) -> bool:
    """Whether both splits are surely worth less than a solution that is `gap` below the dual value at a price.

    A cap that is not the best at the price takes what it loses from the dual value. So the losses of some queries
    are enough to know. Smooth curves alone. O(sample), and O(n) for two sums.
    """
    side = market.divisible
    if side is None or len(market.demands) > 1:
        return False
    emergence = market.curves.emergence
    shares = [np.ones(1)] if not emergence.any() else [np.ones(1), emergence]
    known = market.plain and not any_nonzero(market.least)
    return any(_sample_dominates(side, budget, price, gap, shares, known, sample) for sample in _SAMPLES)


def _sample_dominates(
    side: SmoothDemand, budget: float, price: float, gap: float, shares: list[Array], known: bool, sample: int
) -> bool:
    """The answer from so many queries. known : whether a split's caps follow from the budget alone."""
    rows = np.arange(0, len(side), max(len(side) // sample, 1))
    sampled = side.take(rows)
    best = sampled.surplus(price)
    for share in shares:
        most, relative = float(share.max()), share[rows] if len(share) > 1 else np.ones(len(rows))
        total = float(share.sum()) / most * (len(side) if len(share) == 1 else 1)
        scales = np.array([budget / total] * 2) if known else _scales(sampled, relative / most)
        caps = sampled.within(np.floor(relative / most * scales[:, None]))
        value, charge = sampled.value(caps), sampled.charge(caps)
        # Between two scales a split is worth no more than at the larger one, and charged no less than at the smaller.
        lost = (best - (value[1:] - price * charge[:-1])).sum(axis=1)
        if not lost.min() > 1.01 * gap:
            return False
    return True


def _scales(side: SmoothDemand, share: Array) -> Array:
    """From no token for any query to the last useful one of each, in steps of a tenth."""
    with np.errstate(divide="ignore", over="ignore"):
        end = float(np.where(share > 0.0, side.last_whole / share, 0.0).max(initial=1.0))
    steps = int(np.ceil(np.log(min(end, _FARTHEST)) / np.log(_STEP))) + 1
    return np.concatenate([[0.0], _STEP ** np.arange(steps), [2.0 * end]])
