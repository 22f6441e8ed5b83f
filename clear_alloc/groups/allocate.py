"""Caps for tenants: one budget for all, and nested budgets of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Unpack

import numpy as np

from clear_alloc.allocation.result import allocation_of
from clear_alloc.curves import Curves
from clear_alloc.errors import InvalidArgument
from clear_alloc.groups.margins import solve_tree
from clear_alloc.groups.min_funded import with_shares_funded
from clear_alloc.groups.reports import reports_of
from clear_alloc.groups.result import GroupedAllocation
from clear_alloc.groups.tree import ROOT, Group, read_tree
from clear_alloc.market.problem import CurvesLike, checked_budget, read_problem
from clear_alloc.market.terms import AllocateKwargs, AllocateOptions
from clear_alloc.solver.pricing.clearing import Clearing, Status

__all__ = ["allocate_groups"]

_FUNDING_ROUNDS = 8  # of raising floors until every group has its share of queries funded; one is usual


def allocate_groups(
    curves: CurvesLike,
    budget: float,
    groups: Iterable[Group],
    group_of: Sequence[str | None] | None = None,
    **terms: Unpack[AllocateKwargs],
) -> GroupedAllocation:
    """Allocate one budget among queries of groups that have budgets, guarantees and shares of their own.

    Parameters
    ----------
    curves, budget, **terms
        As in `allocate`.
    groups : Group, any order
        Nested to any depth. A group's spending counts against its own budget and all around it.
    group_of : n names, None for a query that is in no group
        The innermost group of each query. Default: the `group` of each `Query`.

    Returns
    -------
    GroupedAllocation
        Caps within every budget; no group is worth less than its guarantee would buy by itself; what one leaves idle
        others may use. One price for the whole, and one more wherever a group's own budget or guarantee binds.

    Raises
    ------
    InvalidArgument
        Unknown, repeated or cyclic groups, or queries in several of them: by name.
    BudgetTooSmall
        Guarantees or floors that don't fit: of which group.

    Notes
    -----
    Nested clearing: at a price for the whole, every group's demand is clamped between its guarantee and its budget,
    from the innermost out. A group that is clamped is solved by itself at its own price, the others together as one
    market. Finite choices are then combined exactly as long as lists of undominated states stay short. O(n) per
    evaluation of a price, log2(n) + 20 of them per binding group.

    Examples
    --------
    >>> import clear_alloc as ca
    >>> curves = ca.ShiftedSurge(threshold=[100, 150, 200, 250], width=100, peak=[0.9, 0.8, 0.9, 0.8])
    >>> teams = [ca.Group("search", budget=250), ca.Group("chat", guarantee=300)]
    >>> result = ca.allocate_groups(curves, 600, teams, ["search", "search", "chat", "chat"])
    >>> result.tokens
    array([200,   0, 300,   0])
    >>> result["search"].binding.value
    'its own budget binds'
    """
    problem = read_problem(curves, checked_budget(budget), AllocateOptions(**terms))
    given = list(groups) if isinstance(groups, Iterable) and not isinstance(groups, str) else groups
    names = _names(curves, group_of, len(problem.market))
    tree = read_tree(given, names, problem.market, problem.pool)
    solved = solve_tree(problem.market, tree, problem.z_score)
    for _ in range(_FUNDING_ROUNDS):
        market = with_shares_funded(problem.market, tree, solved.prices.price, solved.solution)
        if market is problem.market:
            break
        problem = problem._replace(market=market)
        tree = read_tree(given, names, market, problem.pool)
        solved = solve_tree(market, tree, problem.z_score)
    price = float(solved.prices.price[ROOT])
    status = Status.SLACK if price <= 0.0 else Status.CLEARED
    clearing = Clearing(price, price, 0, status if len(problem.market) else Status.EMPTY)
    allocation = allocation_of(problem, "allocate_groups", solved.solution, clearing, solved.bound)
    reports = reports_of(problem, tree, solved.solution, solved.prices, solved.alone, solved.margins)
    return GroupedAllocation(allocation, reports, tuple(names))


def _names(curves: CurvesLike, group_of: Sequence[str | None] | None, n: int) -> list[Any]:
    if isinstance(group_of, (str, bytes)) or not (group_of is None or isinstance(group_of, Iterable)):
        raise InvalidArgument("group_of", group_of, f"{n} names", "pass one name, or None, per query")
    if group_of is not None:
        return group_of.tolist() if isinstance(group_of, np.ndarray) else list(group_of)
    if isinstance(curves, Curves):
        remedy = "pass the name of each query's group, or None"
        raise InvalidArgument("group_of", None, f"{n} names, since curves carry none", remedy)
    return [getattr(record, "group", None) for record in curves]
