"""Rounds take turns, and their ratios."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from support.speed_rows import Clock, surge_case

from benchmarks.speed import timing
from benchmarks.speed.rows import Row
from benchmarks.speed.targets import speed_up
from benchmarks.speed.timing import exponent, in_turn, ratios, seconds_of, slopes


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=made))
    return made


def test_a_short_call_is_made_until_the_round_is_long_enough(clock):
    calls = []

    def act():
        clock.passes(1e-3)
        return calls.append(0) or len(calls)

    assert seconds_of(act) == (pytest.approx(1e-3), 7)  # 1 + 2 + 4 calls pass 5 ms
    assert seconds_of(lambda: clock.passes(2.0))[0] == 2.0


@pytest.mark.parametrize(
    ("each", "asked", "done"), [(1.0, 9, 9), (30.0, 9, 3), (5.0, 9, 6), (90.0, 2, 2), (1.0, 1, 1)]
)
def test_rounds_take_turns_and_end_in_time(clock, monkeypatch, each, asked, done):
    events = []
    monkeypatch.setattr(timing.gc, "collect", lambda: events.append("collect"))

    def act(name, amount):
        clock.passes(amount)
        events.append(name)
        return name

    timed = in_turn(lambda: act("ours", each), lambda: act("reference", 2.0 * each - each), asked)
    assert events == ["collect", "ours", "reference"] * done
    assert (timed.ours, timed.reference) == ((each,) * done, (each,) * done)
    assert (timed.result, timed.other) == ("ours", "reference")
    assert in_turn(lambda: act("alone", each), None, 1).reference == ()


def test_ratios_are_taken_round_by_round():
    assert ratios((2.0, 4.0, 9.0), (1.0, 4.0, 3.0)) == (1.5, 2.0, 2.5)  # of 2, 1 and 3; the medians' ratio is 4/3
    assert ratios((1.0,), ()) is None
    row = Row.of(surge_case(), (2.0, 4.0, 9.0), (1.0, 4.0, 3.0))
    assert (row.ratio_low, row.ratio, row.ratio_high) == (1.5, 2.0, 2.5)
    assert speed_up(row) == 0.5
    assert Row.of(surge_case(), (1.0,)).ratio is None


def test_exponents_are_slopes_of_logarithms():
    n = [10_000, 100_000, 1_000_000]
    assert exponent(n, [3e-9 * size**1.25 for size in n]) == pytest.approx(1.25)
    assert slopes(n, [1.0, 10.0, 1000.0]) == pytest.approx([1.0, 2.0])
    assert exponent(n, [1.0, 10.0, 1000.0]) == pytest.approx(1.5)
    assert math.isnan(exponent([5, 5], [1.0, 2.0]))
