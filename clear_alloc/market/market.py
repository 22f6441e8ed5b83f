"""Curves with the caps that are feasible and what they are charged: what the price search and the repair see.

Floors, ceilings and levels are respected here, before anything is optimised; rounding them in afterwards would break
the budget or waste it. A "charge" is in budget units: tokens, or money where tokens have different prices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clear_alloc.columns.constant import any_nonzero
from clear_alloc.curves import Array, Charged, Curves, Menu, Mixed, Smooth
from clear_alloc.errors import InvalidArgument
from clear_alloc.market.demand import Demand
from clear_alloc.market.feasible import FeasibleCaps
from clear_alloc.market.menu_demand import MenuDemand
from clear_alloc.market.option_table import OptionTable, options_of_levels, options_of_menus
from clear_alloc.market.smooth_demand import SmoothDemand
from clear_alloc.market.tariff import Tariff
from clear_alloc.support.parallel import cached_property
from clear_alloc.support.types import Bool, Column, Index

__all__ = ["Market"]

_NOBODY: Index = np.empty(0, dtype=np.intp)


class Market:
    """All queries of one call under one budget: a demand of smooth curves, one of finite choices, or both.

    demands : those that have queries. rows : of each demand, its queries' rows in the caller's order.
    Queries whose caps are listed one by one are finite choices, whatever their curve.
    """

    def __init__(self, curves: Curves, caps: FeasibleCaps, tariff: Tariff):
        self.curves, self.caps, self.tariff = curves, caps, tariff
        # Whether a cap is charged as it is.
        self.plain = tariff.accounting == "reserved" and tariff.rate is None and tariff.call is None
        smooth, menus, smooth_rows, menu_rows = _by_kind(curves)
        listed = np.isin(smooth_rows, caps.listed, assume_unique=True) if len(caps.listed) else None
        self.menu_rows = menu_rows  # of the caller's own menus; other finite choices are listed levels
        pairs: list[tuple[Demand, Index]] = []
        if smooth is not None and listed is None:
            pairs.append((self._smooth(smooth, smooth_rows), smooth_rows))
        elif smooth is not None and listed is not None and not listed.all():
            pairs.append((self._smooth(smooth[~listed], smooth_rows[~listed]), smooth_rows[~listed]))
        pairs += self._finite(smooth, menus, smooth_rows[:0] if listed is None else smooth_rows[listed], listed)
        self.demands = tuple(demand for demand, _ in pairs)
        self.rows = tuple(rows for _, rows in pairs)
        # Menus and listed levels of other curves stand one after the other, whatever the caller's order.
        self._in_order = len(pairs) == 1 and (listed is None or menus is None)

    def _finite(
        self, smooth: Smooth | None, menus: Menu | None, listed_rows: Index, listed: Bool | None
    ) -> list[tuple[Demand, Index]]:
        """The caller's menus, then the curves whose caps are listed, as one demand."""
        tables = []
        if menus is not None:
            tables.append(self._menu_options(menus))
        if smooth is not None and len(listed_rows):
            caps, tariff = self.caps.take(listed_rows), self.tariff.take(listed_rows)
            tables.append(options_of_levels(smooth[listed], caps, tariff))
        rows = np.concatenate([self.menu_rows, listed_rows])
        return [(_of_options(OptionTable.concatenate(tables), rows), rows)] if tables else []

    def _menu_options(self, menus: Menu) -> OptionTable:
        return options_of_menus(menus, self.caps.take(self.menu_rows), self.tariff, self.menu_rows, self.plain)

    def _smooth(self, curves: Smooth, rows: Index) -> SmoothDemand:
        every = len(rows) == len(self)
        caps = self.caps if every else self.caps.take(rows)
        rate, call = (
            None if column is None else column[:, 0] if every else column[rows, 0]
            for column in (self.tariff.rate, self.tariff.call)
        )
        charged = Charged(curves, self.tariff.accounting, rate, call)
        return SmoothDemand(charged, caps.floor, caps.low, caps.high)

    def __len__(self) -> int:
        return len(self.curves)

    @cached_property
    def divisible(self) -> SmoothDemand | None:
        """The demand whose caps are filled like water, if there is one."""
        return next((demand for demand in self.demands if isinstance(demand, SmoothDemand)), None)

    @cached_property
    def finite(self) -> MenuDemand | None:
        """The demand of finite choices, if there is one."""
        return next((demand for demand in self.demands if isinstance(demand, MenuDemand)), None)

    def gather(self, column: Any, demand: int) -> Any:
        """A column in the caller's order, at the rows of one demand."""
        return column if self._in_order else column[self.rows[demand]]

    def scatter(self, columns: Sequence[Any]) -> Any:
        """One column in the caller's order out of one per demand."""
        if self._in_order:
            return columns[0]
        column = np.empty(len(self), dtype=columns[0].dtype if len(columns) else np.float64)
        for rows, values in zip(self.rows, columns, strict=True):
            column[rows] = values
        return column

    def each(self, act: Callable[[Demand], Any]) -> Any:
        """What `act` gives of each demand, as one column in the caller's order."""
        return self.scatter([act(demand) for demand in self.demands])

    def decided(self, act: Callable[[Demand, Column], Any], decisions: Sequence[Column]) -> Any:
        """What `act` gives of each demand and its decisions, as one column in the caller's order."""
        return self.scatter([act(demand, column) for demand, column in zip(self.demands, decisions, strict=True)])

    @property
    def has_menus(self) -> bool:
        """Whether the caller passed any menus; listed levels of other curves don't count."""
        return isinstance(self.curves, Menu) or bool(len(self.menu_rows))

    @property
    def default_tokens(self) -> Array:
        """Tokens that each query is granted whatever the price."""
        tokens: Array = self.each(lambda demand: demand.tokens(demand.default()))
        return tokens

    @property
    def entry_prices(self) -> Array:
        """Price (value per budget unit) below which each query leaves its floor; 0 where nothing gains."""
        prices: Array = self.each(lambda demand: demand.entry_price)
        return prices

    @property
    def cheapest_useful(self) -> Array:
        """Charge of the smallest cap that a price would ever choose above the floor; inf where there is none."""
        charges: Array = self.each(lambda demand: demand.cheapest_useful)
        return charges

    @cached_property
    def least(self) -> Array:
        """What each query is charged whatever the price: its floor, or the menu option that meets it."""
        least: Array = self.each(lambda demand: demand.default_charge)
        return least

    @cached_property
    def total_floor(self) -> float:
        """Budget units that the floors cost whatever the price."""
        return float(self.least.sum())

    @cached_property
    def least_step(self) -> float:
        """Budget units that one more token costs at most: what whole caps may leave."""
        if self.divisible is None:
            return 0.0
        rate = self.divisible.charged.rate
        return 1.0 if rate is None else float(rate.min(initial=np.inf))

    @cached_property
    def highest_price(self) -> float:
        """Price at and above which every query keeps its floor."""
        return max((float(demand.entry_price.max(initial=0.0)) for demand in self.demands), default=0.0)

    @cached_property
    def breakpoint_prices(self) -> Array:
        """Sorted prices at which total demand may be discontinuous. O(n log n)."""
        return np.sort(np.concatenate([demand.breakpoint_prices for demand in self.demands]))

    def total_demand(self, price: float) -> float:
        """Budget units wanted at a price; never rises with it. O(n)."""
        return sum(demand.total_at(price) for demand in self.demands)

    def demand_above(self, price: float) -> Callable[[float], float]:
        """Total demand as a function; above `price` it asks only queries that may leave their floor."""
        side = self.divisible
        # Beside floors, a sum in another order could differ in its last bit, and so the price.
        if price <= 0.0 or side is None or len(self.demands) > 1 or any_nonzero(side.floor_charge):
            return self.total_demand
        active = side.take(np.flatnonzero(side.entry_price > price))
        return lambda asked: self.total_demand(asked) if asked < price else active.total_at(asked)

    def demand_of_each(self, price: float) -> Array:
        """Budget units that each query wants at a price, shape (n,). O(n)."""
        charges: Array = self.each(lambda demand: demand.charge_at(price))
        return charges

    def surpluses(self, prices: Array) -> Array:
        """Highest utility - price x charge of each query at its own price, shape (n,). O(n)."""
        best: Array = self.scatter([demand.surplus(self.gather(prices, k)) for k, demand in enumerate(self.demands)])
        return best

    def surplus(self, price: float) -> float:
        """Sum over queries of the highest utility - price x charge. O(n)."""
        return sum(demand.total_surplus(price) for demand in self.demands)

    def dual_bound(self, price: float, budget: float) -> float:
        """Price x budget + the sum of all surpluses: no feasible allocation is worth more. O(n)."""
        return price * budget + self.surplus(price)

    def take(self, rows: Index) -> Market:
        """The market of some of the queries."""
        return Market(self.curves[rows], self.caps.take(rows), self.tariff.take(rows))

    def without_unaffordable(self, free: float) -> Market:
        """A market without what would cost more than `free` budget units above the floors."""
        new = object.__new__(Market)
        new.__dict__.update({k: v for k, v in self.__dict__.items() if k not in _DERIVED})
        new.demands = tuple(demand.without_unaffordable(free) for demand in self.demands)
        return new


_DERIVED = ("least", "total_floor", "highest_price", "breakpoint_prices", "divisible", "finite")


def _of_options(table: OptionTable, rows: Index) -> MenuDemand:
    try:
        return MenuDemand(table)
    except InvalidArgument as error:
        row = None if error.row is None else int(rows[error.row])
        raise InvalidArgument(error.argument, error.value, error.allowed, error.remedy, row) from None


def _by_kind(curves: Curves) -> tuple[Smooth | None, Menu | None, Index, Index]:
    """The smooth curves and the menus, None where there are none, and the rows where each stand."""
    every = np.arange(len(curves))
    if isinstance(curves, (Menu, Smooth)) and not len(curves):
        return None, None, every, every
    if isinstance(curves, Menu):
        return None, curves, _NOBODY, every
    if isinstance(curves, Mixed):
        for piece, rows in curves.pieces:
            if isinstance(piece, Menu):
                rest = np.setdiff1d(every, rows, assume_unique=True)
                return (curves[rest] if len(rest) else None), piece, rest, rows
    if isinstance(curves, Smooth):
        return curves, None, every, _NOBODY
    raise InvalidArgument(
        "curves",
        curves,
        "curves of a clear_alloc family",
        "build them with ca.ShiftedSurge or another family",
    )
