"""Slow, plain answers to compare with. Nothing here imports clear_alloc."""

from __future__ import annotations

import math

import numpy as np


def utility(record, b):
    """Value of a whole or real cap b, from the formulas of the design, one query at a time."""
    weight = record.get("weight", 1.0)
    family = record["family"]
    if family == "menu":
        options = zip(record["costs"], record["values"], strict=True)
        return weight * max([v for c, v in options if c <= b], default=0.0)
    if family == "shifted_surge":
        y = min(max((b - record["threshold"]) / record["width"], 0.0), 1.0)
        return weight * record["peak"] * y * math.exp(1.0 - y)
    if family == "cumulative_surge":
        y = max((b - record["threshold"]) / record["width"], 0.0)
        return weight * record["solvability"] * (1.0 - (1.0 + y) * math.exp(-y))
    if b <= 0:
        return 0.0
    z = (math.log(b) - math.log(record["median"])) / record["spread"]
    return weight * record["solvability"] * 0.5 * math.erfc(-z / math.sqrt(2.0))


def allowed_caps(record, low, high):
    """Caps that may be granted: whole tokens, or 0 and the rounded-up costs of a menu."""
    if record["family"] != "menu":
        return list(range(low, high + 1))
    costs = {math.ceil(c) for c in record["costs"]} | ({0} if low == 0 else set())
    return sorted(c for c in costs if low <= c <= high)


def best_utility(records, budget, floors=None, ceilings=None):
    """Optimum of the integer problem by Bellman's recursion over all allowed caps; None if nothing is feasible."""
    floors = floors if floors is not None else [0] * len(records)
    ceilings = ceilings if ceilings is not None else [budget] * len(records)
    best = np.full(budget + 1, -np.inf)
    best[0] = 0.0
    for record, low, high in zip(records, floors, ceilings, strict=True):
        new, seen = np.full(budget + 1, -np.inf), -np.inf
        for cap in allowed_caps(record, low, min(high, budget)):
            value = utility(record, cap)
            if value > seen:  # a dearer cap of equal worth is never needed
                seen = value
                np.maximum(new[cap:], best[: budget + 1 - cap] + value, out=new[cap:])
        best = new
    top = best.max()
    return None if top == -np.inf else float(top)
