"""Random instances, and allocations of them checked against every choice listed one by one."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import milp
from support import strategies, tolerances

import clear_alloc as ca

KNOWN = (strategies.CUMULATIVE, strategies.LOGNORMAL)  # families of known lengths, which expected accounting needs


def instances(seed, count, families, **kind):
    rng = np.random.default_rng(seed)
    drawn = (milp.random_instance(rng, strategies.random_record, families, **kind) for _ in range(2 * count))
    return [one for one in drawn if one is not None][:count]


def checked(instance, best, **terms):
    """An allocation whose every promise was checked against the listed choices."""
    result = ca.allocate(strategies.build(instance.records), instance.budget, **instance.terms, **terms)
    result.audit()
    assert result.spent <= instance.budget * (1 + tolerances.ROUNDING)
    assert result.gap >= 0
    assert result.upper_bound >= best * (1 - tolerances.SATURATION) - 1e-12
    assert result.utility <= best * (1 + tolerances.SATURATION) + 1e-12
    value = 0.0
    columns = zip(result.tokens.tolist(), result.charges.tolist(), instance.lists, strict=True)
    choice = [-1] * len(instance.lists) if result.choice is None else result.choice.tolist()
    for row, (tokens, charge, options) in enumerate(columns):
        fits = [c for c in options if c.tokens == tokens and abs(c.charge - charge) <= tolerances.SUBTOKEN * c.charge]
        assert fits, f"query {row} has {tokens} tokens at {charge}"
        worth = max(c.value for c in fits)
        if instance.records[row]["family"] == strategies.MENU and choice[row] >= 0:
            assert worth >= instance.records[row]["weight"] * instance.records[row]["values"][choice[row]] - 1e-12
        value += worth
    assert result.utility == pytest.approx(value, rel=1e-9, abs=1e-12)
    return result


def losses(cases, **terms):
    found = []
    for instance in cases:
        best = milp.best_value(instance.lists, instance.budget)
        result = checked(instance, best, **terms)
        found.append(1.0 - result.utility / best if best > 1e-9 else 0.0)
    return np.array(found)
