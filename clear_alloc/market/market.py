"""Curves with the caps that are feasible and what they are charged: what the price search and the repair see.

Floors, ceilings and levels are respected here, before anything is optimised; rounding them in afterwards would break
the budget or waste it. Every quantity is an array with one entry per query (smooth curves) or per option (menus).
A "charge" is in budget units: tokens, or money where tokens have different prices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from clear_alloc.curves import Array, Charged, Curves, LognormalArrival, Menu, Mixed, Smooth
from clear_alloc.errors import InvalidArgument
from clear_alloc.market.feasible import FeasibleCaps, read_limits
from clear_alloc.market.option_table import MenuDemand, Options, options_of_levels, options_of_menus
from clear_alloc.market.smooth_demand import Bool, Index, SmoothDemand
from clear_alloc.market.tariff import Tariff
from clear_alloc.support.parallel import cached_property

__all__ = ["Bool", "Index", "Market", "MenuDemand", "SmoothDemand"]


class Market:
    """All queries of one call under one budget: a smooth side and a menu side.

    Queries whose caps are listed one by one stand on the menu side, whatever their curve.
    """

    def __init__(self, curves: Curves, limits: FeasibleCaps, tariff: Tariff):
        self.curves, self.limits, self.tariff = curves, limits, tariff
        self._own_rows: Index | None = None
        if isinstance(curves, Smooth) and not isinstance(curves, Mixed) and not len(limits.listed):
            self._one_sided(curves)
        else:
            self._two_sided(curves)

    def _one_sided(self, curves: Smooth) -> None:
        """Smooth curves alone, whose rows are the caller's."""
        self._listed, self.menu_rows = 0, _NOBODY
        rate, call = (None if column is None else column[:, 0] for column in (self.tariff.rate, self.tariff.call))
        charged = Charged(curves, self.tariff.accounting, rate, call)
        self.smooth = SmoothDemand(charged, self.limits.floor, self.limits.low, self.limits.high)
        self.menus = _no_menus()

    def _two_sided(self, curves: Curves) -> None:
        limits, tariff = self.limits, self.tariff
        smooth, menus, smooth_rows, own_rows = _sides(curves)
        listed = np.isin(smooth_rows, limits.listed, assume_unique=True)
        own_smooth, listed_rows = smooth_rows[~listed], smooth_rows[listed]
        self._own_rows = own_smooth
        self.menu_rows = np.concatenate([own_rows, listed_rows])
        self._listed = len(listed_rows)
        rate, call = (None if column is None else column[own_smooth, 0] for column in (tariff.rate, tariff.call))
        free = smooth if not len(listed_rows) else smooth[np.flatnonzero(~listed)]
        own = limits.take(own_smooth)
        self.smooth = SmoothDemand(Charged(free, tariff.accounting, rate, call), own.floor, own.low, own.high)
        options = options_of_menus(menus, limits.take(own_rows), tariff, own_rows)
        if len(listed_rows):
            points = smooth[np.flatnonzero(listed)]
            options = Options.concatenate(
                [options, options_of_levels(points, limits.take(listed_rows), tariff.take(listed_rows))]
            )
        try:
            self.menus = MenuDemand(options)
        except InvalidArgument as error:
            row = None if error.row is None else int(self.menu_rows[error.row])
            raise InvalidArgument(error.argument, error.value, error.allowed, error.remedy, row) from None

    @cached_property
    def smooth_rows(self) -> Index:
        """Rows, in the caller's order, of the smooth side."""
        return np.arange(len(self)) if self._own_rows is None else self._own_rows

    def gather_smooth(self, column: Any) -> Any:
        """A column in the caller's order, at the smooth side's rows."""
        return column[self.smooth_rows] if len(self.menu_rows) else column

    def scatter(self, smooth: Any, menus: Any) -> Any:
        """One column in the caller's order out of the two sides'."""
        if not len(self.menu_rows):
            return smooth
        column = np.empty(len(self), dtype=smooth.dtype)
        column[self.smooth_rows], column[self.menu_rows] = smooth, menus
        return column

    def __len__(self) -> int:
        return len(self.curves)

    @property
    def has_menus(self) -> bool:
        """Whether the caller passed any menus; listed levels of other curves don't count."""
        return isinstance(self.curves, Menu) or (
            isinstance(self.curves, Mixed) and any(isinstance(curves, Menu) for curves, _ in self.curves.pieces)
        )

    @property
    def own_menu_rows(self) -> Index:
        """Rows of the caller's menus; other rows of the menu side are listed levels."""
        return self.menu_rows[: len(self.menu_rows) - self._listed]

    @property
    def menu_floors(self) -> Array:
        """Tokens that each menu's base grants, 0 for other queries."""
        tokens = np.zeros(len(self))
        tokens[self.menu_rows] = self.menus.tokens_of(self.menus.base)
        return tokens

    @property
    def entry_prices(self) -> Array:
        """Price (value per budget unit) below which each query leaves its floor; 0 where nothing gains."""
        steps, menus = self.menus.steps, np.zeros(len(self.menus))
        np.maximum.at(menus, steps.owner, steps.price)
        prices: Array = self.scatter(self.smooth.entry_price, menus)
        return prices

    @property
    def cheapest_useful(self) -> Array:
        """Charge of the smallest cap that a price would ever choose above the floor; inf where there is none."""
        gains = self.menus.values > self.menus.base_value[:, None]
        menus = np.where(gains, self.menus.costs, np.inf).min(axis=1, initial=np.inf)
        charges: Array = self.scatter(self.smooth.charge(self.smooth.start), menus)
        return charges

    def take(self, rows: Index) -> Market:
        """The market of some of the queries."""
        return Market(self.curves[rows], self.limits.take(rows), self.tariff.take(rows))

    @cached_property
    def least(self) -> Array:
        """What each query is charged whatever the price: its floor, or the menu option that meets it."""
        least: Array = self.scatter(self.smooth.floor_charge, self.menus.base_charge)
        return least

    @cached_property
    def total_floor(self) -> float:
        """Budget units that the floors cost whatever the price."""
        return float(self.least.sum())

    @cached_property
    def highest_price(self) -> float:
        """Price at and above which every query keeps its floor."""
        return float(max(self.smooth.entry_price.max(initial=0.0), self.menus.steps.price.max(initial=0.0)))

    @cached_property
    def breakpoint_prices(self) -> Array:
        """Sorted prices at which total demand may be discontinuous. O(n log n)."""
        return np.sort(np.concatenate([self.smooth.entry_price[self.smooth.breakpoints], self.menus.steps.price]))

    def total_demand(self, price: float) -> float:
        """Budget units wanted at a price; never rises with it. O(n)."""
        smooth = self.smooth.charge(self.smooth.demand(price)).sum()
        if not len(self.menus):
            return float(smooth)
        steps = self.menus.steps
        return float(smooth + (self.menus.base_charge.sum() + steps.cost[steps.price > price].sum()))

    def demand_above(self, price: float) -> Callable[[float], float]:
        """Total demand as a function; above `price` it asks only those who may leave their floor."""
        if price <= 0.0:
            return self.total_demand
        rows = np.flatnonzero(self.smooth.entry_price > price)
        active, menus = self.smooth.rows(rows), len(self.menus)
        rest = float(self.smooth.floor_charge.sum() - active.floor_charge.sum())

        def demand(asked: float) -> float:
            if asked < price or menus:
                return self.total_demand(asked)
            return rest + float(active.charge(active.demand(asked)).sum())

        return demand

    def demands(self, price: float) -> Array:
        """Budget units that each query wants at a price, shape (n,). O(n)."""
        steps, menus = self.menus.steps, self.menus
        taken = steps.price > price
        extra = np.bincount(steps.owner[taken], steps.cost[taken], minlength=len(menus))
        smooth = self.smooth.charge(self.smooth.demand(price))
        wanted: Array = self.scatter(smooth, menus.base_charge + extra)
        return wanted

    def surpluses(self, prices: Array) -> Array:
        """Highest utility - price x charge of each query at its own price, shape (n,). O(n)."""
        steps, menus = self.menus.steps, self.menus
        own = prices[self.menu_rows]
        edges = np.maximum(steps.gain - own[steps.owner] * steps.cost, 0.0)
        climbed = np.bincount(steps.owner, edges, minlength=len(menus))
        smooth = self.smooth.best_surplus(self.gather_smooth(prices))
        best: Array = self.scatter(smooth, menus.base_value - own * menus.base_charge + climbed)
        return best

    def surplus(self, price: float) -> float:
        """Sum over queries of the highest utility - price x charge. O(n)."""
        smooth = self.smooth.best_surplus(price).sum()
        if not len(self.menus):
            return float(smooth)
        steps, menus = self.menus.steps, self.menus
        edges = steps.gain - price * steps.cost
        of_menus = (menus.base_value - price * menus.base_charge).sum() + edges[edges > 0].sum()
        return float(smooth + of_menus)

    def dual_bound(self, price: float, budget: float) -> float:
        """Price x budget + the sum of all surpluses: no feasible allocation is worth more. O(n)."""
        return price * budget + self.surplus(price)

    def without_unaffordable(self, free: float) -> Market:
        """The same market without what would cost more than `free` budget units above the floors."""
        new = object.__new__(Market)
        new.__dict__.update({k: v for k, v in self.__dict__.items() if k not in _DERIVED})
        side = self.smooth
        dear = np.flatnonzero(side.charge(side.last_whole) - side.floor_charge > free)
        high, some = side.high.copy(), side.rows(dear)
        high[dear] = some.cap_within(some.floor_charge + free)
        # Nothing above the floor can be paid where the smallest allowed cap can't.
        low = np.where(high < side.low, side.floor, side.low)
        new.smooth = SmoothDemand(side.charged, side.floor, low, high)
        new.menus = self.menus.without_unaffordable(free)
        return new


_NOBODY: Index = np.empty(0, dtype=np.intp)
_DERIVED = ("least", "total_floor", "highest_price", "breakpoint_prices")


@cache
def _no_menus() -> MenuDemand:
    """The menu side of smooth curves alone."""
    empty = read_limits(0)
    return MenuDemand(options_of_menus(Menu([], []), empty, Tariff(), _NOBODY))


def _sides(curves: Curves) -> tuple[Smooth, Menu, Index, Index]:
    """The smooth curves, the menus, and the rows of the column where each stand."""
    none, every = np.empty(0, dtype=np.intp), np.arange(len(curves))
    if isinstance(curves, Menu):
        return LognormalArrival([], [], []), curves, none, every  # of the smooth families, one that knows all costs
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
