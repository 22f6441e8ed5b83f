"""What the package is to reach."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.speed_rows import SURGE, WHERE, row_for

from benchmarks.speed.groups import GROUPS
from benchmarks.speed.report import markdown
from benchmarks.speed.rows import Case, Row
from benchmarks.speed.targets import TARGETS, checked_targets
from benchmarks.speed.workloads import SHARE


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.words} {target.family}")
def test_an_aim_is_met_up_to_its_limit_and_not_beyond(target):
    for factor in (0.9, 1.0, 1.1):
        row = row_for(target, factor * target.limit)
        (found,) = checked_targets([row], [target])
        met = factor >= 1.0 if target.at_least else factor <= 1.0
        assert (found.met, found.measured) == (met, pytest.approx(factor * target.limit))
        lines = [line for line in markdown([row], [WHERE], "").splitlines() if line.startswith(f"| {target.words} |")]
        (line,) = [line for line in lines if not line.endswith("| not measured |")]
        assert line.endswith("| yes |" if met else "| **no** |")
        assert f"| {target.shown(factor * target.limit)} |" in line


def test_the_aims_are_those_that_were_set():
    limits = {
        (target.group, target.family, target.n, target.measure.__name__): (target.limit, target.at_least)
        for target in TARGETS
    }
    assert limits["sort", SURGE, 1_000_000, "ratio"] == (2.0, False)
    assert limits["sort", "lognormal", 1_000_000, "ratio"] == (3.0, False)
    assert limits["bisection", SURGE, 1_000_000, "speed_up"] == (60.0, True)
    assert limits["memory", SURGE, 10_000_000, "peak"] == (1.5e9, False)
    assert limits["memory", SURGE, 10_000_000, "ratio"] == (11.0, False)
    assert limits["sort", SURGE, 64, "seconds"] == (1e-3, False)
    assert limits["sort", SURGE, 1, "seconds"] == (2e-4, False)
    assert limits["import", "", 0, "ratio"] == (1.5, False)
    every = {
        (case.group, case.family, case.accounting, case.n, case.overrun)
        for own in GROUPS.values()
        for case in own.cases
    }
    assert all(
        (target.group, target.family, target.accounting, target.n, target.overrun) in every for target in TARGETS
    )


def test_the_worst_row_tells_and_a_failure_meets_nothing():
    first, (fast,) = TARGETS[0], [target for target in TARGETS if target.at_least]
    assert (
        checked_targets([row_for(first, 1.0), row_for(first, 2.5), row_for(first, 1.5)], [first])[0].measured == 2.5
    )
    assert checked_targets([row_for(fast, 70.0), row_for(fast, 50.0)], [fast])[0].met is False
    case = Case(first.group, first.family, first.accounting, first.n, first.overrun, SHARE)
    for extra, why in ((Row.of(case, error="E"), "failed"), (Row.of(case, skipped="s"), "skipped")):
        (found,) = checked_targets([row_for(first, 1.0), extra], [first])
        assert (found.met, found.measured, found.why) == (None, None, why)
    other = TARGETS[1]
    changes = {"overrun": 0.05, "n": 10, "accounting": "reserved", "family": SURGE, "group": "start"}
    told_of = [replace(row_for(other, 2.0), **{name: value}) for name, value in changes.items()]
    assert checked_targets(told_of, [other])[0].why == checked_targets([], [other])[0].why == "not measured"
