"""Times by size, and with a price to start from."""

from __future__ import annotations

import numpy as np
from support.speed_rows import SURGE, surge_case

import clear_alloc as ca
from benchmarks.speed import subject
from benchmarks.speed.groups import GROUPS, cases_of, sizes
from benchmarks.speed.workloads import FUNDED, SHARE, budget_of, columns


def test_the_sizes_are_those_of_the_study():
    found = {
        case.n for case in cases_of(["sort"], 10_000_000) if case.series == ("sort", SURGE, "reserved", None, SHARE)
    }
    assert found == {1, 10, 64, 100, 512, 1_000, 10_000, 100_000, 1_000_000, 10_000_000}
    assert len({case.series for case in cases_of(["sort"], 1) if case.share == FUNDED}) == 6
    assert max(case.n for case in cases_of(list(GROUPS), 1_000_000)) == 1_000_000


def test_the_start_is_the_price_of_another_batch(monkeypatch):
    seen = []
    allocate = ca.allocate

    def spied(curves, budget, *, start=0.0, **terms):
        seen.append((float(curves.threshold[0]), start))
        return allocate(curves, budget, start=start, **terms)

    monkeypatch.setattr(subject.ca, "allocate", spied)
    sizes.with_start(surge_case("start"), 1)
    price = allocate(ca.ShiftedSurge(*columns(SURGE, 64)), budget_of(SURGE, columns(SURGE, 64))).price
    following = columns(SURGE, 64, seed=2)[0][0]
    assert (following, price) in seen
    assert (following, 0.0) in seen
    assert following != columns(SURGE, 64)[0][0]


def test_the_reference_sorts_as_many_random_numbers(monkeypatch):
    sort, seen = np.sort, []
    monkeypatch.setattr(np, "sort", lambda keys, *rest, **named: seen.append(keys) or sort(keys, *rest, **named))
    sizes.against_sort(surge_case(n=64), 1)
    assert any(keys is seen[-1] for keys in seen[:-1])
    assert (len(np.unique(seen[-1])), bool((np.diff(seen[-1]) < 0.0).any())) == (64, True)
