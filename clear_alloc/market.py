"""Curves with the caps that are feasible: what the price search and the repair see.

Floors and ceilings are respected here, before anything is optimised; rounding them in afterwards would break the
budget or waste it. Every quantity is an array with one entry per query (smooth curves) or per option (menus).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array, Curves, Menu, Mixed, ShiftedSurge, Smooth, envelope, steepest_chord
from clear_alloc.errors import InvalidArgument

__all__ = ["Bool", "Index", "Market", "MenuSide", "SmoothSide"]

Bool = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]


class SmoothSide:
    """Flat-convex-concave curves, each on {floor} or [start, stop].

    floor : token, what the query gets in any case. start : where its concave branch begins, at least the floor.
    stop : token, its largest useful cap. entry_price : value/token, the price below which it leaves its floor.
    """

    def __init__(self, curves: Smooth, floor: Array, cap: Array):
        self.curves, self.floor = curves, floor
        self.stop = np.maximum(np.minimum(curves.ceiling, cap), floor)
        self.last_whole = np.maximum(np.minimum(np.ceil(curves.ceiling), cap), floor)
        self.start = np.clip(curves.concave_from, floor, self.stop)
        self.floor_value = curves.utility(floor) if floor.any() else np.zeros(len(floor))
        self.entry_price = self._entry_prices()

    def __len__(self) -> int:
        return len(self.floor)

    def _entry_prices(self) -> Array:
        """Steepest slope from (floor, U(floor)) to a feasible cap."""
        prices = self.curves.reservation_price()
        # The closed form holds for free queries whose break-even cap is allowed; the others are few.
        other = np.flatnonzero((self.floor > 0) | (self.curves.break_even > self.stop))
        if len(other):
            prices = prices.copy()
            origin, value = self.floor[other], self.floor_value[other]
            some = self.curves[other]
            prices[other], _ = steepest_chord(some, origin, value, self.start[other], self.stop[other])
        return prices

    @cached_property
    def jumps(self) -> Bool:
        """Queries whose demand is discontinuous: they leave the floor for a distant cap or not at all."""
        return (self.start > self.floor) & (self.entry_price > 0)

    def wanted(self, price: float | Array) -> Array:
        """Best cap on [start, stop]; prices of shape (k, 1) give caps of shape (k, n). O(n)."""
        return np.clip(self.curves.stationary(price), self.start, self.stop)

    def demand(self, price: float) -> Array:
        """Best cap on {floor} and [start, stop]; the floor where nothing gains. O(n)."""
        return np.where(price < self.entry_price, self.wanted(price), self.floor)

    def best_surplus(self, price: float) -> Array:
        """Highest utility - price x cap over the whole caps that are feasible. O(n)."""
        # On the concave branch the best whole cap is beside the best real one; before it, surplus is convex and so
        # highest at an end: the floor, or the last whole cap before the branch, which is beside `wanted` again.
        wanted = self.wanted(price)
        best = self.floor_value - price * self.floor
        for cap in (np.maximum(np.floor(wanted), self.floor), np.minimum(np.ceil(wanted), self.last_whole)):
            best = np.maximum(best, self.curves.utility(cap) - price * cap)
        return best

    def rows(self, rows: Index) -> SmoothSide:
        """The same for some of the queries."""
        new = object.__new__(SmoothSide)
        new.curves = self.curves[rows]
        for name in ("floor", "stop", "last_whole", "start", "floor_value", "entry_price"):
            setattr(new, name, getattr(self, name)[rows])
        return new


class MenuSide:
    """Finite option lists in order of cost, without the options that floors and ceilings rule out.

    costs, values : shape (n, k), whole tokens and the value of a cap of so many, which buys the best option that it
    covers; ruled-out options cost inf. buys : that best option, shape (n, k).
    base : option in force at a very high price, -1 for none.
    """

    def __init__(self, menu: Menu, floor: Array, cap: Array):
        whole = np.ceil(menu.sorted_costs)
        allowed = (whole <= cap[:, None]) & (whole >= floor[:, None]) & np.isfinite(whole)
        self.menu, self.floor, self.cap = menu, floor, cap
        self.costs = np.where(allowed, whole, np.inf)
        best = np.maximum.accumulate(menu.sorted_values, axis=1)
        self.values = np.where(allowed, best, -np.inf)
        leads = np.diff(best, axis=1, prepend=-np.inf) > 0
        self.buys = np.maximum.accumulate(np.where(leads, np.arange(best.shape[1]), 0), axis=1)
        self.base = self._bases(allowed)
        self.base_cost, self.base_value = self.cost_of(self.base), self.value_of(self.base)
        self.steps = envelope(self.costs, self.values, self.base_cost, self.base_value)

    def __len__(self) -> int:
        return len(self.floor)

    def _bases(self, allowed: Bool) -> Index:
        forced = self.floor > 0
        empty = forced & ~allowed.any(axis=1)
        if empty.any():
            row = int(np.argmax(empty))
            low, high = self.floor[row], self.cap[row]
            raise InvalidArgument(
                "min_tokens", low, f"a floor that an option of the menu meets within {high:,.15g} tokens",
                "lower min_tokens, raise max_tokens or add an option", row,
            )  # fmt: skip
        # Rounding up can make costs equal: the best of the cheapest. A free option counts if it is worth anything.
        cheapest = self.costs.min(axis=1, initial=np.inf)
        first = np.where(self.costs == cheapest[:, None], self.values, -np.inf).argmax(axis=1)
        rows = np.arange(len(first))
        free = (self.costs[rows, first] == 0) & (self.values[rows, first] > 0)
        return np.where(forced | free, first, -1)

    def choose(self, price: float) -> Index:
        """Best option of each menu on its envelope, the base where nothing gains. O(edges)."""
        chosen = self.base.copy()
        taken = self.steps.price > price
        # Edges are stored in the order in which each query climbs them: the last one written wins.
        chosen[self.steps.owner[taken]] = self.steps.option[taken]
        return chosen

    def cost_of(self, chosen: Index) -> Array:
        """Whole tokens of the chosen options, 0 for none."""
        return np.where(chosen >= 0, self.costs[np.arange(len(self)), chosen], 0.0)

    def value_of(self, chosen: Index) -> Array:
        """Value of the chosen options, 0 for none."""
        return np.where(chosen >= 0, self.values[np.arange(len(self)), chosen], 0.0)

    def given_order(self, chosen: Index) -> Index:
        """What the chosen options buy, as indices into the lists that the caller passed; -1 for none."""
        rows = np.arange(len(self))
        return np.where(chosen >= 0, self.menu.order[rows, self.buys[rows, chosen]], -1)

    def keeps(self, choice: Index, tokens: Array) -> bool:
        """Whether every choice, in the caller's indices, is an option covered by the tokens and the best of those."""
        rows, found = np.arange(len(self)), self.menu.order == choice[:, None]
        place = found.argmax(axis=1)
        there = found.any(axis=1) & np.isfinite(self.menu.sorted_costs[rows, place])
        worth = np.where(there, self.menu.sorted_values[rows, place], 0.0)
        covered = ~there | (self.menu.sorted_costs[rows, place] <= tokens)
        return bool((covered & (there == (choice >= 0)) & (worth == self.menu.utility(tokens))).all())


