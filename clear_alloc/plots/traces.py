"""What is drawn of a query: its value against what is charged, and which queries are worth showing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.allocation.result import Allocation
from clear_alloc.curves import Array, Curves, Menu

__all__ = ["GRID", "Trace", "break_even_charge", "example_queries", "prices_of", "traces_of"]

Rows = npt.NDArray[np.intp]

FUNDED, INSOLVENT = 4, 2  # queries of each kind that one picture can hold
GRID = 600  # points per curve


class Trace(NamedTuple):
    """One query as it is drawn: value against what is charged.

    charges, values : the line. options : (m, 2), the caps that it may have where they are listed, or a menu's
    options. charge, value : of what it was granted.
    """

    charges: Array
    values: Array
    options: Array
    charge: float
    value: float


def example_queries(curves: Curves, result: Allocation) -> Rows:
    """Rows worth showing: funded queries from the smallest to the largest charge, then insolvent ones.

    Insolvent queries are those priced out, and near enough: one that breaks even far beyond the largest charge
    shown would squeeze the others into a corner. O(n log n).
    """
    funded, insolvent = np.flatnonzero(result.funded), np.flatnonzero(~result.funded)
    charges = result.charges
    shown = _spread(funded, charges[funded], FUNDED)
    worth = result._problem.market.entry_prices / result._problem.unit
    reach = 1.5 * charges[shown].max() if len(shown) else np.inf
    # `not >` lets a baseline's unknown price, NaN, pass.
    fit = (break_even_charge(curves, result) <= reach) & (worth > 0) & ~(worth > prices_of(result))
    near = insolvent[fit[insolvent]]
    return np.concatenate([shown, _spread(near, worth[near], INSOLVENT)])


def prices_of(result: Allocation) -> Array:
    """Value per budget unit that each query was asked, (n,): that of its group, where groups have their own."""
    own = result._bound.own_prices
    return np.full(len(result), result.price) if own is None else own / result._problem.unit


def break_even_charge(curves: Curves, result: Allocation) -> Array:
    """What the cap is charged that a query has just below its reservation price, (n,)."""
    accounting = result.accounting
    caps = curves.demand(curves.reservation_price(accounting) * (1.0 - 1e-9), accounting)
    return _charge(curves, result, np.arange(len(result)), caps)


def _charge(curves: Curves, result: Allocation, rows: Rows, caps: Array) -> Array:
    """What caps (..., len(rows)) of `curves` are charged, budget units; menus by the price of their first option."""
    tariff, charged = result._problem.market.tariff, curves.cost(caps, result.accounting)
    if tariff.rate is not None:
        charged = charged * tariff.rate[rows % len(tariff.rate), 0]
    if tariff.call is not None:
        charged = charged + np.where(caps > 0, tariff.call[rows % len(tariff.call), 0], 0.0)
    return charged * result._problem.unit


def traces_of(curves: Curves, result: Allocation, rows: Rows, width: float) -> list[Trace]:
    """What to draw of the rows in a picture that is `width` budget units wide."""
    return [
        (_menu_trace if isinstance(curves[int(row)], Menu) else _smooth_trace)(curves[int(row)], result, row, width)
        for row in rows
    ]


def _menu_trace(menu: Any, result: Allocation, row: np.intp, width: float) -> Trace:
    """The best value within each charge, in steps."""
    record, tariff = menu.to_records()[0], result._problem.market.tariff
    costs, values = np.array(record["costs"]), menu.weight[0] * np.array(record["values"])
    burned = np.array(record.get("expected", costs)) if result.accounting == "expected" else costs
    rate, call = tariff.of_options(np.array([row]), len(costs))
    charges = burned if rate is None else burned * rate[0]
    if call is not None:
        charges = charges + np.where(costs > 0, call[0], 0.0)
    charges = charges * result._problem.unit
    order = np.lexsort((values, charges))
    best = np.maximum.accumulate([0.0, *values[order], 0.0])
    choice = -1 if result.choice is None else result.choice[row]
    value = values[choice] if choice >= 0 else menu.utility(result.tokens[row])[0]
    line = np.array([0.0, *charges[order], max(width, charges.max())])
    return Trace(line, best, np.stack([charges, values], axis=1), result.charges[row], value)


def _smooth_trace(curve: Curves, result: Allocation, row: np.intp, width: float) -> Trace:
    rows, limits = np.array([row]), result._problem.market.caps
    share = np.linspace(0.0, 1.0, GRID)
    if result.accounting == "expected":  # what a cap should burn hardly rises any more where the cap is large
        caps = curve.ceiling * share**3
    else:
        one, two = _charge(curve, result, rows, np.array([[1.0], [2.0]]))[:, 0]
        caps = max((width - one) / (two - one) + 1.0, 0.0) * share
    listed = limits.levels[limits.listed == row].ravel()
    listed = listed[np.isfinite(listed)]
    options = np.stack([_on(curve, result, rows, listed), curve.utility(listed[:, None])[:, 0]], axis=1)
    value = curve.utility(result.tokens[row])[0]
    return Trace(
        _on(curve, result, rows, caps), curve.utility(caps[:, None])[:, 0], options, result.charges[row], value
    )


def _on(curve: Curves, result: Allocation, rows: Rows, caps: Array) -> Array:
    return _charge(curve, result, rows, caps[:, None])[:, 0]


def _spread(rows: Rows, key: npt.NDArray[Any], count: int) -> Rows:
    # Evenly through the order of `key`, away from its very ends, where the odd ones are.
    places = np.unique(np.linspace(0.1, 0.9, count) * max(len(rows) - 1, 0) + 0.5).astype(np.intp)
    return rows[np.argsort(key, kind="stable")][np.unique(places)] if len(rows) else rows
