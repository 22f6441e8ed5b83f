"""Demand of smooth curves: the caps that are feasible, what they are charged, and what a price makes of them.

Every quantity is an array (n,), one entry per query. A "charge" is in budget units: tokens, or money where tokens
have different prices. A decision is a cap; its level is whether the query leaves its floor.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clear_alloc.columns.constant import (
    any_nonzero,
    broadcast_column,
    exact_total,
    is_repeated,
    of_repeated,
    take_columns,
)
from clear_alloc.curves import MAX_TOKENS, Array, Charged, Rows, steepest_chord
from clear_alloc.errors import TooLarge
from clear_alloc.market.demand import MOST_STATES, Breakpoints, ChoiceClass, Choices, Demand, Raise, undominated
from clear_alloc.support.parallel import BLOCK, cached_property, each_block
from clear_alloc.support.types import Bool, Column, Index

__all__ = ["SmoothDemand"]

_EXACT_SUMS = 1_024  # queries
_MOST_CLASSES = 512  # curves; of more, what a better combination adds is not worth the search
_MOST_CAPS = 1 << 17  # of all curves, tried one by one
_MOST_OPTIONS = 96  # of a curve that may matter, where lists may be long
_MOST_WORK = 3e7  # pairs of states and options of smooth curves
_MOST_PLAIN_WORK = 2e8  # the same where charges are whole and a table serves
_USE_ALLOCATE = "use ca.allocate, whose gap bounds its distance to the optimum"
_SKIP_OR_FUND: Index = np.array([0, 1])


class SmoothDemand(Demand):
    """Flat-convex-concave curves, each on {floor} or [start, stop].

    floor : token, what the query gets in any case. low, high : a funded query's cap lies between them.
    What follows from these is computed when it is asked for, so that a part of many queries costs little.
    """

    divisible = True

    def __init__(self, charged: Charged, floor: Array, low: Array, high: Array):
        self.charged, self.curves = charged, charged.curves
        self.plain = charged.accounting == "reserved" and charged.rate is None and charged.call is None
        self.floor, self.low, self.high = floor, low, high

    def __len__(self) -> int:
        return len(self.floor)

    @cached_property
    def least(self) -> Array:
        """The smallest cap of a query that is funded, token."""
        return of_repeated(np.maximum, self.floor, self.low)

    @cached_property
    def stop(self) -> Array:
        """The largest useful cap, token."""
        return self._within_limits(self.curves.ceiling)

    @cached_property
    def last_whole(self) -> Array:
        """The largest useful whole cap, token."""
        return self._within_limits(np.ceil(self.curves.ceiling))

    def _within_limits(self, caps: Array) -> Array:
        """Caps of at most MAX_TOKENS as the limits allow them."""
        return caps if self._unlimited else np.maximum(np.minimum(caps, self.high), self.least)

    @cached_property
    def _unlimited(self) -> bool:
        """Whether every cap is allowed, seen without a look at every query."""
        most, least = self.high, self.least
        return is_repeated(most) and most[0] >= MAX_TOKENS and is_repeated(least) and not least[0]

    @cached_property
    def start(self) -> Array:
        """Where the concave branch begins, at least `least`, token."""
        start = self.curves.concave_from if self.plain else self.curves.branch_start(self.charged.accounting)
        return start if self._unlimited else np.clip(start, self.least, self.stop)

    @cached_property
    def floor_value(self) -> Array:
        """Utility of the floor, value."""
        return (
            self.curves.utility(self.floor) if any_nonzero(self.floor) else broadcast_column(np.zeros(1), len(self))
        )

    @cached_property
    def floor_charge(self) -> Array:
        """Budget units that the floor is charged."""
        return self.floor if self.plain else self.charged.charge(self.floor)

    @cached_property
    def entry_price(self) -> Array:
        """Value per budget unit: the price below which a query leaves its floor. O(n)."""
        if len(self) <= BLOCK:
            return self._entry_prices()
        prices = np.empty(len(self))

        def fill(block: slice) -> None:
            prices[block] = self.take(block).entry_price

        each_block(fill, len(self))
        return prices

    def _entry_prices(self) -> Array:
        """Steepest slope from (charge(floor), U(floor)) to a feasible cap."""
        if not self.plain:
            likely = None if any_nonzero(self.floor) else self.charged.likely_run()
            return steepest_chord(self.charged, self.floor, self.floor_value, self.start, self.stop, likely)[0]
        prices = self.curves.reservation_price()
        if self._unlimited:
            return prices
        # The closed form holds for free queries whose break-even cap is allowed; the others are few.
        usual = self.curves.break_even
        other = ((self.floor > 0) | (usual > self.stop) | (usual < self.low)).nonzero()[0]
        if len(other):
            prices = prices.copy()
            some = self.take(other)
            prices[other], _ = steepest_chord(some.charged, some.floor, some.floor_value, some.start, some.stop)
        return prices

    @cached_property
    def discontinuous(self) -> Bool:
        """Queries whose demand is discontinuous: they leave the floor for a distant cap or not at all."""
        distant = self.start > self.floor
        if not self.plain:
            distant = distant | self.charged.starts_with_a_call(self.floor)
        return distant & (self.entry_price > 0)

    @property
    def default_charge(self) -> Array:
        """What the floor is charged."""
        return self.floor_charge

    @property
    def default_value(self) -> Array:
        """Utility of the floor, value."""
        return self.floor_value

    def default(self) -> Array:
        """The floors."""
        return self.floor.copy()

    @property
    def breakpoint_prices(self) -> Array:
        """Entry prices of queries whose demand is discontinuous there."""
        return self.entry_price[self.discontinuous]

    def charge(self, decision: Column) -> Array:
        """Budget units charged for caps (token). O(n)."""
        return decision if self.plain else self.charged.charge(decision)

    def value(self, decision: Column) -> Array:
        """Utility of caps, value. O(n)."""
        return self.curves.utility(decision)

    def variance(self, decision: Column) -> Array:
        """Variance of what caps turn out to cost, budget units^2. O(n)."""
        return self.charged.variance(decision)

    def third_moment(self, decision: Column) -> Array:
        """Third central moment of that, budget units^3. O(n)."""
        return self.charged.third_moment(decision)

    def worst(self, decision: Column) -> Array:
        """What caps cost if every completion runs to its cap. O(n)."""
        return self.charged.worst(decision)

    def tokens(self, decision: Column) -> Array:
        """The caps themselves."""
        return decision

    def demand_if_funded(self, price: float | Array) -> Array:
        """Best cap on [start, stop]; prices of shape (k, 1) give caps of shape (k, n). O(n)."""
        if isinstance(price, float) and price == 0.0:
            return self.stop
        branch = self.curves.inverse_marginal(price) if self.plain else self.charged.on_branch(price)
        caps = np.maximum(branch, self.start)
        return np.minimum(caps, self.stop, out=caps)

    def demand(self, price: float) -> Array:
        """Best cap on {floor} and [start, stop]; the floor where nothing gains. O(n)."""
        return np.where(price < self.entry_price, self.demand_if_funded(price), self.floor)

    def best_at(self, price: float | Array) -> Array:
        """Best whole feasible cap; the floor where nothing gains. O(n)."""
        return self._best_whole(price)[0]

    def surplus(self, price: float | Array) -> Array:
        """Highest utility - price x charge over the whole caps that are feasible. O(n)."""
        return self._best_whole(price)[1]

    def total_surplus(self, price: float) -> float:
        """The sum of `surplus`. O(n)."""
        return float(self.surplus(price).sum())

    def _best_whole(self, price: float | Array) -> tuple[Array, Array]:
        # On the concave branch the best whole cap is beside the best real one; before it, surplus is convex and so
        # highest at an end: the floor, or the last whole cap before the branch, which is beside `wanted` again.
        wanted = self.demand_if_funded(price)
        best, surplus = self.floor, self.floor_value - price * self.floor_charge
        for cap in (np.maximum(np.floor(wanted), self.least), np.minimum(np.ceil(wanted), self.last_whole)):
            own = self.curves.utility(cap) - price * self.charge(cap)
            best, surplus = np.where(own > surplus, cap, best), np.maximum(own, surplus)
        return best, surplus

    def totals(self, decision: Column, *quantities: str) -> list[float]:
        """Sums of `charge`, `variance`, `third_moment` or `worst`, each 0 for a cap of 0. O(n), in blocks."""
        if self.plain and quantities == ("charge",):
            return [exact_total(decision)]
        asks = [getattr(Charged, name) for name in quantities]
        sums = self._of_capped(decision, lambda side, caps: [float(ask(side, caps).sum()) for ask in asks])
        return [sum(column) for column in sums]

    def largest_variance(self, decision: Column) -> float:
        """Variance of the most uncertain query. O(n), in blocks."""
        largest = self._of_capped(decision, lambda side, caps: [float(side.variance(caps).max(initial=0.0))])
        return max(largest[0], default=0.0)

    def _of_capped(self, caps: Array, act: Callable[[Charged, Array], list[float]]) -> list[tuple[float, ...]]:
        """What `act` says of each block's queries that have a cap, answer by answer."""
        if len(self) <= BLOCK:
            return [(answer,) for answer in act(self.charged, caps)]

        def of(block: slice) -> list[float]:
            column = caps[block]
            capped = column.nonzero()[0]
            return act(self.charged.take(block).take(capped), column[capped])

        return list(zip(*each_block(of, len(self)), strict=True))

    def is_funded(self, decision: Column, fallback: Array) -> Bool:
        """Queries that get more than their fallback."""
        return decision > fallback

    def charge_at(self, price: float) -> Array:
        """What each query wants to be charged at a price. O(n)."""
        return self.charge(self.demand(price))

    def total_at(self, price: float) -> float:
        """The sum of `charge_at`. O(n)."""
        return float(self.charge_at(price).sum())

    @cached_property
    def convex(self) -> Index:
        """Queries whose curve is worth something before it bends down."""
        return np.flatnonzero((self.start > self.floor) & (self.value(self.start) > self.floor_value))

    def efficiency(self, caps: Array) -> Array:
        """Value of one more budget unit at caps. O(n)."""
        return self.curves.marginal(caps) if self.plain else self.charged.efficiency(caps)

    def charge_if_funded(self, price: float | Array) -> Array:
        """What the funded want to be charged; prices of shape (k, 1) give (k, n). O(n)."""
        return self.charge(self.demand_if_funded(price))

    def levels_at(self, price: float) -> Index:
        """1 for queries that leave their floor at a price, or that may start with any number of tokens. O(n)."""
        # What a query that enters without a jump will get is told by what is left at a lower price.
        return np.where(self.discontinuous, self.entry_price > price, self.entry_price > 0.0).astype(np.intp)

    def levels_of(self, decision: Column) -> Index:
        """1 for caps above the floor."""
        return (decision > self.floor).astype(np.intp)

    def breakpoints_between(self, low: float, high: float) -> Breakpoints:
        """Queries that enter at prices in (low, high], in order of rows. O(n)."""
        query = np.flatnonzero(self.discontinuous & (self.entry_price > low) & (self.entry_price <= high))
        side = self.take(query)
        cost = side.charge_if_funded(low) - side.floor_charge
        return Breakpoints(query, np.ones(len(query), dtype=np.intp), side.entry_price, cost)

    def first_breakpoints(self) -> Breakpoints:
        """Every query from its floor to the cap that it wants just below its entry price."""
        cost = self.charge(self.demand_if_funded(self.entry_price * (1.0 - 1e-9))) - self.floor_charge
        return Breakpoints(np.arange(len(self)), np.ones(len(self), dtype=np.intp), self.entry_price, cost)

    def core_breakpoints(self, levels: Index) -> tuple[Breakpoints, Bool]:
        """All entries, with the charge of the smallest cap on the branch, and which queries are funded. O(n)."""
        query = np.flatnonzero(self.discontinuous)
        side = self.take(query)
        points = Breakpoints(
            query, np.ones(len(query), dtype=np.intp), self.entry_price[query], side.charge(side.start)
        )
        return points, levels[query] > 0

    def least_charge(self, levels: Index) -> Array:
        """The floor's charge, or that of the smallest cap on the branch. O(n)."""
        return np.where(levels > 0, self.charge(self.start), self.floor_charge)

    def level_surplus(self, levels: Index, prices: Array, among: Bool) -> Array:
        """Highest utility - price x charge at fixed levels, (prices,), summed over `among` them. O(n prices)."""
        funded, kept = among & (levels > 0), among & (levels == 0)
        side = self.take(np.flatnonzero(funded))
        resting = self.floor_value[kept].sum() - prices * self.floor_charge[kept].sum()
        row: Array = resting + side.branch_surplus(prices).sum(axis=1)
        return row

    def branch_surplus(self, prices: Array) -> Array:
        """Highest utility - price x charge on the concave branch, (prices, n)."""
        caps = self.demand_if_funded(prices[:, None])
        return self.value(caps) - prices[:, None] * self.charge(caps)

    def choices(self, queries: Index, prices: Array, price: float) -> list[Choices]:  # noqa: ARG002
        """To stay at the floor or to leave it."""
        side = self.take(queries)
        resting = side.floor_value - prices[:, None] * side.floor_charge
        surplus = np.moveaxis(np.stack([resting, side.branch_surplus(prices)]), 2, 0)
        least = np.stack([side.floor_charge, side.charge(side.start)]).T
        return [Choices(_SKIP_OR_FUND, *both) for both in zip(surplus, least, strict=True)]

    def choice_classes(self, weight: Array, charge: Array, gap: float, room: Array) -> list[ChoiceClass]:
        """Every whole cap that falls short of the best by at most `gap`."""
        if len(self) > _MOST_CLASSES:
            raise TooLarge(len(self), _MOST_CLASSES, _USE_ALLOCATE, "smooth curves")
        classes: list[ChoiceClass] = []
        # Where charges aren't whole, lists are sorted, which takes a few times as long.
        states = min(MOST_STATES, float(room.max(initial=0.0))) if self.plain else 3.0 * MOST_STATES
        last = np.maximum(self.cap_within(room), self.least)
        if (caps_open := float((last - self.least).sum())) > _MOST_CAPS:
            raise TooLarge(caps_open, _MOST_CAPS, _USE_ALLOCATE, "caps")
        work, lists, most = 0.0, 1.0, _MOST_PLAIN_WORK if self.plain else _MOST_WORK
        for query in range(len(self)):
            side = self.take(np.array([query]))
            caps = np.union1d(side.floor, np.arange(side.least[0], last[query] + 1.0))
            value, cost = side.value(caps[:, None])[:, 0], side.charge(caps[:, None])[:, 0]
            classes.append(undominated(query, caps, cost, value, weight[query], charge[query], gap))
            count = len(classes[-1].charge)
            work, lists = work + count * lists, min(lists * count, states)
            if count > _MOST_OPTIONS and work > most:
                raise TooLarge(work, most, _USE_ALLOCATE, "pairs of states and caps")
        return classes

    def within(self, limits: Array) -> Array:
        """The largest feasible caps within limits (token, whole) that are worth more than less, else the floor."""
        caps = np.clip(limits, self.floor, self.last_whole)
        return np.where(caps < self.least, self.floor, caps)

    def best_raise(self, decision: Column, room: Array) -> Raise:
        """The one cap that gains most if it takes all of its `room`. O(n)."""
        most = self.charge(decision) + np.maximum(room, 0.0)
        raised = np.where(room > 0, np.maximum(self.cap_within(most, decision), decision), decision)
        gain = self.value(raised) - self.value(decision)
        query = int(gain.argmax())
        return Raise(float(gain[query]), query, float(raised[query]))

    def forced(self, prices: Array) -> tuple[Array, Array]:
        """Of the cap on the branch that is best, be its surplus negative."""
        caps = np.minimum(
            np.maximum(np.ceil(self.demand_if_funded(prices)), np.floor(self.start) + 1.0), self.last_whole
        )
        worth = self.value(caps)
        return np.where(worth > 0, worth - prices * self.charge(caps), -np.inf), caps

    def exceeds(self, price: float, free: float) -> bool:
        """Whether any query wants a cap that costs more than `free` above its floor. O(n)."""
        return bool((self.charge_if_funded(price) - self.floor_charge > free).any())

    def without_unaffordable(self, free: float) -> SmoothDemand:
        """A demand without caps that cost more than `free` budget units above the floors."""
        dear = np.flatnonzero(self.charge(self.last_whole) - self.floor_charge > free)
        high, side = self.high.copy(), self.take(dear)
        high[dear] = side.cap_within(side.floor_charge + free)
        # Nothing above the floor can be paid where the smallest allowed cap can't.
        low = np.where(high < self.low, self.floor, self.low)
        return SmoothDemand(self.charged, self.floor, low, high)

    @property
    def cheapest_useful(self) -> Array:
        """What the smallest cap on the branch is charged."""
        return self.charge(self.start)

    @property
    def saturation(self) -> float:
        """What the last useful whole caps of all queries are charged."""
        return float(self.charge(self.last_whole).sum())

    def everything(self) -> Array:
        """The largest useful whole cap of each query: nothing is worth more."""
        return np.where(self.entry_price > 0.0, self.last_whole, self.floor)

    def cap_within(self, charge: Array, above: Array | float = 0.0) -> Array:
        """The largest feasible whole cap charged no more than `charge`, the floor if none is. O(n).

        above : caps that are known to be charged no more.
        """
        if self.plain:
            caps: Array = np.clip(np.floor(charge), 0.0, self.last_whole)
        else:
            caps = self.charged.cap_within(charge, self.last_whole, above)
        return np.where(caps < self.least, self.floor, caps)

    def take(self, rows: Rows) -> SmoothDemand:
        """The demand of some of the queries. O(rows)."""
        # What is known of all is known of some.
        known = [name for name in _COLUMNS if name in self.__dict__]
        columns = take_columns(rows, *(self.__dict__[name] for name in ("floor", "low", "high", *known)))
        charged = Charged(self.curves.take(rows)) if self.plain else self.charged.take(rows)
        new = SmoothDemand(charged, *columns[:3])
        new.__dict__.update(zip(known, columns[3:], strict=True))
        return new


_COLUMNS = ("least", "stop", "last_whole", "start", "floor_value", "floor_charge", "entry_price")
