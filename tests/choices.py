"""Every query's choices listed one by one, and the best of them by integer programming or by trying all.

Nothing here imports clear_alloc. Records and their values are those of `oracles`.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import oracles
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array
from scipy.stats import norm

MOST = 2**53


class Choice(NamedTuple):
    """What a query may get: whole tokens, what it is charged, what it is worth, which option it buys."""

    tokens: int
    charge: float
    value: float
    label: int = -1
    deviation: float = 0.0
    worst: float = math.inf


def burned(record, cap):
    """E min(L, cap), from the arrival laws of the design: the integral of the share that still runs."""
    if cap <= 0:
        return 0.0
    if record["family"] == "cumulative_surge":
        y = max(cap - record["threshold"], 0.0) / record["width"]
        return min(cap, record["threshold"]) + record["width"] * (2.0 - (2.0 + y) * math.exp(-y))
    median, spread = record["median"], record["spread"]
    z = (math.log(cap) - math.log(median)) / spread
    return median * math.exp(spread**2 / 2) * norm.cdf(z - spread) + cap * norm.sf(z)


def scatter(record, cap):
    """Standard deviation of min(L, cap), by the trapezoid rule on its second moment 2 x the integral of t S(t)."""
    if cap <= 0:
        return 0.0
    t = np.linspace(0.0, cap, 20_001)
    if record["family"] == "cumulative_surge":
        y = np.maximum(t - record["threshold"], 0.0) / record["width"]
        running = (1.0 + y) * np.exp(-y)
    else:
        with np.errstate(divide="ignore"):
            running = norm.sf((np.log(t) - math.log(record["median"])) / record["spread"])
    second = np.trapezoid(2.0 * t * running, t)
    return math.sqrt(max(second - np.trapezoid(running, t) ** 2, 0.0))


def rest(floor, fallback):
    """What a query gets that is not funded: its fallback, unless a floor forces funding."""
    return None if floor > 0 else fallback


def allowed(levels, floor, high, fallback):
    """Caps of who is funded, and whether anybody may rest. `levels` as the caller writes them, None for any cap."""
    least = max(floor, fallback if floor == 0 else 0)
    if levels is None:
        return range(least, high + 1), floor == 0
    points, spans = set(), []
    for entry in levels:
        if isinstance(entry, (tuple, list)):
            spans.append((entry[0], MOST if entry[1] is None else entry[1]))
        else:
            points.add(entry)
    may_rest = floor == 0 and 0 in points
    if spans:
        ((low, most),) = spans
        return range(max(least, low), min(high, most) + 1), may_rest
    return sorted(p for p in points if p > 0 and least <= p <= high), may_rest


def _lifted(cap, funded):
    """The smallest cap for the funded that is at least `cap`, None if there is none."""
    if isinstance(funded, range):
        up = max(cap, funded.start)
        return up if up < funded.stop else None
    return min((level for level in funded if level >= cap), default=None)


def choices(record, *, levels=None, floor=0, high=MOST, fallback=0, rate=1.0, call=0.0, expected=False, most=None):
    """All choices of one query. rate, call : numbers, or lists with one entry per option of a menu.

    most : no cap above it is listed, for ranges that go on for ever.
    """
    funded, may_rest = allowed(levels, floor, high, fallback)
    if record["family"] == "menu":
        return _of_menu(record, funded, may_rest, fallback, rate, call, expected)
    if isinstance(funded, range) and most is not None:
        funded = range(funded.start, min(funded.stop, most + 1))
    rate, call = (entry[0] if isinstance(entry, (list, tuple)) else entry for entry in (rate, call))
    caps = dict.fromkeys([*([fallback] if may_rest else []), *funded])
    return [
        Choice(
            cap,
            rate * (burned(record, cap) if expected else cap) + (call if cap > 0 else 0.0),
            oracles.utility(record, cap),
            -1,
            rate * scatter(record, cap) if expected else 0.0,
            rate * cap + (call if cap > 0 else 0.0),
        )
        for cap in caps
    ]


def _of_menu(record, funded, may_rest, fallback, rate, call, expected):
    k, weight = len(record["costs"]), record.get("weight", 1.0)
    rates, calls = (list(e) if isinstance(e, (list, tuple)) else [e] * k for e in (rate, call))
    found, resting = [], []
    for option, (cost, value) in enumerate(zip(record["costs"], record["values"], strict=True)):
        size = math.ceil(cost)
        within = may_rest and size <= fallback
        cap = size if within else _lifted(size, funded)
        if cap is None:
            continue
        length = record.get("expected", record["costs"])[option] if expected else cap
        spread = record.get("deviation", [0.0] * k)[option] * rates[option] if expected else 0.0
        sure = not expected or not spread or length < cost
        worst = rates[option] * cap + calls[option] if sure else math.inf
        own = Choice(cap, rates[option] * length + calls[option], weight * value, option, spread, worst)
        (resting if within and fallback else found).append(own)
    if not may_rest:
        return found
    # Who rests takes the best that the fallback covers, the cheapest of equals; without one, nothing.
    none = [Choice(0, 0.0, 0.0, -1, 0.0, 0.0)]
    return [*found, *(none if not resting else [max(resting, key=lambda c: (c.value, -c.charge))])]


def thinned(options):
    """Without choices that cost no less and are worth no more than another."""
    kept, seen = [], -math.inf
    for option in sorted(options, key=lambda c: (c.charge, -c.value)):
        if option.value > seen:
            kept.append(option)
            seen = option.value
    return kept


def best_value(lists, budget):
    """Optimum of the multiple-choice knapsack by HiGHS; None if nothing is feasible."""
    lists = [thinned(options) for options in lists]
    if sum(min(c.charge for c in options) for options in lists) > budget * (1 + 1e-12):
        return None
    if sum(options[-1].charge for options in lists) <= budget:
        return math.fsum(options[-1].value for options in lists)
    flat = [c for options in lists for c in options]
    owner = np.repeat(np.arange(len(lists)), [len(options) for options in lists])
    value = np.array([c.value for c in flat])
    unit = max(budget, 1e-300)
    charge = np.array([c.charge for c in flat]) / unit
    one = csr_array((np.ones(len(flat)), (owner, np.arange(len(flat)))))
    found = milp(
        -value / max(value.max(), 1e-300),
        constraints=[LinearConstraint(one, 1, 1), LinearConstraint(charge[None, :], -np.inf, 1.0)],
        integrality=np.ones(len(flat)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    taken = found.x.round() > 0
    assert found.status == 0
    assert charge[taken].sum() <= 1 + 1e-6
    return math.fsum(value[taken])


def best_by_trial(lists, budget, deviations=0.0):
    """Optimum over every combination, with a margin of so many standard deviations, but never more than the worst."""
    value, charge, variance, worst = (np.zeros(1) for _ in range(4))
    for options in lists:
        columns = [np.array(column, dtype=float) for column in zip(*((c.value, c.charge, c.deviation**2, c.worst)
                   for c in options), strict=True)]  # fmt: skip
        value, charge, variance, worst = (
            (total[:, None] + column).ravel()
            for total, column in zip((value, charge, variance, worst), columns, strict=True)
        )
    margin = np.minimum(deviations * np.sqrt(variance), worst - charge)
    fits = charge + margin <= budget * (1 + 1e-12)
    return float(value[fits].max()) if fits.any() else None


def best_at(options, price):
    """Highest value - price x charge of one query, over all its choices."""
    return max(c.value - price * c.charge for c in options)
