"""A plan says who is funded and which option each menu takes; filling it spends the whole budget within it.

With the funded set fixed the problem is concave, so it is cleared once more, now with the whole budget: leftovers go
to the best marginal use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from clear_alloc.curves import Array, Charged
from clear_alloc.market.market import Bool, Index, Market, SmoothDemand
from clear_alloc.solver.pricing.bracket import COARSE, bracket_decreasing, vector_root
from clear_alloc.solver.pricing.clearing import Clearing
from clear_alloc.solver.primal.rounding import round_to_whole

__all__ = [
    "FundedSet",
    "Solution",
    "charge_per_query",
    "evaluate",
    "floor_solution",
    "greedy_funded_set",
    "refill_funded",
    "spend_residual_budget",
    "total_charge",
    "value_per_query",
]

_AT_ONCE = 512  # queries; of so few several prices are tried in one go


class FundedSet(NamedTuple):
    """funded : smooth curves that leave their floor. chosen : option of each menu in order of cost, -1 none."""

    funded: Bool
    chosen: Index


class Solution(NamedTuple):
    """Whole caps of the smooth side, options of the menu side, and what they are worth together."""

    caps: Array
    chosen: Index
    utility: float


def evaluate(market: Market, caps: Array, chosen: Index) -> Solution:
    """A grant with its utility; sums are exact, so that equal grants have equal worth. O(n)."""
    smooth = market.smooth.curves.utility(caps).sum()
    return Solution(caps, chosen, float(smooth + market.menus.value_of(chosen).sum()))


def floor_solution(market: Market) -> Solution:
    """Everybody's floor, which is granted at any price. O(n)."""
    return evaluate(market, market.smooth.floor.copy(), market.menus.base.copy())


def greedy_funded_set(market: Market, clearing: Clearing, budget: float) -> FundedSet:
    """Everybody who wants tokens at the clearing price, then the marginal queries as far as they fit. O(n)."""
    smooth, menus = market.smooth, market.menus
    funded, chosen = smooth.entry_price > clearing.price, menus.choose(clearing.price)
    # Who may start with any number of tokens costs nothing yet, and takes part in what is left at a lower price.
    funded |= ~smooth.breakpoints & (smooth.entry_price > 0.0)
    left = budget - market.total_demand(clearing.price)
    # Their demand appears between the two ends of the price bracket: all of it or none.
    marginal = np.flatnonzero(smooth.breakpoints & (smooth.entry_price > clearing.low) & ~funded)
    some = smooth.rows(marginal)
    need = some.charge(some.demand_if_funded(clearing.low)) - some.floor_charge
    fits = int(np.searchsorted(np.cumsum(need), left, side="right"))
    funded[marginal[:fits]] = True
    left -= float(need[:fits].sum())
    steps = menus.steps
    edges = np.flatnonzero((steps.price > clearing.low) & (steps.price <= clearing.price))
    fits = int(np.searchsorted(np.cumsum(steps.cost[edges]), left, side="right"))
    chosen[steps.owner[edges[:fits]]] = steps.option[edges[:fits]]
    return FundedSet(funded, chosen)


def refill_funded(
    market: Market, plan: FundedSet, budget: float, price_guess: float, fixed: tuple[int, float] | None = None
) -> Solution | None:
    """Spend the budget within a plan; None if the plan can't be paid.

    price_guess : value/token, a guess of the price at which the plan clears.
    fixed : a smooth query and the cap (token, whole) that it gets whatever the plan says.
    O(n) per evaluation, about 8 of them.
    """
    smooth = market.smooth
    caps, funded = smooth.floor.copy(), plan.funded
    if fixed is not None:
        funded = funded.copy()
        funded[fixed[0]], caps[fixed[0]] = False, fixed[1]
    rows = np.flatnonzero(funded)
    pool = budget - float(market.menus.charge_of(plan.chosen).sum() + smooth.charge(caps)[~funded].sum())
    side = smooth if len(rows) == len(smooth) else smooth.rows(rows)
    if float(side.charge(side.start).sum()) > pool:
        return None
    if len(rows):
        caps[rows] = round_to_whole(side, _water_fill(side, pool, price_guess), pool)

    def left(grant: Solution) -> Array:
        return np.broadcast_to(budget - total_charge(market, grant), len(market))

    return spend_residual_budget(market, Solution(caps, plan.chosen, 0.0), left)


def charge_per_query(market: Market, grant: Solution) -> Array:
    """What each query is charged, (n,), budget units, in the caller's order. O(n)."""
    charges: Array = market.scatter(market.smooth.charge(grant.caps), market.menus.charge_of(grant.chosen))
    return charges


def value_per_query(market: Market, grant: Solution) -> Array:
    """What each query is worth, (n,), in the caller's order. O(n)."""
    values: Array = market.scatter(market.smooth.curves.utility(grant.caps), market.menus.value_of(grant.chosen))
    return values


def total_charge(market: Market, grant: Solution) -> float:
    """Budget units that a grant is charged. O(n)."""
    (smooth,) = market.smooth.totals(grant.caps, Charged.charge)
    return smooth + float(market.menus.charge_of(grant.chosen).sum())


def spend_residual_budget(market: Market, grant: Solution, left: Callable[[Solution], Array]) -> Solution:
    """What nobody uses goes to the one cap or option where it is worth most, until nothing affordable gains.

    left : budget units that each query may still be charged, (n,), beside a grant. O(n) for each cap that is raised.
    """
    smooth, menus = market.smooth, market.menus
    caps, chosen = grant.caps.copy(), grant.chosen.copy()
    least = 1.0 if market.tariff.plain else np.finfo(np.float64).tiny
    while (own := left(Solution(caps, chosen, 0.0))).max(initial=0.0) >= least:
        room = np.maximum(market.gather_smooth(own), 0.0)
        raised = np.where(room > 0, np.maximum(smooth.cap_within(smooth.charge(caps) + room, caps), caps), caps)
        gain = smooth.curves.utility(raised) - smooth.curves.utility(caps)
        extra = menus.costs - menus.charge_of(chosen)[:, None]
        upgrade = np.where(extra <= own[market.menu_rows][:, None], menus.values, -np.inf)
        better = upgrade.max(axis=1, initial=-np.inf) - menus.value_of(chosen)
        most, best = gain.max(initial=0.0), better.max(initial=0.0)
        if max(most, best) <= 0.0:
            break
        if most >= best:
            row = int(gain.argmax())
            caps[row] = raised[row]
        else:
            row = int(better.argmax())
            chosen[row] = upgrade[row].argmax()
    return evaluate(market, caps, chosen)


def _water_fill(side: SmoothDemand, pool: float, price_guess: float) -> Array:
    """Caps on the concave branches that clear `pool`, real numbers."""
    if float(side.charge(side.stop).sum()) <= pool:
        return side.stop.copy()
    steepest = float(side.charged.efficiency(side.start).max())
    if steepest <= 0.0:
        return side.start.copy()

    # One query more or less moves the price by about 1/n of itself.
    error = min(max(1.0 / len(side), 1e-6), 0.02)
    if len(side) <= _AT_ONCE:
        price = vector_root(
            lambda p: side.charge(side.demand_if_funded(p[:, None])).sum(axis=1), pool, steepest, price_guess, error
        )
        return side.demand_if_funded(price)

    def wanted(price: float) -> float:
        return float(side.charge(side.demand_if_funded(price)).sum())

    return side.demand_if_funded(
        bracket_decreasing(wanted, pool, steepest, price_guess=price_guess, guess_rtol=error, drop=COARSE).high
    )
