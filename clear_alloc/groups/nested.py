"""Caps under nested budgets: groups whose own limits bind are solved by themselves, the rest as one market."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.groups.exact import NestedBound, combined
from clear_alloc.groups.tree import ROOT, Index, Tree
from clear_alloc.groups.tree_price import Binding, Clearing, Prices
from clear_alloc.market.market import Market
from clear_alloc.solver.primal.solution import (
    Solution,
    charge_per_query,
    evaluate,
    floor_solution,
    spend_residual_budget,
    value_per_query,
)
from clear_alloc.solver.solve import solve

__all__ = ["Nested"]

_WORK = 4e6  # pairs that the best combination may look at: half a second
_LEAST_WORK = 3e4  # the same for one group of many
_ROUNDING = 1e-12  # of a budget or a utility: what a sum may be off by


class Nested:
    """A market and the tree that its queries stand in; remembers what it has solved.

    taken : markets of the groups inside, by their first query and size; they don't depend on any budget.
    """

    def __init__(
        self,
        market: Market,
        tree: Tree,
        taken: dict[int, Market] | None = None,
        place: int = ROOT,
        work: float = _WORK,
    ):
        self.market, self.tree, self.place, self.work = market, tree, place, work
        self.taken = {} if taken is None else taken
        self.places = [_places(rows, len(market)) for rows in market.rows]
        self.needed = tree.needed(market.least)
        self.clearing = Clearing(market, tree)
        self._inner: dict[int, Nested] = {}
        self._known: dict[float, Solution] = {}
        self._alone: Array | None = None

    def inner(self, node: int) -> Nested:
        """One of the groups inside, as a whole of its own."""
        for child in self.tree.children:
            if child <= node < self.tree.last[child]:
                if child not in self._inner:
                    self._inner[child] = self._taken(child)
                own = self._inner[child]
                return own if child == node else own.inner(node - child)
        return self

    def _taken(self, child: int) -> Nested:
        place = self.place + child
        if place not in self.taken:
            self.taken[place] = self.market.take(self.tree.rows(child))
        market = self.taken[place]
        work = self.work * len(market) / max(len(self.market), 1)
        return Nested(market, self.tree.under(child), self.taken, place, max(work, _LEAST_WORK))

    def spent(self, solution: Solution) -> Array:
        """Budget units charged within each node, (nodes,)."""
        return self.tree.summed(charge_per_query(self.market, solution))

    def worth(self, solution: Solution) -> Array:
        """Utility within each node, (nodes,)."""
        return self.tree.summed(value_per_query(self.market, solution))

    @property
    def alone(self) -> Array:
        """Utility that each node's guarantee buys by itself, (nodes,); that of its floors where it has none."""
        if self._alone is None:
            self._alone = self.worth(floor_solution(self.market))
            for child in self.tree.children:
                own = self.inner(child)
                self._alone[child : self.tree.last[child]] = own.alone
                if self.tree.guarantee[child] > 0:
                    self._alone[child] = own.promised().utility
        return self._alone

    def promised(self) -> Solution:
        """What the guarantee of the whole buys by itself, or what is needed inside it if that is more."""
        return self.solved(max(float(self.tree.guarantee[ROOT]), float(self.needed[ROOT])))

    def prices(self, pool: float) -> Prices:
        """Price of every node. log2(n) + 20 evaluations, O(n) each, for each node that binds."""
        tree = self.tree
        price, kinds = np.full(len(tree), self.clearing.price(pool)), [Binding.NONE] * len(tree)
        for node, kind in self.clearing.binding(float(price[ROOT])).items():
            limit = tree.ceiling if kind is Binding.BUDGET else tree.guarantee
            own = self.inner(node).prices(float(limit[node]))
            # Rounding must not turn the order of the two round.
            order = np.maximum if kind is Binding.BUDGET else np.minimum
            inside = slice(node, int(tree.last[node]))
            price[inside] = own.price
            free = own.price == own.price[ROOT]
            price[inside][free] = order(own.price[free], price[ROOT])
            kinds[inside] = [kind, *own.binding[1:]]
        return Prices(price, tuple(kinds))

    def bound(self, pool: float) -> NestedBound:
        """The certificate of a pool."""
        return NestedBound(self.market, self.tree.with_pool(pool), self.prices(pool), self.alone)

    def solved(self, pool: float) -> Solution:
        """The best solution found for `pool` budget units, which floors and guarantees must fit."""
        if pool not in self._known:
            rivals = [solution for size, solution in self._known.items() if size <= pool]
            solution = self._idle_spent(
                max([self._solve(pool), *rivals], key=lambda solution: solution.utility), pool
            )
            self._known[pool] = self._idle_spent(combined(self.bound(pool), solution, self.work), pool)
        return self._known[pool]

    def _idle_spent(self, solution: Solution, pool: float) -> Solution:
        """Budget that is left, spent where every budget around the query has room for it."""
        tree = self.tree.with_pool(pool)
        return spend_residual_budget(
            self.market, solution, lambda solution: tree.left(self.spent(solution))[tree.node_of]
        )

    def _solve(self, pool: float) -> Solution:
        if len(self.tree) == 1:
            return solve(self.market, pool).solution
        bound = self.clearing.binding(self.clearing.price(pool))
        for _ in range(2 * len(self.tree) + 1):
            solution = self._with_bound(pool, bound)
            if solution is None:  # what was set apart leaves too little for the floors of the others
                break
            broken = self._broken(solution, bound)
            if not broken:
                return self._idle_lent(pool, solution, bound)
            last = self.tree.last
            bound = {k: v for k, v in bound.items() if not any(b <= k < last[b] for b in broken)} | broken
        return self._each_by_itself(pool)

    def _with_bound(self, pool: float, bound: dict[int, Binding]) -> Solution | None:
        """Binding groups by themselves, then all the others together with what is left."""
        solution, left = floor_solution(self.market), pool
        rest = np.ones(len(self.tree), dtype=bool)
        for node, kind in bound.items():
            own = self.inner(node)
            size = min(float(self.tree.ceiling[node]), pool)
            part = own.solved(size) if kind is Binding.BUDGET else own.promised()
            solution = self._placed(solution, own.market, self.tree.rows(node), part)
            left -= float(own.spent(part)[ROOT])
            rest[node : self.tree.last[node]] = False
        rows = np.flatnonzero(rest[self.tree.node_of])
        market = self.market if len(rows) == len(self.market) else self.market.take(rows)
        if market.total_floor > left:
            return None
        return self._placed(solution, market, rows, solve(market, left).solution)

    def _broken(self, solution: Solution, bound: dict[int, Binding]) -> dict[int, Binding]:
        """Outermost groups that were taken as free and are not: over their budget, or below their guarantee."""
        tree, spent, worth = self.tree, self.spent(solution), self.worth(solution)
        found: dict[int, Binding] = {}
        closed = np.zeros(len(tree), dtype=bool)
        for node in range(1, len(tree)):
            closed[node] = closed[tree.parent[node]] or node in bound
            if closed[node]:
                continue
            if spent[node] > tree.ceiling[node] * (1.0 + _ROUNDING):
                found[node] = Binding.BUDGET
            elif tree.guarantee[node] > 0 and worth[node] < self.alone[node] * (1.0 - _ROUNDING):
                found[node] = Binding.GUARANTEE
            closed[node] = node in found
        return found

    def _each_by_itself(self, pool: float) -> Solution:
        """Every group inside gets its guarantee or its floors, and the rest of the pool goes where it gains."""
        solution, left = floor_solution(self.market), pool
        for child in self.tree.children:
            own = self.inner(child)
            part = own.promised()
            solution = self._placed(solution, own.market, self.tree.rows(child), part)
            left -= float(own.spent(part)[ROOT])
        rows = np.flatnonzero(self.tree.node_of == ROOT)
        market = self.market.take(rows)
        solution = self._placed(solution, market, rows, solve(market, max(left, market.total_floor)).solution)
        return self._idle_lent(pool, solution, dict.fromkeys(self.tree.children, Binding.GUARANTEE))

    def _idle_lent(self, pool: float, solution: Solution, bound: dict[int, Binding]) -> Solution:
        """What nobody else could use goes to groups that only their guarantee was keeping small."""
        for node, kind in bound.items():
            spent = self.spent(solution)
            left = pool - float(spent[ROOT])
            if kind is Binding.BUDGET or left <= _ROUNDING * pool:
                continue
            own = self.inner(node)
            around = node
            size = min(float(spent[node]) + left, float(self.tree.ceiling[node]))
            while (around := int(self.tree.parent[around])) > ROOT:
                size = min(size, float(spent[node]) + float(self.tree.ceiling[around] - spent[around]))
            if size < own.needed[ROOT]:
                continue
            rival = self._placed(solution, own.market, self.tree.rows(node), own.solved(size))
            if rival.utility > solution.utility:
                solution = rival
        return solution

    def _placed(self, solution: Solution, part: Market, rows: Index, inner: Solution) -> Solution:
        """`solution` with the decisions of `inner`, which are about the queries `rows` alone."""
        decisions = [column.copy() for column in solution.decisions]
        for demand, part_rows, column in zip(part.demands, part.rows, inner.decisions, strict=True):
            k = next(k for k, other in enumerate(self.market.demands) if other.divisible == demand.divisible)
            decisions[k][self.places[k][rows[part_rows]]] = column
        return evaluate(self.market, decisions)


def _places(rows: Index, n: int) -> Index:
    places = np.full(n, -1, dtype=np.intp)
    places[rows] = np.arange(len(rows))
    return places