class Market:
    """All queries of one call under one budget: a smooth side and a menu side.

    floor, cap : shape (n,), whole tokens as float64; cap may be inf.
    """

    def __init__(self, curves: Curves, floor: Array, cap: Array):
        self.curves, self.floor, self.cap = curves, floor, cap
        smooth, menus, self.smooth_rows, self.menu_rows = _sides(curves)
        self.smooth = SmoothSide(smooth, floor[self.smooth_rows], cap[self.smooth_rows])
        try:
            self.menus = MenuSide(menus, floor[self.menu_rows], cap[self.menu_rows])
        except InvalidArgument as error:
            row = None if error.row is None else int(self.menu_rows[error.row])
            raise InvalidArgument(error.argument, error.value, error.allowed, error.remedy, row) from None

    def __len__(self) -> int:
        return len(self.floor)

    @cached_property
    def least(self) -> Array:
        """What each query costs whatever the price, token: its floor, or the menu option that meets it."""
        least = np.zeros(len(self))
        least[self.smooth_rows], least[self.menu_rows] = self.smooth.floor, self.menus.base_cost
        return least

    @cached_property
    def total_floor(self) -> float:
        """Tokens that the floors cost whatever the price."""
        return float(self.least.sum())

    @cached_property
    def highest_price(self) -> float:
        """Price, value/token, at and above which every query keeps its floor."""
        return float(max(self.smooth.entry_price.max(initial=0.0), self.menus.steps.price.max(initial=0.0)))

    @cached_property
    def jump_prices(self) -> Array:
        """Sorted prices at which total demand may be discontinuous. O(n log n)."""
        return np.sort(np.concatenate([self.smooth.entry_price[self.smooth.jumps], self.menus.steps.price]))

    def total_demand(self, price: float) -> float:
        """Tokens wanted at a price; never rises with it. O(n)."""
        steps = self.menus.steps
        menus = self.menus.base_cost.sum() + steps.cost[steps.price > price].sum()
        return float(self.smooth.demand(price).sum() + menus)

    def demand_above(self, price: float) -> Callable[[float], float]:
        """Total demand as a function; above `price` it asks only those who may leave their floor."""
        if price <= 0.0:
            return self.total_demand
        rows = np.flatnonzero(self.smooth.entry_price > price)
        active, menus = self.smooth.rows(rows), len(self.menus)
        rest = float(self.smooth.floor.sum() - active.floor.sum())

        def demand(asked: float) -> float:
            if asked < price or menus:
                return self.total_demand(asked)
            return rest + float(active.demand(asked).sum())

        return demand

    def dual_bound(self, price: float, budget: float) -> float:
        """Price x budget + the sum of all surpluses: no feasible allocation is worth more. O(n)."""
        steps = self.menus.steps
        surplus = float(self.smooth.best_surplus(price).sum())
        edges = steps.gain - price * steps.cost
        surplus += float((self.menus.base_value - price * self.menus.base_cost).sum() + edges[edges > 0].sum())
        return price * budget + surplus

    def capped(self, most: Array) -> Market:
        """The same market with no cap above `most`, shape (n,)."""
        return Market(self.curves, self.floor, np.minimum(self.cap, most))


def _sides(curves: Curves) -> tuple[Smooth, Menu, Index, Index]:
    """The smooth curves, the menus, and the rows of the column where each stand."""
    none, every = np.empty(0, dtype=np.intp), np.arange(len(curves))
    if isinstance(curves, Menu):
        return ShiftedSurge([], [], []), curves, none, every
    if isinstance(curves, Mixed):
        for menus, rows in curves.pieces:
            if isinstance(menus, Menu):
                rest = np.setdiff1d(every, rows, assume_unique=True)
                return curves[rest], menus, rest, rows
    if isinstance(curves, Smooth):
        return curves, Menu([], []), every, none
    raise InvalidArgument(
        "curves",
        curves,
        "curves of a clear_alloc family",
        "build them with ca.ShiftedSurge or another family",
    )
