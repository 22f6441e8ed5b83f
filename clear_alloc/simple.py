"""The splits that need no price, as grants: the rivals that an allocation must never lose to."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.market import Index, Market, MenuSide
from clear_alloc.plan import Grant, grant_of
from clear_alloc.roots import falling_root

__all__ = ["grant_within", "proportional_grant", "uniform_grant"]


def uniform_grant(market: Market, budget: float) -> Grant:
    """One cap for everybody; floors and ceilings are kept. O(n)."""
    return _in_shares(market, budget, np.ones(len(market)))


def proportional_grant(market: Market, budget: float) -> Grant:
    """Caps proportional to the emergence threshold; one cap for everybody where all thresholds are 0. O(n)."""
    share = market.curves.emergence
    return _in_shares(market, budget, share if share.any() else np.ones(len(market)))


def _in_shares(market: Market, budget: float, share: Array) -> Grant:
    """The largest scale at which whole caps of scale x share, kept between floor and cap, fit the budget."""
    share = share / share.max(initial=1e-300)  # shares near the smallest float would overflow the scale
    total = float(share.sum())
    limits = np.floor(share * (budget / total)) if total > 0 else share
    # Rounding may lift a share to the next whole token; then, and under floors, the scale is searched for.
    if not market.least.any() and limits.sum() <= budget:
        return grant_within(market, limits)

    def spent(tokens_inverse: float) -> float:
        with np.errstate(over="ignore"):
            return float(np.clip(np.floor(share / max(tokens_inverse, 1e-300)), market.least, market.cap).sum())

    high = 2.0 * float(share.max())
    inverse = falling_root(spent, budget, high).high if spent(0.0) > budget else 1e-300
    with np.errstate(over="ignore"):
        return grant_within(market, np.floor(share / inverse))


def grant_within(market: Market, limits: Array) -> Grant:
    """Each query gets its limit (token, whole) or less, where less is worth as much or more is not allowed. O(n)."""
    smooth = market.smooth
    caps = np.clip(limits[market.smooth_rows], smooth.floor, smooth.last_whole)
    return grant_of(market, caps, _best_option_within(market.menus, limits[market.menu_rows]))


def _best_option_within(menus: MenuSide, limits: Array) -> Index:
    """The most valuable option that a limit covers, the cheapest of equals; the base where none is better."""
    values = np.where(menus.costs <= limits[:, None], menus.values, -np.inf)
    best = values.argmax(axis=1)
    better = values[np.arange(len(menus)), best] > menus.base_value
    return np.where(better, best, menus.base)
