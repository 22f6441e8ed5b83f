"""Demand of finite choices: menus, and smooth curves whose caps are listed one by one.

A decision and a level are the same here: the index of an option in order of charge, -1 for none.
"""

from __future__ import annotations

import numpy as np

from clear_alloc.curves import Array, Steps, envelope
from clear_alloc.errors import InvalidArgument
from clear_alloc.market.demand import Breakpoints, ChoiceClass, Choices, Demand, Raise, undominated
from clear_alloc.market.option_table import OptionTable
from clear_alloc.support.parallel import cached_property
from clear_alloc.support.types import Bool, Column, Index

__all__ = ["MenuDemand"]

_CORE_OPTIONS = 6  # options of a query that are tried in the core


class MenuDemand(Demand):
    """Finite option lists in order of charge, without what limits rule out.

    costs, values : shape (n, k), charge and value; ruled-out options cost inf.
    base : option in force at a very high price, -1 for none.
    """

    divisible = False

    def __init__(self, options: OptionTable):
        self.options, self.costs, self.values = options, options.charge, options.value
        self.base = self._bases()
        self.base_charge, self.base_value = self.charge(self.base), self.value(self.base)

    @cached_property
    def steps(self) -> Steps:
        """Edges of the envelopes above the bases."""
        return envelope(self.costs, self.values, self.base_charge, self.base_value)

    def __len__(self) -> int:
        return len(self.options.forced)

    def _bases(self) -> Index:
        options, rows = self.options, np.arange(len(self))
        empty = options.forced & ~np.isfinite(self.costs).any(axis=1)
        if empty.any():
            row = int(np.argmax(empty))
            low, high = options.floor[row], options.high[row]
            raise InvalidArgument(
                "min_tokens", low, f"a floor that an option of the menu meets within {high:,.15g} tokens",
                "lower min_tokens, raise max_tokens or add an option", row,
            )  # fmt: skip
        # Rounding up can make charges equal: the best of the cheapest. A free option counts if it is worth anything.
        cheapest = self.costs.min(axis=1, initial=np.inf)
        first = np.where(self.costs == cheapest[:, None], self.values, -np.inf).argmax(axis=1)
        free = (self.costs[rows, first] == 0) & (self.values[rows, first] > 0)
        base = np.where(options.forced | free, first, -1)
        if options.fallback.any():
            within = (options.tokens <= options.fallback[:, None]) & np.isfinite(self.costs)
            best = np.where(within, self.values, -np.inf).argmax(axis=1)
            # Where options have prices of their own, a larger one may be worth as much and cost less.
            as_good = (self.values >= self.values[rows, best][:, None]) & (
                self.costs <= self.costs[rows, best][:, None]
            )
            best = np.where(as_good, self.costs, np.inf).argmin(axis=1)
            base = np.where(within.any(axis=1) & (options.fallback > 0), best, base)
        return base

    @property
    def default_charge(self) -> Array:
        """What the options in force at any price are charged."""
        return self.base_charge

    @property
    def default_value(self) -> Array:
        """What they are worth."""
        return self.base_value

    def default(self) -> Index:
        """The options in force at any price."""
        return self.base.copy()

    @cached_property
    def entry_price(self) -> Array:
        """Slope of the first edge of each envelope; 0 where there is none."""
        prices = np.zeros(len(self))
        np.maximum.at(prices, self.steps.owner, self.steps.price)
        return prices

    @property
    def breakpoint_prices(self) -> Array:
        """Slopes of all edges."""
        return self.steps.price

    def levels_at(self, price: float) -> Index:
        """Best option of each menu on its envelope, the default where nothing gains. O(edges)."""
        chosen = self.base.copy()
        taken = self.steps.price > price
        # Edges are stored in the order in which each query climbs them: the last one written wins.
        chosen[self.steps.owner[taken]] = self.steps.option[taken]
        return chosen

    best_at = levels_at

    def _at(self, column: Array, chosen: Column) -> Array:
        return np.where(chosen >= 0, column[np.arange(len(self)), chosen], 0.0)

    def charge(self, decision: Column) -> Array:
        """Budget units of the chosen options, 0 for none."""
        return self._at(self.costs, decision)

    def value(self, decision: Column) -> Array:
        """Value of the chosen options, 0 for none."""
        return self._at(self.values, decision)

    def tokens(self, decision: Column) -> Array:
        """Whole tokens that the chosen options grant, 0 for none."""
        return self._at(self.options.tokens, decision)

    def variance(self, decision: Column) -> Array:
        """Variance of what the chosen options turn out to cost, budget units^2."""
        variance: Array = self._at(self.options.deviation, decision) ** 2
        return variance

    def third_moment(self, decision: Column) -> Array:
        """Zeros: of a menu's costs only the deviation is known."""
        return np.zeros(len(decision))

    def worst(self, decision: Column) -> Array:
        """What the chosen options cost at worst, budget units; inf where nothing limits it."""
        return self._at(self.options.worst, decision)

    def totals(self, decision: Column, *quantities: str) -> list[float]:
        """Sums of `charge`, `variance`, `third_moment` or `worst` of the chosen options. O(n)."""
        return [float(getattr(self, name)(decision).sum()) for name in quantities]

    def largest_variance(self, decision: Column) -> float:
        """Variance of the most uncertain option. O(n)."""
        return float(self.variance(decision).max(initial=0.0))

    def label(self, decision: Column) -> Index:
        """What the chosen options buy, as indices into the lists that the caller passed; -1 for none."""
        return np.where(decision >= 0, self.options.label[np.arange(len(self)), decision], -1)

    def is_funded(self, decision: Column, fallback: Array) -> Bool:
        """Queries that buy an option other than that of their fallback."""
        resting = (decision == self.base) & (fallback > 0) & (self.tokens(self.base) <= fallback)
        bought = (self.label(decision) >= 0) | (self.tokens(decision) > 0)
        funded: Bool = bought & ~resting
        return funded

    def option_of(self, label: Index, tokens: Array, taken: Bool) -> Index:
        """The options with these labels, or with these tokens where there is no label; the base where not `taken`."""
        by_label, by_tokens = self.options.label == label[:, None], self.options.tokens == tokens[:, None]
        same = np.where(label[:, None] >= 0, by_label, by_tokens) & np.isfinite(self.costs)
        return np.where(taken & same.any(axis=1), same.argmax(axis=1), self.base)

    def charge_at(self, price: float) -> Array:
        """What each query wants to be charged at a price. O(edges)."""
        taken = self.steps.price > price
        extra = np.bincount(self.steps.owner[taken], self.steps.cost[taken], minlength=len(self))
        return self.base_charge + extra

    def total_at(self, price: float) -> float:
        """The sum of `charge_at`. O(edges)."""
        return float(self.base_charge.sum() + self.steps.cost[self.steps.price > price].sum())

    def surplus(self, price: float | Array) -> Array:
        """Highest value - price x charge of each query. O(edges)."""
        steps, by_query = self.steps, np.broadcast_to(price, len(self))
        edges = np.maximum(steps.gain - by_query[steps.owner] * steps.cost, 0.0)
        climbed = np.bincount(steps.owner, edges, minlength=len(self))
        surplus: Array = self.base_value - by_query * self.base_charge + climbed
        return surplus

    def total_surplus(self, price: float) -> float:
        """The sum of `surplus`. O(edges)."""
        edges = self.steps.gain - price * self.steps.cost
        return float((self.base_value - price * self.base_charge).sum() + edges[edges > 0].sum())

    def levels_of(self, decision: Column) -> Index:
        """The options themselves."""
        return decision.astype(np.intp)

    def breakpoints_between(self, low: float, high: float) -> Breakpoints:
        """Edges whose slope is in (low, high]. O(edges)."""
        edges = np.flatnonzero((self.steps.price > low) & (self.steps.price <= high))
        return self._edges(edges)

    def _edges(self, edges: Index | slice) -> Breakpoints:
        steps = self.steps
        return Breakpoints(steps.owner[edges], steps.option[edges], steps.price[edges], steps.cost[edges])

    def first_breakpoints(self) -> Breakpoints:
        """The first edge of each envelope."""
        _, first = np.unique(self.steps.owner, return_index=True)
        return self._edges(first)

    def core_breakpoints(self, levels: Index) -> tuple[Breakpoints, Bool]:
        """All edges, and which of them end at or below the option in force. O(edges)."""
        steps = self.steps
        climbed = self.charge(levels)[steps.owner] >= self.costs[steps.owner, steps.option]
        return self._edges(slice(None)), climbed

    def least_charge(self, levels: Index) -> Array:
        """What the options in force are charged."""
        return self.charge(levels)

    def level_surplus(self, levels: Index, prices: Array, among: Bool) -> Array:
        """Value - price x charge of the options in force, (prices,), summed over `among` the queries."""
        row: Array = self.value(levels)[among].sum() - prices * self.charge(levels)[among].sum()
        return row

    def choices(self, queries: Index, prices: Array, price: float) -> list[Choices]:
        """The default, and the few options that gain most at `price`."""
        return [self._choices(int(query), prices, price) for query in queries]

    def _choices(self, query: int, prices: Array, price: float) -> Choices:
        costs, values = self.costs[query], self.values[query]
        options = np.flatnonzero(np.isfinite(costs) & (costs > self.base_charge[query]))
        options = options[np.argsort(price * costs[options] - values[options], kind="stable")[:_CORE_OPTIONS]]
        cost = np.concatenate([[self.base_charge[query]], costs[options]])
        value = np.concatenate([[self.base_value[query]], values[options]])
        level = np.concatenate([[self.base[query]], options])
        return Choices(level, value[:, None] - cost[:, None] * prices, cost)

    def choice_classes(self, weight: Array, charge: Array, gap: float, room: Array) -> list[ChoiceClass]:  # noqa: ARG002
        """Every option that falls short of the best by at most `gap`. O(n options)."""
        optional, none = self.base < 0, np.zeros((len(self), 1))
        cost = np.concatenate([np.where(optional[:, None], none, np.inf), self.costs], axis=1)
        value = np.concatenate([none, self.values], axis=1)
        there = np.isfinite(cost)
        surplus = np.where(there, weight[:, None] * value - charge[:, None] * np.where(there, cost, 0.0), -np.inf)
        short = surplus.max(axis=1, initial=-np.inf)[:, None] - surplus
        near = short <= gap
        first, count = near.argmax(axis=1).tolist(), near.sum(axis=1).tolist()
        decision, classes = np.arange(-1, cost.shape[1] - 1), []
        for query in range(len(self)):
            # Most queries have but one option left, which is settled at once.
            kept = np.flatnonzero(near[query]) if count[query] > 1 else slice(first[query], first[query] + 1)
            parts = (decision[kept], cost[query, kept], value[query, kept])
            if count[query] > 1:
                classes.append(undominated(query, *parts, weight[query], charge[query], gap))
            else:
                classes.append(ChoiceClass(query, parts[1], parts[2], short[query, kept], parts[0]))
        return classes

    def within(self, limits: Array) -> Index:
        """The most valuable option that a limit covers, the cheapest of equals; the default where none is better."""
        covered = (self.options.tokens <= limits[:, None]) & np.isfinite(self.costs)
        covered &= (limits[:, None] > 0) | (self.costs == 0)  # an option without tokens may still cost a call
        values = np.where(covered, self.values, -np.inf)
        best = values.argmax(axis=1)
        return np.where(values[np.arange(len(self)), best] > self.base_value, best, self.base)

    def best_raise(self, decision: Column, room: Array) -> Raise:
        """The one other option that gains most within its query's `room`. O(n options)."""
        extra = self.costs - self.charge(decision)[:, None]
        values = np.where(extra <= room[:, None], self.values, -np.inf)
        gain = values.max(axis=1, initial=-np.inf) - self.value(decision)
        query = int(gain.argmax())
        return Raise(float(gain[query]), query, float(values[query].argmax()))

    def forced(self, prices: Array) -> tuple[Array, Array]:
        """Of the option that is best, be its surplus negative; the floor is that of the smallest of any worth."""
        useful = (self.values > 0) & np.isfinite(self.costs)
        of_option = np.where(useful, self.values - prices[:, None] * np.where(useful, self.costs, 0.0), -np.inf)
        tokens = np.where(useful, self.options.tokens, np.inf).min(axis=1, initial=np.inf)
        floor = np.where(np.isfinite(tokens), np.maximum(tokens, 1.0), 0.0)
        return of_option.max(axis=1, initial=-np.inf), floor

    def exceeds(self, price: float, free: float) -> bool:  # noqa: ARG002
        """Whether any edge costs more than `free`. O(edges)."""
        return bool((self.steps.cost > free).any())

    def without_unaffordable(self, free: float) -> MenuDemand:
        """A demand without options that would cost more than `free` above the base."""
        dear = (self.costs - self.base_charge[:, None] > free) & np.isfinite(self.costs)
        if not dear.any():
            return self
        # In place: a choice must mean the same option in both.
        charge, value = np.where(dear, np.inf, self.costs), np.where(dear, -np.inf, self.values)
        return MenuDemand(self.options._replace(charge=charge, value=value))

    @property
    def cheapest_useful(self) -> Array:
        """Charge of the cheapest option that is worth more than the default; inf where there is none."""
        gains = self.values > self.base_value[:, None]
        cheapest: Array = np.where(gains, self.costs, np.inf).min(axis=1, initial=np.inf)
        return cheapest

    @property
    def saturation(self) -> float:
        """What the most valuable option of each query is charged, summed."""
        return float(self.charge(self.levels_at(0.0)).sum())
