"""Finite choices as a table: options of menus and listed levels of smooth curves, what they grant and cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import Array, Charged, Menu, Smooth
from clear_alloc.errors import InvalidArgument
from clear_alloc.market.feasible import FeasibleCaps
from clear_alloc.market.tariff import Tariff
from clear_alloc.support.types import Bool, Index

__all__ = ["OptionTable", "options_of_levels", "options_of_menus"]

_PER_OPTION = {"tokens": np.inf, "charge": np.inf, "value": -np.inf, "label": -1, "deviation": 0.0, "worst": np.inf}
_PER_QUERY = ("forced", "fallback", "floor", "high")


class OptionTable(NamedTuple):
    """Options of n queries in order of charge, shape (n, k); what is ruled out or missing is charged inf.

    tokens : granted, whole. charge : budget units. value : weighted. label : index in the caller's list, -1 for the
    level of a smooth curve. deviation : of the charge, budget units. worst : the charge at most, inf if unknown.
    forced : (n,) a floor forbids to take nothing. fallback, floor, high : (n,), token.
    """

    tokens: Array
    charge: Array
    value: Array
    label: Index
    deviation: Array
    worst: Array
    forced: Bool
    fallback: Array
    floor: Array
    high: Array

    @classmethod
    def concatenate(cls, tables: Sequence[OptionTable]) -> OptionTable:
        """One table out of several, row after row; short lists are padded."""
        if len(tables) == 1:
            return tables[0]
        k = max(table.charge.shape[1] for table in tables)
        wide = {
            name: np.concatenate([_widened(getattr(table, name), k, missing) for table in tables])
            for name, missing in _PER_OPTION.items()
        }
        flat = {name: np.concatenate([getattr(table, name) for table in tables]) for name in _PER_QUERY}
        return cls(**wide, **flat)

    def hstack(self, more: OptionTable) -> OptionTable:
        """More options for the same queries, after those that are there."""
        columns = {name: np.concatenate([getattr(self, name), getattr(more, name)], axis=1) for name in _PER_OPTION}
        return self._replace(**columns)


def options_of_menus(menu: Menu, caps: FeasibleCaps, tariff: Tariff, rows: Index, plain: bool) -> OptionTable:
    """A menu's options as the tariff charges them. plain : whether a cap is charged as it is. O(n k log k)."""
    there = np.isfinite(menu.sorted_costs)
    granted = caps.lifted(np.ceil(menu.sorted_costs))
    forced = caps.floor > caps.fallback
    ruled_out = ~there | ~np.isfinite(granted) | ((granted < caps.floor[:, None]) & forced[:, None])
    value, label = np.where(there, menu.sorted_values, -np.inf), menu.order
    deviation = np.zeros(granted.shape)
    if plain:
        # A cap buys the best option that it covers.
        best = np.maximum.accumulate(value, axis=1)
        leads = np.diff(best, axis=1, prepend=-np.inf) > 0
        buys = np.maximum.accumulate(np.where(leads, np.arange(best.shape[1]), 0), axis=1)
        value, label = best, np.take_along_axis(label, buys, axis=1)
        charge, most = granted, granted
    else:
        charge, deviation, most = _charges(menu, granted, tariff, rows)
    empty = np.flatnonzero(forced & caps.lifts & ruled_out.all(axis=1))
    if len(empty):
        row = int(empty[0])
        raise InvalidArgument(
            "levels", caps.shown(row), "0, or a cap that covers an option of the menu",
            "allow 0 or a larger cap, or add a cheaper option", int(rows[row]),
        )  # fmt: skip
    out = [np.where(ruled_out, np.inf, charge), np.where(ruled_out, -np.inf, value)]
    order = np.lexsort((-out[1], out[0]), axis=-1)
    columns = (granted, out[0], out[1], label, deviation, most)
    granted, charge, value, label, deviation, most = (np.take_along_axis(c, order, axis=1) for c in columns)
    return OptionTable(granted, charge, value, label, deviation, most, forced, caps.fallback, caps.floor, caps.high)


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


def options_of_levels(curves: Smooth, caps: FeasibleCaps, tariff: Tariff) -> OptionTable:
    """The listed levels of smooth curves as options; `caps` lists every query. O(n k)."""
    granted = caps.levels
    there = np.isfinite(granted)
    granted_caps = np.where(there, granted, 0.0)
    rate, call = (None if column is None else column[:, 0] for column in (tariff.rate, tariff.call))
    charged = Charged(curves, tariff.accounting, rate, call)
    value = np.where(there, curves.utility(granted_caps.T).T, -np.inf)
    charge, most = (np.where(there, ask(granted_caps.T).T, np.inf) for ask in (charged.charge, charged.worst))
    # The fallback is one more level for queries that get no other.
    label = np.full(granted.shape, -1)
    options = OptionTable(
        granted, charge, value, label, charged.deviation(granted_caps.T).T, most,
        caps.floor > caps.fallback, caps.fallback, caps.floor, caps.high,
    )  # fmt: skip
    back = caps.fallback[:, None]
    if not back.any():
        return options
    rests = ~options.forced[:, None]
    extra = OptionTable(
        back, np.where(rests, charged.charge(back.T).T, np.inf),
        np.where(rests, curves.utility(back.T).T, -np.inf), label[:, :1],
        charged.deviation(back.T).T, charged.worst(back.T).T,
        options.forced, options.fallback, options.floor, options.high,
    )  # fmt: skip
    return options.hstack(extra)


def _widened(array: npt.NDArray[Any], k: int, missing: float) -> npt.NDArray[Any]:
    return np.pad(array, ((0, 0), (0, k - array.shape[1])), constant_values=missing)
