"""What each group got, for what: made with the result, and made again by its audit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.groups.tree import Tree
from clear_alloc.groups.tree_price import Binding, Prices
from clear_alloc.market.problem import Problem
from clear_alloc.solver.primal.solution import Solution, charge_per_query, funded_of, value_per_query

__all__ = ["GroupReport", "reports_of"]


@dataclass(frozen=True)
class GroupReport:
    """One group after the allocation. Amounts are in the unit of the budget, prices in value per unit of it.

    price : what one more unit of this group's own budget would buy beyond what it costs the groups around; 0 unless
    its budget binds. guarantee_price : what its guarantee costs the others, per unit; 0 unless it binds.
    marginal : the price at which its queries buy. margin : held back under expected accounting.
    alone : utility that the guarantee would buy by itself; the group never gets less.
    """

    name: str
    parent: str | None
    budget: float | None
    guarantee: float
    spent: float
    margin: float
    utility: float
    alone: float
    queries: int
    funded: int
    price: float
    guarantee_price: float
    marginal: float
    binding: Binding


def reports_of(
    problem: Problem, tree: Tree, solution: Solution, prices: Prices, alone: Array, margins: Array
) -> tuple[GroupReport, ...]:
    """One report per group, in the order of the tree. alone, margins : (nodes,), see `GroupReport`. O(n x depth)."""
    market, unit = problem.market, problem.unit
    spent = tree.summed(charge_per_query(market, solution)) * unit
    worth = tree.summed(value_per_query(market, solution))
    funded, queries = tree.summed(funded_of(market, solution).astype(float)), tree.summed(np.ones(len(market)))
    marginal = prices.price / unit
    reports = []
    for node, group in enumerate(tree.groups, start=1):
        rise = float(marginal[node] - marginal[tree.parent[node]])
        reports.append(
            GroupReport(
                name=group.name, parent=group.parent, budget=group.budget, guarantee=group.guarantee,
                spent=float(spent[node]), margin=float(margins[node]) * unit, utility=float(worth[node]),
                alone=float(alone[node]) if group.guarantee else 0.0,
                queries=round(queries[node]), funded=round(funded[node]),
                price=max(rise, 0.0), guarantee_price=max(-rise, 0.0), marginal=float(marginal[node]),
                binding=prices.binding[node],
            )
        )  # fmt: skip
    return tuple(reports)
