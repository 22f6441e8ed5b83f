"""Finite choices: the options of menus and the listed levels of smooth curves, with what they grant and cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array, Charged, Menu, Smooth, Steps, envelope
from clear_alloc.errors import InvalidArgument
from clear_alloc.market.feasible import FeasibleCaps
from clear_alloc.market.tariff import Tariff
from clear_alloc.support.parallel import cached_property

__all__ = ["MenuDemand", "Options", "options_of_levels", "options_of_menus"]

Bool = npt.NDArray[np.bool_]
_NOTHING: Array = np.empty(0)
Index = npt.NDArray[np.intp]


class Options(NamedTuple):
    """Options of n queries in order of charge, shape (n, k); what is ruled out or missing is charged inf.

    tokens : granted, whole. charge : budget units. value : weighted. label : index in the caller's list, -1 for the
    level of a smooth curve. deviation : of the charge, budget units. most : the charge at worst, inf if unknown.
    forced : (n,) a floor forbids to take nothing. fallback, floor, high : (n,), token.
    """

    tokens: Array
    charge: Array
    value: Array
    label: Index
    deviation: Array
    most: Array
    forced: Bool
    fallback: Array
    floor: Array
    high: Array

    @staticmethod
    def concatenate(parts: Sequence[Options]) -> Options:
        """One block out of several; short lists are padded."""
        k = max(part.charge.shape[1] for part in parts)
        fills = (np.inf, np.inf, -np.inf, -1, 0.0, np.inf)
        wide: list[Any] = [
            np.concatenate([_widened(part[place], k, refill_funded) for part in parts])
            for place, refill_funded in enumerate(fills)
        ]
        flat: list[Any] = [
            np.concatenate([part[place] for part in parts]) for place in range(len(fills), len(parts[0]))
        ]
        return Options(*wide, *flat)

    @staticmethod
    def hstack(parts: Sequence[Options]) -> Options:
        """More options for the same queries, those of the first part first."""
        wide: list[Any] = [np.concatenate([part[place] for part in parts], axis=1) for place in range(6)]
        flat: list[Any] = list(parts[0][6:])
        return Options(*wide, *flat)


def options_of_menus(menu: Menu, limits: FeasibleCaps, tariff: Tariff, rows: Index) -> Options:
    """A menu's options as the tariff charges them. O(n k log k)."""
    there = np.isfinite(menu.sorted_costs)
    granted = limits.lifted(np.ceil(menu.sorted_costs))
    forced = limits.floor > limits.fallback
    ruled_out = ~there | ~np.isfinite(granted) | ((granted < limits.floor[:, None]) & forced[:, None])
    value, label = np.where(there, menu.sorted_values, -np.inf), menu.order
    deviation = np.zeros(granted.shape)
    if tariff.plain:
        # A cap buys the best option that it covers.
        best = np.maximum.accumulate(value, axis=1)
        leads = np.diff(best, axis=1, prepend=-np.inf) > 0
        buys = np.maximum.accumulate(np.where(leads, np.arange(best.shape[1]), 0), axis=1)
        value, label = best, np.take_along_axis(label, buys, axis=1)
        charge, most = granted, granted
    else:
        charge, deviation, most = _charges(menu, granted, tariff, rows)
    empty = np.flatnonzero(forced & limits.lifts & ruled_out.all(axis=1))
    if len(empty):
        row = int(empty[0])
        raise InvalidArgument(
            "levels", limits.shown(row), "0, or a cap that covers an option of the menu",
            "allow 0 or a larger cap, or add a cheaper option", int(rows[row]),
        )  # fmt: skip
    out = [np.where(ruled_out, np.inf, charge), np.where(ruled_out, -np.inf, value)]
    order = np.lexsort((-out[1], out[0]), axis=-1)
    columns = (granted, out[0], out[1], label, deviation, most)
    granted, charge, value, label, deviation, most = (np.take_along_axis(c, order, axis=1) for c in columns)
    return Options(granted, charge, value, label, deviation, most, forced, limits.fallback, limits.floor, limits.high)


def _charges(menu: Menu, granted: Array, tariff: Tariff, rows: Index) -> tuple[Array, Array, Array]:
    """Charge, its deviation and what it is at worst, (n, k), for options in the menu's order of cost."""
    k = menu.order.shape[1]
    burned, deviation, at_worst = granted, np.zeros(granted.shape), granted
    if tariff.accounting == "expected":
        burned = menu.sorted_burned
        if menu.sorted_deviation is not None:
            deviation = menu.sorted_deviation
        # An expected cost that equals the cap and still varies is a mean without a limit.
        at_worst = np.where((deviation > 0) & (burned >= menu.sorted_costs), np.inf, granted)
    rate, call = (
        None if column is None else np.take_along_axis(column, menu.order, axis=1)
        for column in tariff.of_options(rows, k)
    )
    with np.errstate(invalid="ignore"):
        if rate is not None:
            burned, deviation, at_worst = burned * rate, deviation * rate, at_worst * rate
        if call is not None:
            burned, at_worst = burned + call, at_worst + call
    return burned, deviation, at_worst


