"""What the solver asks of queries of one kind, smooth curves or finite menus: the same verbs of both.

A decision is one number per query: the cap of a smooth curve (token, whole), the option of a menu (-1 for none). A
level is the part of it that a price decides by a jump: whether a smooth curve leaves its floor (0 or 1), the option
of a menu. Arrays have shape (n,); a charge is in budget units, tokens or money.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

import numpy as np

from clear_alloc.curves import Array
from clear_alloc.support.types import Bool, Column, Index

__all__ = ["MOST_STATES", "Breakpoints", "ChoiceClass", "Choices", "Demand", "Raise", "undominated"]

MOST_STATES = 20_000  # undominated states that are kept of any combination of queries


class Breakpoints(NamedTuple):
    """Places where demand points, as columns of shape (points,), in the order in which each query climbs them.

    query, level : which query moves where. price : value per budget unit, below which it does. cost : of the move.
    """

    query: Index
    level: Index
    price: Array
    cost: Array


class Raise(NamedTuple):
    """The one query whose decision gains most from budget that is left, and by how much."""

    gain: float
    query: int
    decision: float


class Choices(NamedTuple):
    """What one query may do: levels (a,), surplus at each of k prices (a, k), least charge (a,)."""

    level: Index
    surplus: Array
    least: Array


class ChoiceClass(NamedTuple):
    """The decisions of one query that may still matter, rising in charge and value, each (k,).

    reduced_cost : what each falls short, at the multipliers in force, of the query's best surplus.
    """

    query: int
    charge: Array
    value: Array
    reduced_cost: Array
    decision: Column


def undominated(
    query: int, decision: Column, charge: Array, value: Array, weight: float, price: float, gap: float
) -> ChoiceClass:
    """The decisions of one query, in any order, that fall short by at most `gap` and are worth their charge."""
    surplus = weight * value - price * charge
    reduced_cost = surplus.max() - surplus
    kept = np.flatnonzero(reduced_cost <= gap)
    kept = kept[np.lexsort((-value[kept], charge[kept]))]
    kept = kept[np.append(True, np.diff(np.maximum.accumulate(value[kept])) > 0)]
    return ChoiceClass(query, charge[kept], value[kept], reduced_cost[kept], decision[kept])


class Demand(ABC):
    """Queries of one kind with the decisions that are feasible and what they are charged."""

    divisible: bool  # whether a level leaves a range of caps, which is filled like water

    @property
    @abstractmethod
    def default_charge(self) -> Array:
        """What each query is charged whatever the price: its floor, or the option that meets it."""

    @property
    @abstractmethod
    def default_value(self) -> Array:
        """What that is worth."""

    @abstractmethod
    def default(self) -> Column:
        """The decision in force at a very high price."""

    @property
    @abstractmethod
    def entry_price(self) -> Array:
        """Price below which each query leaves its default; 0 where nothing gains."""

    @property
    @abstractmethod
    def breakpoint_prices(self) -> Array:
        """Prices at which the demand is discontinuous, in any order and number."""

    @abstractmethod
    def charge_at(self, price: float) -> Array:
        """What each query wants to be charged at a price; never rises with it. O(n)."""

    @abstractmethod
    def total_at(self, price: float) -> float:
        """The sum of `charge_at`. O(n)."""

    @abstractmethod
    def best_at(self, price: float) -> Column:
        """The whole decision of highest value - price x charge, the default where nothing gains. O(n)."""

    @abstractmethod
    def surplus(self, price: float | Array) -> Array:
        """Highest value - price x charge of each query, at one price or at its own. O(n)."""

    @abstractmethod
    def total_surplus(self, price: float) -> float:
        """The sum of `surplus`. O(n)."""

    @abstractmethod
    def charge(self, decision: Column) -> Array:
        """What decisions are charged. O(n)."""

    @abstractmethod
    def value(self, decision: Column) -> Array:
        """What they are worth. O(n)."""

    @abstractmethod
    def totals(self, decision: Column, *quantities: str) -> list[float]:
        """Sums of `charge`, `variance`, `third_moment` or `worst` of decisions. O(n)."""

    @abstractmethod
    def variance(self, decision: Column) -> Array:
        """Variance of what decisions turn out to cost, budget units^2. O(n)."""

    @abstractmethod
    def third_moment(self, decision: Column) -> Array:
        """Third central moment of that, budget units^3; 0 where it is not known. O(n)."""

    @abstractmethod
    def worst(self, decision: Column) -> Array:
        """What decisions can cost at most; inf where nothing limits it. O(n)."""

    @abstractmethod
    def tokens(self, decision: Column) -> Array:
        """Whole tokens that decisions grant. O(n)."""

    @abstractmethod
    def is_funded(self, decision: Column, fallback: Array) -> Bool:
        """Queries that get more than what they fall back to, tokens (n,)."""

    @abstractmethod
    def largest_variance(self, decision: Column) -> float:
        """Variance of the most uncertain query. O(n)."""

    @abstractmethod
    def levels_at(self, price: float) -> Index:
        """The level of each query at a price; queries that enter without a jump are funded at any. O(n)."""

    @abstractmethod
    def levels_of(self, decision: Column) -> Index:
        """The levels that decisions belong to. O(n)."""

    @abstractmethod
    def breakpoints_between(self, low: float, high: float) -> Breakpoints:
        """The breakpoints at prices in (low, high], with what they cost just above `low`. O(n)."""

    @abstractmethod
    def first_breakpoints(self) -> Breakpoints:
        """The first move of each query away from its default, with what it costs just below its price."""

    @abstractmethod
    def core_breakpoints(self, levels: Index) -> tuple[Breakpoints, Bool]:
        """All points, with what they cost at least, and which of them `levels` have taken. O(n)."""

    @abstractmethod
    def least_charge(self, levels: Index) -> Array:
        """What levels are charged at least. O(n)."""

    @abstractmethod
    def level_surplus(self, levels: Index, prices: Array, among: Bool) -> Array:
        """Highest value - price x charge at fixed levels, (prices,), summed over `among` the queries. O(n prices)."""

    @abstractmethod
    def choices(self, queries: Index, prices: Array, price: float) -> list[Choices]:
        """What each of some queries may do at a grid of prices; `price` tells which options matter."""

    @abstractmethod
    def choice_classes(self, weight: Array, charge: Array, gap: float, room: Array) -> list[ChoiceClass]:
        """Every query's decisions that fall short by at most `gap` at its own multipliers, (n,) each.

        room : (n,) budget units that one query may be charged at most. TooLarge where decisions are too many.
        """

    @abstractmethod
    def within(self, limits: Array) -> Column:
        """The best decision that grants at most `limits` (token, whole), the default where none is better. O(n)."""

    @abstractmethod
    def best_raise(self, decision: Column, room: Array) -> Raise:
        """What gains most if one query may be charged its `room` more. O(n)."""

    @abstractmethod
    def forced(self, prices: Array) -> tuple[Array, Array]:
        """Surplus at its own price of each query if it must be funded, -inf where it can't be; the floor for that."""

    @abstractmethod
    def exceeds(self, price: float, free: float) -> bool:
        """Whether any query wants more than `free` above its default at a price, so that it can't be had. O(n)."""

    @abstractmethod
    def without_unaffordable(self, free: float) -> Self:
        """A demand without what costs more than `free` above the default. O(n)."""

    @property
    @abstractmethod
    def cheapest_useful(self) -> Array:
        """Charge of the smallest decision that a price would ever choose above the default; inf where none is."""

    @property
    @abstractmethod
    def saturation(self) -> float:
        """What all queries are charged at price 0."""

    @abstractmethod
    def __len__(self) -> int: ...
