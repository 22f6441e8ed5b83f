"""What holds for every result under nested budgets, and what random cases lose to the best there is."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import tenants as cases
from support import tolerances

from clear_alloc.groups import Binding


def checked(case, result):
    """Everything that holds for every result, from the tokens alone."""
    result.audit()
    charges = result.allocation.charges
    assert charges.sum() <= case.budget * (1 + tolerances.ROUNDING)
    for group in case.groups:
        report, rows = result[group.name], case.within(group.name)
        assert report.spent == pytest.approx(charges[rows].sum(), rel=1e-12, abs=1e-12)
        assert (report.queries, report.funded) == (len(rows), result.allocation.funded[rows].sum())
        if group.budget is not None:
            assert report.spent <= group.budget * (1 + tolerances.ROUNDING)
        assert report.utility >= report.alone * (1 - 1e-9)
        assert min(report.price, report.guarantee_price, report.marginal) >= 0
        assert report.price == 0 or report.binding is Binding.BUDGET
        assert report.guarantee_price == 0 or report.binding is Binding.GUARANTEE


def losses(kind, count, oracle, most=12, scale=200):
    found = []
    for k in range(count):
        rng = np.random.default_rng([3, k])
        case = cases.drawn(kind, rng, levels=1 + k % 3, most=most, scale=scale)
        best, alone = oracle(case)
        result = case.allocated()
        checked(case, result)
        for group in case.groups:
            if group.guarantee:
                assert result[group.name].alone >= alone[group.name] * (1 - 2e-9) - 1e-7
        if oracle is cases.by_tables:  # at the very promises of the result, which may be a rounding lower
            best, _ = oracle(case, {group.name: result[group.name].alone for group in case.groups})
        utility = result.allocation.utility
        assert utility <= best + 1e-6
        assert result.allocation.upper_bound >= best * (1 - 1e-9)
        found.append((best - utility) / best if best > 0 else 0.0)
    return np.array(found)
