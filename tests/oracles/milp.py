"""Every query's choices listed one by one, and the best of them by integer programming or by trying all.

Random instances with levels, floors, fallbacks and prices besides. Nothing here imports clear_alloc; records and
their values are those of `oracles`.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from oracles import integer_programme
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array
from scipy.stats import norm

MOST = 2**53


class Choice(NamedTuple):
    """What a query may get: whole tokens, what it is charged, what it is worth."""

    tokens: int
    charge: float
    value: float


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


def rest(floor, fallback):
    """What a query gets that is not funded: its fallback, unless a floor forces funding."""
    return None if floor > 0 else fallback


def allowed(levels, floor, high, fallback):
    """Caps of who is funded, and whether anybody may rest. `levels` as the caller writes them, None for any cap."""
    if levels is None:
        least = max(floor, fallback if floor == 0 else 0)
        return range(least, high + 1), floor == 0
    points, spans = set(), []
    for entry in levels:
        if isinstance(entry, (tuple, list)):
            spans.append((entry[0], MOST if entry[1] is None else entry[1]))
        else:
            points.add(entry)
    may_rest = floor == 0 and 0 in points
    least = max(floor, fallback if may_rest else 0)
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


def choices(record, *, levels=None, floor=0, high=MOST, fallback=0, rate=1.0, call=0.0, expected=False):
    """All choices of one query. rate, call : numbers, or lists with one entry per option of a menu."""
    funded, may_rest = allowed(levels, floor, high, fallback)
    if record["family"] == "menu":
        met = floor if levels is None else 0
        return _of_menu(record, funded, may_rest, fallback, rate, call, expected, met)
    rate, call = (entry[0] if isinstance(entry, (list, tuple)) else entry for entry in (rate, call))
    caps = dict.fromkeys([*([fallback] if may_rest else []), *funded])
    return [
        Choice(
            cap,
            rate * (burned(record, cap) if expected else cap) + (call if cap > 0 else 0.0),
            integer_programme.utility(record, cap),
        )
        for cap in caps
    ]


def _of_menu(record, funded, may_rest, fallback, rate, call, expected, met):
    """met : a floor that an option must reach by itself, where no level lifts it."""
    plain = (rate, call, expected) == (1.0, 0.0, False)
    k, weight = len(record["costs"]), record.get("weight", 1.0)
    rates, calls = (list(e) if isinstance(e, (list, tuple)) else [e] * k for e in (rate, call))
    found, resting = [], []
    for option, (cost, value) in enumerate(zip(record["costs"], record["values"], strict=True)):
        size = math.ceil(cost)
        within = may_rest and size <= fallback
        cap = size if within else _lifted(size, funded)
        if cap is None or size < met:
            continue
        if plain:  # a cap buys the best option that it covers
            value = integer_programme.utility({**record, "weight": 1.0}, cap)
        length = record.get("expected", record["costs"])[option] if expected else cap
        own = Choice(cap, rates[option] * length + calls[option], weight * value)
        (resting if within and fallback else found).append(own)
    if not may_rest:
        return found
    # Who rests takes the best that the fallback covers, the cheapest of equals; without one, nothing.
    none = [Choice(0, 0.0, 0.0)]
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
    """Optimum of the multiple-choice knapsack by trying all, without what another combination dominates."""
    charge, value = np.zeros(1), np.zeros(1)
    lists = sorted(map(thinned, lists), key=len)
    rest = sum(options[0].charge for options in lists)
    for options in lists:
        rest -= options[0].charge
        charge = (charge[:, None] + [c.charge for c in options]).ravel()
        value = (value[:, None] + [c.value for c in options]).ravel()
        fits = np.flatnonzero(charge + rest <= budget * (1 + 1e-13))
        if not len(fits):
            return None
        fits = fits[np.lexsort((-value[fits], charge[fits]))]
        best = np.maximum.accumulate(value[fits])
        kept = fits[np.diff(best, prepend=-np.inf) > 0]
        charge, value = charge[kept], value[kept]
    return float(value.max())


def best_by_milp(lists, budget):
    """The same by HiGHS, for lists of a few choices each."""
    lists = [thinned(options) for options in lists]
    flat = [c for options in lists for c in options]
    owner = np.repeat(np.arange(len(lists)), [len(options) for options in lists])
    value, charge = (np.array([c[place] for c in flat]) for place in (2, 1))
    budget = max(budget, 1e-300)
    one = csr_array((np.ones(len(flat)), (owner, np.arange(len(flat)))))
    found = milp(
        -value / max(value.max(), 1e-300),
        constraints=[LinearConstraint(one, 1, 1), LinearConstraint(charge[None, :] / budget, -np.inf, 1 + 1e-13)],
        integrality=np.ones(len(flat)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    assert found.status == 0, found.message
    return math.fsum(value[found.x.round() > 0])


def best_by_trial(lists, budget):
    """The same over every combination, one by one."""
    combinations = (list(zip(*combination, strict=True)) for combination in itertools.product(*lists))
    return max(math.fsum(c[2]) for c in combinations if math.fsum(c[1]) <= budget * (1 + 1e-12))


def best_at(options, price):
    """Highest value - price x charge of one query, over all its choices."""
    return max(c.value - price * c.charge for c in options)


class Instance(NamedTuple):
    """Records, a budget, what to pass to `allocate` besides, and every query's choices."""

    records: list[dict[str, Any]]
    budget: float
    terms: dict[str, Any]
    lists: list[list[Choice]]


