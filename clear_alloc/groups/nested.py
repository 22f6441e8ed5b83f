"""Caps under nested budgets: groups whose own limits bind are solved by themselves, the rest as one market."""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.groups.clearing import Binding, Subtree
from clear_alloc.groups.tree import Index, Tree
from clear_alloc.market import Market
from clear_alloc.plan import Grant, charges_of, grant_of, values_of
from clear_alloc.solve import solve

__all__ = ["Nested", "idle_spent"]

_ROUNDING = 1e-12  # of a budget: what a sum of charges may be off by


class Nested:
    """The market of all queries and the tree they stand in; remembers what it has solved."""

    def __init__(self, market: Market, tree: Tree):
        self.market, self.tree = market, tree
        self.smooth_place = _places(market.smooth_rows, len(market))
        self.menu_place = _places(market.menu_rows, len(market))
        self._known: dict[tuple[int, float], Grant] = {}
        self._subtrees: dict[int, Subtree] = {}

    def nobody(self) -> Grant:
        """Everybody's floor."""
        return grant_of(self.market, self.market.smooth.floor.copy(), self.market.menus.base.copy())

    def spent(self, grant: Grant) -> Array:
        """Budget units charged within each node, (nodes,)."""
        return self.tree.summed(charges_of(self.market, grant))

    def worth(self, grant: Grant) -> Array:
        """Utility within each node, (nodes,)."""
        return self.tree.summed(values_of(self.market, grant))

    def alone(self) -> Array:
        """Utility that each node's guarantee buys by itself, (nodes,); that of its floors where it has none."""
        least = self.worth(self.nobody())
        for node in np.flatnonzero(self.tree.guarantee > 0):
            grant = self.solved(int(node), float(self.tree.guarantee[node]))
            least[node] = max(least[node], self.worth(grant)[node])
        return least

    def solved(self, node: int, pool: float) -> Grant:
        """The best grant found for the queries inside `node` at `pool` budget units; floors for all others."""
        key = (node, pool)
        if key not in self._known:
            self._known[key] = self._solve(node, pool)
        return self._known[key]

    def _solve(self, node: int, pool: float) -> Grant:
        bound = self._bound_inside(node, pool)
        best: Grant | None = None
        for _ in range(2 * len(self.tree) + 1):
            grant = self._with_bound(node, pool, bound)
            broken = {} if grant is None else self._broken(node, grant, bound)
            if grant is not None and not broken:
                best = grant
                break
            if grant is None:  # what was set apart leaves too little for the floors of the others
                return self._each_by_itself(node, pool)
            bound = {k: v for k, v in bound.items() if not any(self.tree.inside(b)[k] for b in broken)} | broken
        if best is None:
            return self._each_by_itself(node, pool)
        return self._idle_lent(node, pool, best, bound)

    def _bound_inside(self, node: int, pool: float) -> dict[int, Binding]:
        """The outermost groups inside `node` that bind when it clears `pool` by itself."""
        sub = self._subtrees.setdefault(node, Subtree(self.market, self.tree, node))
        return sub.binding(sub.price(pool))

    def _with_bound(self, node: int, pool: float, bound: dict[int, Binding]) -> Grant | None:
        """Binding groups by themselves, then all the others together with what is left."""
        grant, left = self.nobody(), pool
        rest = self.tree.inside(node)
        for inner, kind in bound.items():
            size = self.tree.ceiling[inner] if kind is Binding.BUDGET else self.tree.guarantee[inner]
            own = self.solved(inner, min(float(size), pool))
            within = self.tree.inside(inner)
            grant = self._merged(grant, own, within)
            left -= float(self.spent(own)[inner])
            rest &= ~within
        rows = np.flatnonzero(rest[self.tree.node_of])
        part = self.market if len(rows) == len(self.market) else self.market.take(rows)
        if part.total_floor > left:
            return None
        return self._placed(grant, part, rows, solve(part, left).grant)

    def _broken(self, node: int, grant: Grant, bound: dict[int, Binding]) -> dict[int, Binding]:
        """Outermost groups that were taken as free and are not: over their budget, or below their guarantee."""
        spent, worth = self.spent(grant), self.worth(grant)
        found: dict[int, Binding] = {}
        closed = np.zeros(len(self.tree), dtype=bool)
        for inner in range(node + 1, len(self.tree)):
            closed[inner] = closed[self.tree.parent[inner]] or inner in bound
            if closed[inner] or not self.tree.inside(node)[inner]:
                continue
            if spent[inner] > self.tree.ceiling[inner] * (1.0 + _ROUNDING):
                found[inner] = Binding.BUDGET
            elif self._below_guarantee(inner, spent[inner], worth[inner]):
                found[inner] = Binding.GUARANTEE
            closed[inner] = inner in found
        return found

    def _below_guarantee(self, node: int, spent: float, worth: float) -> bool:
        size = float(self.tree.guarantee[node])
        if size <= 0.0 or spent > size:
            return False
        own = float(self.worth(self.solved(node, size))[node])
        return worth < own - _ROUNDING * abs(own)

    def _each_by_itself(self, node: int, pool: float) -> Grant:
        """Every group inside gets its guarantee or its floors, and the rest of the pool goes where it gains."""
        grant, left = self.nobody(), pool
        rest = self.tree.inside(node)
        floors = self.tree.summed(self.market.least)
        children = [inner for inner in range(node + 1, len(self.tree)) if self.tree.parent[inner] == node]
        for inner in children:
            own = self.solved(inner, max(float(self.tree.guarantee[inner]), float(floors[inner])))
            within = self.tree.inside(inner)
            grant = self._merged(grant, own, within)
            left -= float(self.spent(own)[inner])
            rest &= ~within
        rows = np.flatnonzero(rest[self.tree.node_of])
        part = self.market.take(rows)
        grant = self._placed(grant, part, rows, solve(part, max(left, part.total_floor)).grant)
        return self._idle_lent(node, pool, grant, dict.fromkeys(children, Binding.GUARANTEE))

    def _idle_lent(self, node: int, pool: float, grant: Grant, bound: dict[int, Binding]) -> Grant:
        """What nobody else could use goes to groups that only their guarantee was keeping small."""
        for inner, kind in bound.items():
            spent = self.spent(grant)
            left = pool - float(spent[node])
            if kind is Binding.BUDGET or left <= _ROUNDING * pool:
                continue
            size = min(float(spent[inner]) + left, float(self.tree.ceiling[inner]))
            own = self.solved(inner, size)
            rival = self._merged(grant, own, self.tree.inside(inner))
            if rival.utility > grant.utility:
                grant = rival
        return grant

    def _merged(self, grant: Grant, own: Grant, within: np.ndarray) -> Grant:
        """`grant` with the decisions of `own` for the queries inside some nodes."""
        mine = within[self.tree.node_of]
        caps = np.where(mine[self.market.smooth_rows], own.caps, grant.caps)
        chosen = np.where(mine[self.market.menu_rows], own.chosen, grant.chosen)
        return grant_of(self.market, caps, chosen)

    def _placed(self, grant: Grant, part: Market, rows: Index, own: Grant) -> Grant:
        """`grant` with the decisions of `own`, which are about the queries `rows` alone."""
        caps, chosen = grant.caps.copy(), grant.chosen.copy()
        caps[self.smooth_place[rows[part.smooth_rows]]] = own.caps
        chosen[self.menu_place[rows[part.menu_rows]]] = own.chosen
        return grant_of(self.market, caps, chosen)


def _places(rows: Index, n: int) -> Index:
    places = np.full(n, -1, dtype=np.intp)
    places[rows] = np.arange(len(rows))
    return places


def idle_spent(nested: Nested, grant: Grant) -> Grant:
    """Budget that is left, given to the one cap or option where it is worth most, until nothing affordable gains.

    Affordable is what fits every budget around the query. O(n) for each cap that is raised.
    """
    market, tree = nested.market, nested.tree
    smooth, menus = market.smooth, market.menus
    caps, chosen = grant.caps.copy(), grant.chosen.copy()
    while len(market):
        left = tree.ceiling - nested.spent(Grant(caps, chosen, 0.0))
        for node in range(1, len(tree)):
            left[node] = min(left[node], left[tree.parent[node]])
        own = left[tree.node_of]
        spare = own[market.smooth_rows]
        room = np.maximum(spare, 0.0)
        raised = np.where(spare > 0, np.maximum(smooth.cap_within(smooth.charge(caps) + room), caps), caps)
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
