"""The splits that need no price, as solutions: the rivals that an allocation must never lose to."""

from __future__ import annotations

import numpy as np

from clear_alloc.columns.constant import any_nonzero
from clear_alloc.curves import Array
from clear_alloc.market.market import Market
from clear_alloc.solver.chance.margin import scaled_margin
from clear_alloc.solver.pricing.bracket import bracket_decreasing
from clear_alloc.solver.primal.solution import Solution, evaluate, total_charge

__all__ = ["proportional_solution", "solution_within", "uniform_solution"]


def uniform_solution(market: Market, budget: float, multiple: float = 0.0) -> Solution:
    """One cap for all queries; floors and ceilings are kept. multiple : deviations to hold back. O(n)."""
    return _in_shares(market, budget, np.ones(len(market)), multiple)


def proportional_solution(market: Market, budget: float, multiple: float = 0.0) -> Solution:
    """Caps proportional to the emergence threshold; one cap for all queries where all thresholds are 0. O(n)."""
    share = market.curves.emergence
    return _in_shares(market, budget, share if share.any() else np.ones(len(market)), multiple)


def _in_shares(market: Market, budget: float, share: Array, multiple: float) -> Solution:
    """The largest scale at which whole caps of scale x share, as far as they are feasible, fit the budget."""
    share = share / share.max(initial=1e-300)  # shares near the smallest float would overflow the scale
    total = float(share.sum())
    if market.plain:
        limits = np.floor(share * (budget / total)) if total > 0 else share
        # Rounding may lift a share to the next whole token; then, and under floors, the scale is searched for.
        if not any_nonzero(market.least) and limits.sum() <= budget:
            return solution_within(market, limits)

    def scaled(tokens_inverse: float) -> Array:
        with np.errstate(over="ignore"):
            return np.floor(share / max(tokens_inverse, 1e-300))

    def granted(tokens_inverse: float) -> Solution:
        return solution_within(market, scaled(tokens_inverse))

    def spent(tokens_inverse: float) -> float:
        if market.plain:  # one cap for all, used or not
            return float(np.clip(scaled(tokens_inverse), market.least, market.caps.high).sum())
        return needed(granted(tokens_inverse))

    def needed(solution: Solution) -> float:
        margin = scaled_margin(market, solution, multiple) if multiple else 0.0
        return total_charge(market, solution) + margin

    if spent(0.0) <= budget:
        return granted(0.0)
    high = 2.0 * float(share.max())
    solution = granted(bracket_decreasing(spent, budget, high).high)
    # An option that is worth more may cost less, so that a smaller limit can cost more.
    return solution if needed(solution) <= budget else granted(high)


def solution_within(market: Market, limits: Array) -> Solution:
    """Each query gets its limit (token, whole) or less, where less is worth as much or more is not allowed. O(n)."""
    return evaluate(market, [demand.within(market.gather(limits, k)) for k, demand in enumerate(market.demands)])