def random_menu(rng, scale, *, burned=False, scattered=False):
    """Options in any order, with ties, free options and dominated ones."""
    k = int(rng.integers(1, 5))
    costs = rng.uniform(0.02, 2, k) * scale
    if rng.random() < 0.5:
        costs = np.round(costs)
    if rng.random() < 0.3:
        costs[0] = 0.0
    costs, values = rng.permutation(costs), rng.uniform(0, 1, k)
    if rng.random() < 0.3:
        values = values[np.argsort(np.argsort(costs))]
    if rng.random() < 0.3:
        values = np.round(values * 4) / 4
    record = {"family": "menu", "weight": float(rng.choice([1, 1, 0.5, 2]))}
    record |= {"costs": costs.tolist(), "values": values.tolist()}
    if burned:
        record["expected"] = (costs * rng.uniform(0.2, 1, k)).tolist()
    if scattered:
        record["deviation"] = (costs * rng.uniform(0, 0.4, k)).tolist()
    return record


def random_levels(rng, n, scale, kind):
    """One collection for all or one per query (some None), with and without 0; kind : points, range or any."""

    def one():
        base = [] if rng.random() < 0.1 else [0]
        if kind == "points" or (kind == "any" and rng.random() < 0.5):
            return [*base, *{int(x) + 1 for x in rng.uniform(0.05, 2.2, int(rng.integers(1, 5))) * scale}]
        low = int(rng.uniform(0.05, 1) * scale) + 1
        return [*base, (low, None if rng.random() < 0.3 else low + int(rng.uniform(0, 1.5) * scale))]

    if rng.random() < 0.4:
        return [one()] * n
    return [one() if rng.random() < 0.9 else None for _ in range(n)]


def random_instance(rng, smooth, families, *, levels=None, money=False, expected=False, floors=False, fallback=False,
                    scattered=False, scale=40.0, queries=12):  # fmt: skip
    """A feasible instance, or None where the draw is not. smooth : (rng, family, scale) to a record."""
    n, most = int(rng.integers(2, queries + 1)), int(8 * scale)
    names = [str(rng.choice(families)) for _ in range(n)]
    menus = {"burned": expected, "scattered": scattered}
    records = [random_menu(rng, scale, **menus) if f == "menu" else smooth(rng, f, scale) for f in names]
    if rng.random() < 0.15:
        records = [records[k % 2] for k in range(n)]
    own = random_levels(rng, n, scale, levels) if levels else [None] * n
    least, back, top = [0] * n, [0] * n, [most] * n
    if floors:
        least = [int(rng.uniform(0, 0.3) * scale) if rng.random() < 0.3 else 0 for _ in range(n)]
        top = [int(rng.uniform(0.5, 2.5) * scale) if rng.random() < 0.3 else most for _ in range(n)]
    if fallback:
        back = [int(rng.uniform(0, 0.4) * scale) if rng.random() < 0.6 else 0 for _ in range(n)]
    unit = float(rng.choice([1e-6, 0.3, 1.0]))

    def price(record, low, high):
        if record["family"] != "menu" or rng.random() < 0.3:
            return float(unit * rng.uniform(low, high))
        return (unit * rng.uniform(low, high, len(record["costs"]))).tolist()

    rates = [price(record, 0.5, 3) for record in records] if money else [1.0] * n
    calls = [price(record, 0, scale / 2) for record in records] if money and rng.random() < 0.6 else [0.0] * n
    terms = {"levels": [None if caps is None else set(caps) for caps in own] if levels else None}
    terms |= {"min_tokens": least, "max_tokens": top, "fallback": back}
    terms |= {"rate": rates, "call": calls} if money else {}
    terms |= {"accounting": "expected"} if expected else {}
    each = zip(records, own, least, top, back, rates, calls, strict=True)
    lists = []
    for record, caps, low, high, rests, rate, call in each:
        limits = {"levels": caps, "floor": low, "high": high, "fallback": rests}
        lists.append(choices(record, **limits, rate=rate, call=call, expected=expected))
    if not all(lists):
        return None
    low = sum(min(c.charge for c in options) for options in lists)
    room = sum(thinned(options)[-1].charge for options in lists) - low
    low *= 1 + 1e-12  # a sum of floors may be rounded in another order
    budget = low + room * float(rng.choice([0.03, 0.1, 0.2, 0.4, 0.7, 1.05])) * rng.uniform(0.7, 1.3)
    return Instance(records, budget if money or expected else float(math.ceil(budget)), terms, lists)
