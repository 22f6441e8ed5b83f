"""Curves with the caps that are feasible and what they are charged: what the price search and the repair see.

Floors, ceilings and levels are respected here, before anything is optimised; rounding them in afterwards would break
the budget or waste it. Every quantity is an array with one entry per query (smooth curves) or per option (menus).
A "charge" is in budget units: tokens, or money where tokens have different prices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array, Charged, Curves, LognormalArrival, Menu, Mixed, Smooth, steepest_chord
from clear_alloc.errors import InvalidArgument
from clear_alloc.limits import Limits
from clear_alloc.options import MenuSide, Options, options_of_levels, options_of_menus
from clear_alloc.tariff import Tariff

__all__ = ["Bool", "Index", "Market", "MenuSide", "SmoothSide"]

Bool = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]


class SmoothSide:
    """Flat-convex-concave curves, each on {floor} or [start, stop].

    floor : token, what the query gets in any case. low : the smallest cap above it that is allowed.
    start : where its concave branch begins, at least `low`. stop : token, its largest useful cap.
    entry_price : value per budget unit, the price below which it leaves its floor.
    """

    def __init__(self, charged: Charged, limits: Limits):
        curves, self.floor, self.low = charged.curves, limits.floor, limits.low
        self.charged, self.curves = charged, curves
        least = np.maximum(self.floor, self.low)
        self.stop = np.maximum(np.minimum(curves.ceiling, limits.high), least)
        self.last_whole = np.maximum(np.minimum(np.ceil(curves.ceiling), limits.high), least)
        self.start = np.clip(charged.curves.branch_start(charged.accounting), least, self.stop)
        self.floor_value = curves.utility(self.floor) if self.floor.any() else np.zeros(len(self.floor))
        self.floor_charge = charged.charge(self.floor)
        self.entry_price = self._entry_prices()

    def __len__(self) -> int:
        return len(self.floor)

    def _entry_prices(self) -> Array:
        """Steepest slope from (charge(floor), U(floor)) to a feasible cap."""
        if not self.charged.plain:
            return steepest_chord(self.charged, self.floor, self.floor_value, self.start, self.stop)[0]
        prices = self.curves.reservation_price()
        # The closed form holds for free queries whose break-even cap is allowed; the others are few.
        usual = self.curves.break_even
        other = np.flatnonzero((self.floor > 0) | (usual > self.stop) | (usual < self.low))
        if len(other):
            prices = prices.copy()
            origin, value = self.floor[other], self.floor_value[other]
            some = self.charged.rows(other)
            prices[other], _ = steepest_chord(some, origin, value, self.start[other], self.stop[other])
        return prices

    @cached_property
    def jumps(self) -> Bool:
        """Queries whose demand is discontinuous: they leave the floor for a distant cap or not at all."""
        distant = (self.start > self.floor) | self.charged.starts_with_a_call(self.floor)
        return distant & (self.entry_price > 0)

    def charge(self, caps: Array) -> Array:
        """Budget units charged for caps (token). O(n)."""
        return self.charged.charge(caps)

    def wanted(self, price: float | Array) -> Array:
        """Best cap on [start, stop]; prices of shape (k, 1) give caps of shape (k, n). O(n)."""
        return np.clip(self.charged.on_branch(price), self.start, self.stop)

    def demand(self, price: float) -> Array:
        """Best cap on {floor} and [start, stop]; the floor where nothing gains. O(n)."""
        return np.where(price < self.entry_price, self.wanted(price), self.floor)

    def whole_demand(self, price: float | Array) -> Array:
        """Best whole feasible cap; the floor where nothing gains. O(n)."""
        return self._best_whole(price)[0]

    def best_surplus(self, price: float | Array) -> Array:
        """Highest utility - price x charge over the whole caps that are feasible. O(n)."""
        return self._best_whole(price)[1]

    def _best_whole(self, price: float | Array) -> tuple[Array, Array]:
        # On the concave branch the best whole cap is beside the best real one; before it, surplus is convex and so
        # highest at an end: the floor, or the last whole cap before the branch, which is beside `wanted` again.
        wanted = self.wanted(price)
        best, surplus = self.floor, self.floor_value - price * self.floor_charge
        for cap in (np.maximum(np.floor(wanted), self.least), np.minimum(np.ceil(wanted), self.last_whole)):
            own = self.curves.utility(cap) - price * self.charge(cap)
            best, surplus = np.where(own > surplus, cap, best), np.maximum(own, surplus)
        return best, surplus

    @cached_property
    def least(self) -> Array:
        """The smallest cap of a query that is funded, token."""
        return np.maximum(self.floor, self.low)

    def cap_within(self, charge: Array) -> Array:
        """The largest feasible whole cap charged no more than `charge`, the floor if none is. O(n)."""
        caps = self.charged.cap_within(charge, self.last_whole)
        return np.where(caps < self.least, self.floor, caps)

    def rows(self, rows: Index) -> SmoothSide:
        """The same for some of the queries."""
        new = object.__new__(SmoothSide)
        new.charged = self.charged.rows(rows)
        new.curves = new.charged.curves
        for name in ("floor", "low", "stop", "last_whole", "start", "floor_value", "floor_charge", "entry_price"):
            setattr(new, name, getattr(self, name)[rows])
        return new


class Market:
    """All queries of one call under one budget: a smooth side and a menu side.

    Queries whose caps are listed one by one stand on the menu side, whatever their curve.
    """

    def __init__(self, curves: Curves, limits: Limits, tariff: Tariff):
        self.curves, self.limits, self.tariff = curves, limits, tariff
        smooth, menus, smooth_rows, own_rows = _sides(curves)
        listed = np.isin(smooth_rows, limits.listed, assume_unique=True)
        self.smooth_rows, listed_rows = smooth_rows[~listed], smooth_rows[listed]
        self.menu_rows = np.concatenate([own_rows, listed_rows])
        self._listed = len(listed_rows)
        rate, call = (
            None if column is None else column[self.smooth_rows, 0] for column in (tariff.rate, tariff.call)
        )
        free = smooth if not len(listed_rows) else smooth[np.flatnonzero(~listed)]
        self.smooth = SmoothSide(Charged(free, tariff.accounting, rate, call), limits.take(self.smooth_rows))
        options = options_of_menus(menus, limits.take(own_rows), tariff, own_rows)
        if len(listed_rows):
            points = smooth[np.flatnonzero(listed)]
            options = Options.joined(
                [options, options_of_levels(points, limits.take(listed_rows), tariff.take(listed_rows))]
            )
        try:
            self.menus = MenuSide(options)
        except InvalidArgument as error:
            row = None if error.row is None else int(self.menu_rows[error.row])
            raise InvalidArgument(error.argument, error.value, error.allowed, error.remedy, row) from None

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
        prices = np.zeros(len(self))
        prices[self.smooth_rows] = self.smooth.entry_price
        steps = self.menus.steps
        np.maximum.at(prices, self.menu_rows[steps.owner], steps.price)
        return prices

    @property
    def cheapest_useful(self) -> Array:
        """Charge of the smallest cap that a price would ever choose above the floor; inf where there is none."""
        charges = np.empty(len(self))
        charges[self.smooth_rows] = self.smooth.charge(self.smooth.start)
        gains = self.menus.values > self.menus.base_value[:, None]
        charges[self.menu_rows] = np.where(gains, self.menus.costs, np.inf).min(axis=1, initial=np.inf)
        return charges

    def take(self, rows: Index) -> Market:
        """The market of some of the queries."""
        return Market(self.curves[rows], self.limits.take(rows), self.tariff.take(rows))

    @cached_property
    def least(self) -> Array:
        """What each query is charged whatever the price: its floor, or the menu option that meets it."""
        least = np.zeros(len(self))
        least[self.smooth_rows], least[self.menu_rows] = self.smooth.floor_charge, self.menus.base_charge
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
    def jump_prices(self) -> Array:
        """Sorted prices at which total demand may be discontinuous. O(n log n)."""
        return np.sort(np.concatenate([self.smooth.entry_price[self.smooth.jumps], self.menus.steps.price]))

    def total_demand(self, price: float) -> float:
        """Budget units wanted at a price; never rises with it. O(n)."""
        steps = self.menus.steps
        menus = self.menus.base_charge.sum() + steps.cost[steps.price > price].sum()
        return float(self.smooth.charge(self.smooth.demand(price)).sum() + menus)

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
        wanted = np.empty(len(self))
        wanted[self.smooth_rows] = self.smooth.charge(self.smooth.demand(price))
        extra = np.bincount(steps.owner[taken], steps.cost[taken], minlength=len(menus))
        wanted[self.menu_rows] = menus.base_charge + extra
        return wanted

    def surpluses(self, prices: Array) -> Array:
        """Highest utility - price x charge of each query at its own price, shape (n,). O(n)."""
        steps, menus = self.menus.steps, self.menus
        best = np.empty(len(self))
        best[self.smooth_rows] = self.smooth.best_surplus(prices[self.smooth_rows])
        own = prices[self.menu_rows]
        edges = np.maximum(steps.gain - own[steps.owner] * steps.cost, 0.0)
        climbed = np.bincount(steps.owner, edges, minlength=len(menus))
        best[self.menu_rows] = menus.base_value - own * menus.base_charge + climbed
        return best

    def surplus(self, price: float) -> float:
        """Sum over queries of the highest utility - price x charge. O(n)."""
        steps, menus = self.menus.steps, self.menus
        edges = steps.gain - price * steps.cost
        of_menus = (menus.base_value - price * menus.base_charge).sum() + edges[edges > 0].sum()
        return float(self.smooth.best_surplus(price).sum() + of_menus)

    def dual_bound(self, price: float, budget: float) -> float:
        """Price x budget + the sum of all surpluses: no feasible allocation is worth more. O(n)."""
        return price * budget + self.surplus(price)

    def within_means(self, free: float) -> Market:
        """The same market without what would cost more than `free` budget units above the floors."""
        new = object.__new__(Market)
        new.__dict__.update({k: v for k, v in self.__dict__.items() if k not in _DERIVED})
        side = self.smooth
        dear = np.flatnonzero(side.charge(side.last_whole) - side.floor_charge > free)
        high = self.limits.high[self.smooth_rows].copy()
        some = side.rows(dear)
        high[dear] = some.cap_within(some.floor_charge + free)
        limits = self.limits.take(self.smooth_rows)
        # Nothing above the floor can be paid where the smallest allowed cap can't.
        low = np.where(high < limits.low, side.floor, limits.low)
        new.smooth = SmoothSide(side.charged, limits._replace(high=high, low=low))
        new.menus = self.menus.within_means(free)
        return new


_DERIVED = ("least", "total_floor", "highest_price", "jump_prices")


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
