"""Caps from one shadow price: clear the market, repair the funded set, round to whole tokens, certify."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.between import convex_worth, with_one_between
from clear_alloc.core import improved_plans
from clear_alloc.curves import MAX_TOKENS, Accounting, require_reserved
from clear_alloc.dynamic import exact_grant, table_cells
from clear_alloc.errors import NotSupported
from clear_alloc.market import Market
from clear_alloc.plan import Grant, fill, grant_of, greedy_plan
from clear_alloc.price import Clearing, clearing_price
from clear_alloc.problem import CurvesLike, Problem, read_problem
from clear_alloc.result import Allocation, Bound, allocation_of, bound_at, lowest
from clear_alloc.simple import proportional_grant, uniform_grant

__all__ = ["allocate"]

EXACT_CELLS = 1e6  # up to this size the integer dynamic programme is as fast as the repair: about 5 ms


def allocate(
    curves: CurvesLike,
    budget: float,
    *,
    accounting: Accounting = "reserved",
    overrun: float = 0.05,
    min_tokens: npt.ArrayLike = 0,
    max_tokens: npt.ArrayLike | None = None,
    levels: object = None,
    ids: Iterable[Any] | None = None,
) -> Allocation:
    """Give each of n queries its share of a token budget so that the sum of utilities is as high as it can be.

    Parameters
    ----------
    curves : curves of shape (n,), or a list of `Query`
        Utility of each query against its cap.
    budget : float
        Tokens for all queries together, >= 0. Fractions of a token can't be spent.
    accounting : "reserved"
        Every cap is charged in full, so the budget holds whatever the queries do.
    overrun : float
        Used by expected accounting only.
    min_tokens, max_tokens : whole tokens, scalar or shape (n,)
        Floor and ceiling of each cap; a floor above 0 forces funding.
    levels : None
        Allowed caps; not supported in this version.
    ids : n unique names, optional
        Carried to the result.

    Returns
    -------
    Allocation
        Whole caps within the budget, worth at least as much as a uniform or a proportional split, with the dual
        price, an upper bound on any allocation's utility and the gap to it.

    Raises
    ------
    InvalidArgument
        Names the argument, the row and the value.
    BudgetTooSmall
        The floors cost more than the budget.
    NotSupported
        For `accounting="expected"` and `levels`.

    Notes
    -----
    About log2(n) + 20 passes over the queries, O(n log n) for the sort of the jump prices. Small cases are solved
    exactly. Wan et al. 2026 for the market and its price; the repair is described in `clear_alloc.core`.

    Examples
    --------
    >>> import clear_alloc as ca
    >>> curves = ca.ShiftedSurge(threshold=[100, 400, 6000], width=[80, 200, 900], peak=[0.9, 0.8, 0.7])
    >>> result = ca.allocate(curves, budget=1000)
    >>> result.tokens
    array([180, 600,   0])
    >>> result.funded
    array([ True,  True, False])
    """
    require_reserved(accounting)
    if levels is not None:
        raise NotSupported("levels are not available in this version; offer the allowed caps as a ca.Menu instead")
    del overrun
    problem = read_problem(curves, budget, min_tokens, max_tokens, ids)
    clearing = clearing_price(problem.market, float(np.floor(problem.budget)))
    grant, bound = _best(problem, clearing)
    return allocation_of(problem, "allocate", grant, clearing, bound)


def _best(problem: Problem, clearing: Clearing) -> tuple[Grant, Bound]:
    """The best grant found, and the lowest dual value seen."""
    market, budget = problem.market, float(np.floor(problem.budget))
    bound = lowest(bound_at(market, price, budget) for price in (clearing.price, clearing.low))
    if table_cells(market, budget) <= EXACT_CELLS:
        return exact_grant(market, budget), bound
    within, own = _within_reach(market, clearing, budget)
    bound = lowest([bound, bound_at(within, own.price, budget)])
    grant = _repaired(within, own, budget)
    # Dominance is a promise, so the baselines are always candidates.
    rivals = (uniform_grant(market, budget), proportional_grant(market, budget))
    return max((grant, *rivals), key=lambda g: g.utility), bound


def _within_reach(market: Market, clearing: Clearing, budget: float) -> tuple[Market, Clearing]:
    """The market without caps that the budget could never pay, where leaving them in would mislead the repair."""
    free = budget - market.total_floor
    smooth, steps = market.smooth, market.menus.steps
    target = smooth.wanted(clearing.price) - smooth.floor
    if not ((target > free).any() or (steps.cost > free).any()):
        return market, clearing
    within = market.capped(np.minimum(market.least + np.floor(free), MAX_TOKENS))
    return within, clearing_price(within, budget)


def _repaired(market: Market, clearing: Clearing, budget: float) -> Grant:
    """Fund the marginal queries, spend what is left at the margin, then try the core's alternatives."""
    plan = greedy_plan(market, clearing, budget)
    best = fill(market, plan, budget, clearing.price)
    if best is None:
        best = grant_of(market, market.smooth.floor.copy(), market.menus.base.copy())
    best = with_one_between(market, plan, best, budget, clearing.price)
    known = best.utility - convex_worth(market)
    for rival in improved_plans(market, plan, clearing, budget, known):
        grant = fill(market, rival, budget, clearing.price)
        if grant is not None:
            grant = with_one_between(market, rival, grant, budget, clearing.price)
            best = max(best, grant, key=lambda g: g.utility)
    return best
