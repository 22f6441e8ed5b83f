"""The splits that need no price, as solutions: the rivals that an allocation must never lose to."""

from __future__ import annotations

import numpy as np

from clear_alloc.columns.constant import any_nonzero
from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.market.smooth_demand import SmoothDemand
from clear_alloc.solver.pricing.bracket import bracket_decreasing
from clear_alloc.solver.primal.solution import Solution, evaluate, total_charge

__all__ = ["proportional_solution", "solution_within", "uniform_solution"]

_SCALES, _ROUNDS = 64, 30  # of a split, tried at once, and how often at most
_CELLS = 1 << 18  # of scales and queries
_FARTHEST = 1e20  # times the largest share


def uniform_solution(market: Market, budget: float) -> Solution:
    """One cap for all queries; floors and ceilings are kept. O(n)."""
    return _in_shares(market, budget, np.ones(len(market)))


def proportional_solution(market: Market, budget: float) -> Solution:
    """Caps proportional to the emergence threshold; one cap for all queries where all thresholds are 0. O(n)."""
    share = market.curves.emergence
    return _in_shares(market, budget, share if share.any() else np.ones(len(market)))


def _in_shares(market: Market, budget: float, share: Array) -> Solution:
    """The largest scale at which whole caps of scale x share, as far as they are feasible, fit the budget."""
    share = share / share.max(initial=1e-300)  # shares near the smallest float would overflow the scale
    total = float(share.sum())
    if market.plain:
        limits = np.floor(share * (budget / total)) if total > 0 else share
        # Rounding may lift a share to the next whole token; then, and under floors, the scale is searched for.
        if not any_nonzero(market.least) and limits.sum() <= budget:
            return solution_within(market, limits)

    side = market.divisible
    if side is not None and len(market.demands) == 1 and not market.plain:
        return solution_within(market, np.floor(share * _largest_scale(side, share, budget)))

    def scaled(tokens_inverse: float) -> Array:
        with np.errstate(over="ignore"):
            return np.floor(share / max(tokens_inverse, 1e-300))

    def granted(tokens_inverse: float) -> Solution:
        return solution_within(market, scaled(tokens_inverse))

    def spent(tokens_inverse: float) -> float:
        if market.plain:  # one cap for all, used or not
            return float(np.clip(scaled(tokens_inverse), market.least, market.caps.high).sum())
        return total_charge(market, granted(tokens_inverse))

    if spent(0.0) <= budget:
        return granted(0.0)
    high = 2.0 * float(share.max())
    solution = granted(bracket_decreasing(spent, budget, high).high)
    # An option that is worth more may cost less, so that a smaller limit can cost more.
    return solution if total_charge(market, solution) <= budget else granted(high)


def _largest_scale(side: SmoothDemand, share: Array, budget: float) -> float:
    """The largest scale at which whole caps of scale x share fit, many scales at once, to a ten-millionth."""
    with np.errstate(divide="ignore", over="ignore"):
        most = float(np.where(share > 0.0, side.last_whole / share, 0.0).max(initial=1.0))
    low, high = 0.5, 2.0 * min(most, _FARTHEST)
    for _ in range(_ROUNDS):
        scales = np.geomspace(low, high, max(min(_SCALES, _CELLS // len(share)), 3))
        charges = side.charge(side.within(np.floor(share * scales[:, None]))).sum(axis=1)
        fits = int(np.searchsorted(charges, budget, side="right"))
        if fits == len(scales):
            return high
        low, high = float(scales[max(fits - 1, 0)]), float(scales[fits])
        if not fits or high <= low * (1.0 + 1e-7):
            return low if fits else 0.0
    return low


def solution_within(market: Market, limits: Array) -> Solution:
    """Each query gets its limit (token, whole) or less, where less is worth as much or more is not allowed. O(n)."""
    return evaluate(market, [demand.within(market.gather(limits, k)) for k, demand in enumerate(market.demands)])