def options_of_levels(curves: Smooth, limits: FeasibleCaps, tariff: Tariff) -> Options:
    """The listed levels of smooth curves as options; `limits` lists every query. O(n k)."""
    granted = limits.levels
    there = np.isfinite(granted)
    caps = np.where(there, granted, 0.0)
    rate, call = (None if column is None else column[:, 0] for column in (tariff.rate, tariff.call))
    charged = Charged(curves, tariff.accounting, rate, call)
    value = np.where(there, curves.utility(caps.T).T, -np.inf)
    charge, most = (np.where(there, ask(caps.T).T, np.inf) for ask in (charged.charge, charged.most))
    # The fallback is one more level for who gets no other.
    label = np.full(granted.shape, -1)
    options = Options(
        granted, charge, value, label, charged.deviation(caps.T).T, most,
        limits.floor > limits.fallback, limits.fallback, limits.floor, limits.high,
    )  # fmt: skip
    back = limits.fallback[:, None]
    if not back.any():
        return options
    rests = ~options.forced[:, None]
    extra = Options(
        back, np.where(rests, charged.charge(back.T).T, np.inf),
        np.where(rests, curves.utility(back.T).T, -np.inf), label[:, :1],
        charged.deviation(back.T).T, charged.most(back.T).T,
        options.forced, options.fallback, options.floor, options.high,
    )  # fmt: skip
    return Options.hstack([options, extra])


class MenuDemand:
    """Finite option lists in order of charge, without what limits rule out.

    costs, values : shape (n, k), charge and value; ruled-out options cost inf.
    base : option in force at a very high price, -1 for none.
    """

    def __init__(self, options: Options):
        self.options, self.costs, self.values = options, options.charge, options.value
        self.base = self._bases()
        self.base_charge, self.base_value = self.charge_of(self.base), self.value_of(self.base)

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

    def choose(self, price: float) -> Index:
        """Best option of each menu on its envelope, the base where nothing gains. O(edges)."""
        chosen = self.base.copy()
        taken = self.steps.price > price
        # Edges are stored in the order in which each query climbs them: the last one written wins.
        chosen[self.steps.owner[taken]] = self.steps.option[taken]
        return chosen

    def _of(self, column: Array, chosen: Index) -> Array:
        if not len(chosen):
            return _NOTHING
        return np.where(chosen >= 0, column[np.arange(len(self)), chosen], 0.0)

    def charge_of(self, chosen: Index) -> Array:
        """Budget units of the chosen options, 0 for none."""
        return self._of(self.costs, chosen)

    def value_of(self, chosen: Index) -> Array:
        """Value of the chosen options, 0 for none."""
        return self._of(self.values, chosen)

    def tokens_of(self, chosen: Index) -> Array:
        """Whole tokens that the chosen options grant, 0 for none."""
        return self._of(self.options.tokens, chosen)

    def deviation_of(self, chosen: Index) -> Array:
        """Standard deviation of what the chosen options turn out to cost, budget units."""
        return self._of(self.options.deviation, chosen)

    def most_of(self, chosen: Index) -> Array:
        """What the chosen options cost at worst, budget units; inf where nothing limits it."""
        return self._of(self.options.most, chosen)

    def label_of(self, chosen: Index) -> Index:
        """What the chosen options buy, as indices into the lists that the caller passed; -1 for none."""
        return np.where(chosen >= 0, self.options.label[np.arange(len(self)), chosen], -1)

    def option_of(self, labels: Index, tokens: Array, taken: Bool) -> Index:
        """The options with these labels, or with these tokens where there is no label; the base where not `taken`."""
        same = np.where(
            labels[:, None] >= 0, self.options.label == labels[:, None], self.options.tokens == tokens[:, None]
        )
        same &= np.isfinite(self.costs)
        return np.where(taken & same.any(axis=1), same.argmax(axis=1), self.base)

    def without_unaffordable(self, free: float) -> MenuDemand:
        """The same without options that would cost more than `free` above the base."""
        dear = (self.costs - self.base_charge[:, None] > free) & np.isfinite(self.costs)
        if not dear.any():
            return self
        # In place: a choice must mean the same option in both.
        charge, value = np.where(dear, np.inf, self.costs), np.where(dear, -np.inf, self.values)
        return MenuDemand(self.options._replace(charge=charge, value=value))


def _widened(array: npt.NDArray[np.generic], k: int, refill_funded: float) -> npt.NDArray[np.generic]:
    return np.pad(array, ((0, 0), (0, k - array.shape[1])), constant_values=refill_funded)
