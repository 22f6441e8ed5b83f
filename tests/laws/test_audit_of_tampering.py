"""Whatever a result promises, a result that was tampered with is found."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

import clear_alloc as ca

RNG = np.random.default_rng(0)
SURGES = ca.ShiftedSurge(RNG.uniform(0, 900, 12), RNG.uniform(50, 400, 12), RNG.uniform(0.1, 1, 12))
LOGNORMALS = ca.LognormalArrival(RNG.uniform(100, 900, 12), 0.5, 0.7)
RESULTS = {
    "tokens": lambda: ca.allocate(SURGES, 4000),
    "money": lambda: ca.allocate(SURGES, 4.0, rate=0.001, call=0.1),
    "expected": lambda: ca.allocate(LOGNORMALS, 4000, accounting="expected"),
    "menu": lambda: ca.allocate(ca.Menu([[100, 300, 800]] * 6, [[0.2, 0.5, 0.8]] * 6), 1500),
    "priced": lambda: ca.allocate(SURGES, None, price=5e-4),
    "uniform": lambda: ca.uniform(SURGES, 4000),
    "slack": lambda: ca.allocate(SURGES, 10**6),
}
PROMISES = (
    "tokens", "funded", "price", "utility", "upper_bound", "budget", "spent", "deviation", "margin", "status",
    "choice",
)  # fmt: skip


def tampered(value):
    """Other values of the same kind: near, far and no numbers."""
    if isinstance(value, float):
        others = (value * 1.01 + 1e-3, value * 0.99 - 1e-3, -value - 1.0, float("inf"), float("nan"))
        return [other for other in others if other != value and not (np.isnan(other) and np.isnan(value))]
    if isinstance(value, np.ndarray):
        columns = [value.copy() for _ in range(3)]
        for place, column in enumerate(columns):
            column[place] = not column[place] if column.dtype == bool else column[place] + 1
        return columns
    if isinstance(value, ca.Status):
        return [status for status in ca.Status if status is not value]
    return [1.0] if value is None else [value + 1, value - 1] if isinstance(value, int) else []


@pytest.mark.parametrize("kind", RESULTS)
def test_every_changed_promise_of_a_result_is_found(kind):
    result = RESULTS[kind]()
    result.audit()
    for name in PROMISES:
        if name == "price" and kind == "uniform":
            continue  # no price, in any writing, is none
        for other in tampered(getattr(result, name)):
            with pytest.raises(ca.AuditFailed):
                replace(result, **{name: other}).audit()


@pytest.mark.parametrize("accounting", ["reserved", "expected"])
def test_every_changed_report_of_a_group_is_found(accounting):
    curves = SURGES if accounting == "reserved" else LOGNORMALS
    groups = [ca.Group("a", budget=900), ca.Group("b", guarantee=1500.0), ca.Group("c"), ca.Group("d", "c", 700)]
    names = ["a"] * 3 + ["b"] * 3 + ["d"] * 3 + ["c", None, None]
    result = ca.allocate_groups(curves, 4000, groups, names, accounting=accounting)
    result.audit()
    for place, report in enumerate(result.groups):
        for field in fields(report):
            value = getattr(report, field.name)
            others = (
                [each for each in type(value) if each is not value] if field.name == "binding" else tampered(value)
            )
            for other in ["another"] if isinstance(value, str) else others:
                reports = list(result.groups)
                reports[place] = replace(report, **{field.name: other})
                with pytest.raises(ca.AuditFailed):
                    replace(result, groups=tuple(reports)).audit()
    for name in ("price", "utility", "upper_bound", "budget", "spent", "status", "margin", "deviation"):
        for other in tampered(getattr(result.allocation, name)):
            with pytest.raises(ca.AuditFailed):
                replace(result, allocation=replace(result.allocation, **{name: other})).audit()
    with pytest.raises(ca.AuditFailed):
        replace(result, group_of=("b", *result.group_of[1:])).audit()
