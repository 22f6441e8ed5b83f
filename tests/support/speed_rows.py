"""Cases, rows and a clock for tests of the benchmark of speed."""

from __future__ import annotations

import numpy as np

from benchmarks.speed.groups import GROUPS, cases_of
from benchmarks.speed.rows import Case, Row
from benchmarks.speed.targets import peak, ratio, seconds, speed_up
from benchmarks.speed.workloads import SHARE

SURGE = "shifted_surge"


def surge_case(group="sort", n=64, **changes):
    return Case(group, SURGE, "reserved", n, **{"share": SHARE, **changes})


def value_of_one(given, row, caps):
    threshold, width, peak_value = (column[row] for column in given)
    y = np.minimum(np.maximum(caps - threshold, 0.0) / width, 1.0)
    return peak_value * y * np.exp(1.0 - y)


class Clock:
    """Stands still unless told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def passes(self, amount):
        self.now += amount


WHERE = {"commit": "abc", "dirty": False, "code": "def", "machine": "Linux", "versions": "numpy 2", "cpu": "A CPU",
         "cores": 4, "threads": None}  # fmt: skip


def row_for(target, value, **changes):
    """A row in which a target's number is this value."""
    case = Case(target.group, target.family, target.accounting, target.n, target.overrun, SHARE)
    sides = {
        ratio: ((value,), (1.0,)),
        speed_up: ((1.0,), (value,)),
        seconds: ((value,), (1.0,)),
        peak: ((1.0,), (1.0,)),
    }
    ours, reference = sides[target.measure]
    return Row.of(case, ours, reference, **{"figures": {"peak": value} if target.measure is peak else {}, **changes})


def some_rows():
    made = [
        Row.of(
            case,
            (2e-3, 3e-3),
            (1e-3, 1e-3),
            gap=1e-7,
            figures={"utility": 1.25, "ended": 1.0, "peak": 1e9, "before": 5e8},
        )
        for case in cases_of(list(GROUPS), 10_000_000)
        if case.group != "stages"
    ]
    shares = {"curves": 0.7, "price": 0.297, "blocks": 0.003}
    made += [Row.of(case, (1e-3,), figures={"profiled": 2e-3}, shares=shares) for case in GROUPS["stages"].cases]
    made[5] = Row.of(Case("sort", SURGE, "reserved", 512), error="Bad: a|b *c*")
    made[9] = Row.of(Case("sort", SURGE, "reserved", 1_000_000), skipped="skipped: predicted 70 s")
    return made


def played(monkeypatch, act):
    monkeypatch.setitem(GROUPS, "sort", GROUPS["sort"]._replace(measure=act))
