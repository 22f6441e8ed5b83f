"""The side that is ours in every group."""

from __future__ import annotations

from benchmarks.speed import subject
from benchmarks.speed.rows import Case
from benchmarks.speed.workloads import budget_of, columns


def test_every_call_builds_its_curves_and_takes_the_case_s_terms(monkeypatch):
    seen = []

    def spied(curves, budget, **terms):
        seen.append((curves, budget, terms))

    monkeypatch.setattr(subject.ca, "allocate", spied)
    work = subject.work_of(Case("sort", "lognormal", "expected", 5, 0.05, 0.3))
    work.done()
    work.done(0.25)
    (first, budget, terms), (second, _, later) = seen
    assert first is not second
    assert budget == budget_of("lognormal", columns("lognormal", 5), 0.3)
    assert terms == {"accounting": "expected", "overrun": 0.05, "start": 0.0}
    assert later["start"] == 0.25
