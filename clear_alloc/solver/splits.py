"""The splits that need no price, as grants: the rivals that an allocation must never lose to."""

from __future__ import annotations

import numpy as np

from clear_alloc.columns.validate import any_nonzero
from clear_alloc.curves import Array
from clear_alloc.market.market import Index, Market, MenuDemand, SmoothDemand
from clear_alloc.solver.chance.margin_search import scaled_margin
from clear_alloc.solver.pricing.bracket import bracket_decreasing
from clear_alloc.solver.primal.water_filling import Solution, evaluate, total_charge

__all__ = ["proportional_solution", "solution_within", "splits_dominated", "uniform_solution"]

_SAMPLES = (1_024, 16_384)  # queries whose losses show that a split can't win; more, if few don't
_STEP, _FARTHEST = 1.1, 1e20


def uniform_solution(market: Market, budget: float, multiple: float = 0.0) -> Solution:
    """One cap for everybody; floors and ceilings are kept. multiple : deviations to hold back. O(n)."""
    return _in_shares(market, budget, np.ones(len(market)), multiple)


def proportional_solution(market: Market, budget: float, multiple: float = 0.0) -> Solution:
    """Caps proportional to the emergence threshold; one cap for everybody where all thresholds are 0. O(n)."""
    share = market.curves.emergence
    return _in_shares(market, budget, share if share.any() else np.ones(len(market)), multiple)


def splits_dominated(market: Market, budget: float, price: float, gap: float) -> bool:
    """Whether both splits are surely worth less than a grant that is `gap` below the dual value at a price.

    A cap that is not the best at the price takes what it loses from the dual value, so that some queries' losses are
    enough to know. Smooth curves alone. O(sample), and O(n) for two sums.
    """
    emergence = market.curves.emergence
    shares = [np.ones(1)] if not emergence.any() else [np.ones(1), emergence]
    known = market.tariff.plain and not any_nonzero(market.least)
    return any(_all_fall_short(market, budget, price, gap, shares, known, sample) for sample in _SAMPLES)


def _all_fall_short(
    market: Market, budget: float, price: float, gap: float, shares: list[Array], known: bool, sample: int
) -> bool:
    """The same from so many queries. known : whether a split's caps follow from the budget alone."""
    rows = np.arange(0, len(market), max(len(market) // sample, 1))
    side = market.smooth.rows(rows)
    best = side.best_surplus(price)
    for share in shares:
        most, own = float(share.max()), share[rows] if len(share) > 1 else np.ones(len(rows))
        total = float(share.sum()) / most * (len(market) if len(share) == 1 else 1)
        scales = np.array([budget / total] * 2) if known else _scales(side, own / most)
        caps = _feasible(side, np.floor(own / most * scales[:, None]))
        value, charge = side.curves.utility(caps), side.charge(caps)
        # Between two scales a split is worth no more than at the larger one, and charged no less than at the smaller.
        lost = (best - (value[1:] - price * charge[:-1])).sum(axis=1)
        if not lost.min() > 1.01 * gap:
            return False
    return True


def _scales(side: SmoothDemand, share: Array) -> Array:
    """From no token for anybody to everybody's last, in steps of a tenth."""
    with np.errstate(divide="ignore", over="ignore"):
        end = float(np.where(share > 0.0, side.last_whole / share, 0.0).max(initial=1.0))
    steps = int(np.ceil(np.log(min(end, _FARTHEST)) / np.log(_STEP))) + 1
    return np.concatenate([[0.0], _STEP ** np.arange(steps), [2.0 * end]])


def _in_shares(market: Market, budget: float, share: Array, multiple: float) -> Solution:
    """The largest scale at which whole caps of scale x share, as far as they are feasible, fit the budget."""
    share = share / share.max(initial=1e-300)  # shares near the smallest float would overflow the scale
    total = float(share.sum())
    if market.tariff.plain:
        limits = np.floor(share * (budget / total)) if total > 0 else share
        # Rounding may lift a share to the next whole token; then, and under floors, the scale is searched for.
        if not any_nonzero(market.least) and limits.sum() <= budget:
            return solution_within(market, limits)

    def granted(tokens_inverse: float) -> Solution:
        with np.errstate(over="ignore"):
            return solution_within(market, np.floor(share / max(tokens_inverse, 1e-300)))

    def spent(tokens_inverse: float) -> float:
        if market.tariff.plain:  # one cap for all, used or not
            with np.errstate(over="ignore"):
                limits = np.floor(share / max(tokens_inverse, 1e-300))
            return float(np.clip(limits, market.least, market.limits.high).sum())
        return needed(granted(tokens_inverse))

    def needed(grant: Solution) -> float:
        return total_charge(market, grant) + scaled_margin(market, grant, multiple)

    if spent(0.0) <= budget:
        return granted(0.0)
    high = 2.0 * float(share.max())
    grant = granted(bracket_decreasing(spent, budget, high).high)
    # An option that is worth more may cost less, so that a smaller limit can cost more.
    return grant if needed(grant) <= budget else granted(high)


def solution_within(market: Market, limits: Array) -> Solution:
    """Each query gets its limit (token, whole) or less, where less is worth as much or more is not allowed. O(n)."""
    smooth = market.smooth
    caps = _feasible(smooth, market.gather_smooth(limits))
    return evaluate(market, caps, _best_option_within(market.menus, limits[market.menu_rows]))


def _feasible(side: SmoothDemand, limits: Array) -> Array:
    """The largest feasible caps within limits (token, whole) that are worth more than less; the floor if none is."""
    caps = np.clip(limits, side.floor, side.last_whole)
    return np.where(caps < side.least, side.floor, caps)


def _best_option_within(menus: MenuDemand, limits: Array) -> Index:
    """The most valuable option that a limit covers, the cheapest of equals; the base where none is better."""
    covered = (menus.options.tokens <= limits[:, None]) & np.isfinite(menus.costs)
    covered &= (limits[:, None] > 0) | (menus.costs == 0)  # an option without tokens may still cost a call
    values = np.where(covered, menus.values, -np.inf)
    best = values.argmax(axis=1)
    better = values[np.arange(len(menus)), best] > menus.base_value
    return np.where(better, best, menus.base)
