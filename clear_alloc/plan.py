"""A plan says who is funded and which option each menu takes; filling it spends the whole budget within it.

With the funded set fixed the problem is concave, so it is cleared once more, now with the whole budget: leftovers go
to the best marginal use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from clear_alloc.curves import Array, Charged
from clear_alloc.market import Bool, Index, Market, SmoothSide
from clear_alloc.price import Clearing
from clear_alloc.roots import COARSE, falling_root, nearly_spent
from clear_alloc.whole import whole_tokens

__all__ = [
    "Grant",
    "Plan",
    "charges_of",
    "fill",
    "floors_of",
    "grant_of",
    "greedy_plan",
    "leftovers_spent",
    "spent_of",
    "values_of",
]

_AT_ONCE = 512  # queries; of so few several prices are tried in one go


class Plan(NamedTuple):
    """funded : smooth curves that leave their floor. chosen : option of each menu in order of cost, -1 none."""

    funded: Bool
    chosen: Index


class Grant(NamedTuple):
    """Whole caps of the smooth side, options of the menu side, and what they are worth together."""

    caps: Array
    chosen: Index
    utility: float


def grant_of(market: Market, caps: Array, chosen: Index) -> Grant:
    """A grant with its utility; sums are exact, so that equal grants have equal worth. O(n)."""
    smooth = market.smooth.curves.utility(caps).sum()
    return Grant(caps, chosen, float(smooth + market.menus.value_of(chosen).sum()))


def floors_of(market: Market) -> Grant:
    """Everybody's floor, which is granted at any price. O(n)."""
    return grant_of(market, market.smooth.floor.copy(), market.menus.base.copy())


def greedy_plan(market: Market, clearing: Clearing, budget: float) -> Plan:
    """Everybody who wants tokens at the clearing price, then the marginal queries as far as they fit. O(n)."""
    smooth, menus = market.smooth, market.menus
    funded, chosen = smooth.entry_price > clearing.price, menus.choose(clearing.price)
    # Who may start with any number of tokens costs nothing yet, and takes part in what is left at a lower price.
    funded |= ~smooth.jumps & (smooth.entry_price > 0.0)
    left = budget - market.total_demand(clearing.price)
    # Their demand appears between the two ends of the price bracket: all of it or none.
    marginal = np.flatnonzero(smooth.jumps & (smooth.entry_price > clearing.low) & ~funded)
    some = smooth.rows(marginal)
    need = some.charge(some.wanted(clearing.low)) - some.floor_charge
    fits = int(np.searchsorted(np.cumsum(need), left, side="right"))
    funded[marginal[:fits]] = True
    left -= float(need[:fits].sum())
    steps = menus.steps
    edges = np.flatnonzero((steps.price > clearing.low) & (steps.price <= clearing.price))
    fits = int(np.searchsorted(np.cumsum(steps.cost[edges]), left, side="right"))
    chosen[steps.owner[edges[:fits]]] = steps.option[edges[:fits]]
    return Plan(funded, chosen)


def fill(
    market: Market, plan: Plan, budget: float, near: float, fixed: tuple[int, float] | None = None
) -> Grant | None:
    """Spend the budget within a plan; None if the plan can't be paid.

    near : value/token, a guess of the price at which the plan clears.
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
        caps[rows] = whole_tokens(side, _water_fill(side, pool, near), pool)

    def left(grant: Grant) -> Array:
        return np.broadcast_to(budget - spent_of(market, grant), len(market))

    return leftovers_spent(market, Grant(caps, plan.chosen, 0.0), left)


def charges_of(market: Market, grant: Grant) -> Array:
    """What each query is charged, (n,), budget units, in the caller's order. O(n)."""
    charges: Array = market.of_both(market.smooth.charge(grant.caps), market.menus.charge_of(grant.chosen))
    return charges


def values_of(market: Market, grant: Grant) -> Array:
    """What each query is worth, (n,), in the caller's order. O(n)."""
    values: Array = market.of_both(market.smooth.curves.utility(grant.caps), market.menus.value_of(grant.chosen))
    return values


def spent_of(market: Market, grant: Grant) -> float:
    """Budget units that a grant is charged. O(n)."""
    (smooth,) = market.smooth.totals(grant.caps, Charged.charge)
    return smooth + float(market.menus.charge_of(grant.chosen).sum())


def leftovers_spent(market: Market, grant: Grant, left: Callable[[Grant], Array]) -> Grant:
    """What nobody uses goes to the one cap or option where it is worth most, until nothing affordable gains.

    left : budget units that each query may still be charged, (n,), beside a grant. O(n) for each cap that is raised.
    """
    smooth, menus = market.smooth, market.menus
    caps, chosen = grant.caps.copy(), grant.chosen.copy()
    least = 1.0 if market.tariff.plain else np.finfo(np.float64).tiny
    while (own := left(Grant(caps, chosen, 0.0))).max(initial=0.0) >= least:
        room = np.maximum(market.of_smooth(own), 0.0)
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
    return grant_of(market, caps, chosen)


def _water_fill(side: SmoothSide, pool: float, near: float) -> Array:
    """Caps on the concave branches that clear `pool`, real numbers."""
    if float(side.charge(side.stop).sum()) <= pool:
        return side.stop.copy()
    steepest = float(side.charged.efficiency(side.start).max())
    if steepest <= 0.0:
        return side.start.copy()

    # One query more or less moves the price by about 1/n of itself.
    error = min(max(1.0 / len(side), 1e-6), 0.02)
    if len(side) <= _AT_ONCE:
        price = nearly_spent(lambda p: side.charge(side.wanted(p[:, None])).sum(axis=1), pool, steepest, near, error)
        return side.wanted(price)

    def wanted(price: float) -> float:
        return float(side.charge(side.wanted(price)).sum())

    return side.wanted(falling_root(wanted, pool, steepest, near=near, near_error=error, drop=COARSE).high)
