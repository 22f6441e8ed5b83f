"""The yardsticks of speed: the references are right, the arithmetic is, and the page says what the rows say."""

from __future__ import annotations

import itertools
import json
import math
import platform
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import FunctionType, SimpleNamespace

import numpy as np
import pytest
from support.package_tree import INSIDE, imported_modules, room_of
from typer.testing import CliRunner

import clear_alloc as ca
from benchmarks import slsqp as relaxed
from benchmarks.speed import __main__ as cli
from benchmarks.speed import references, running, timing, workloads
from benchmarks.speed import subprocess_probe as child
from benchmarks.speed.groups import GROUPS, cases_of, processes, sizes
from benchmarks.speed.groups import competitors as rivals
from benchmarks.speed.groups import subject as own
from benchmarks.speed.markdown import seconds_words, significant
from benchmarks.speed.profiling import Hook, house_order, profiled
from benchmarks.speed.references import Found, bisected, grid_of, mixed_integer, sequential, surge_value
from benchmarks.speed.report import markdown, write_page
from benchmarks.speed.report.picture import sizes as sizes_picture
from benchmarks.speed.rows import FILE, Case, Row, environment, read_rows, told, write_rows
from benchmarks.speed.scaling import growth
from benchmarks.speed.tables import COLUMNS, table_of
from benchmarks.speed.targets import AIMS, judged, peak, ratio, seconds, speed_up
from benchmarks.speed.timing import exponent, in_turn, ratios, seconds_of, slopes
from benchmarks.speed.workloads import FUNDED, SHARE, budget_of, columns

SURGE = "shifted_surge"
ROOT = Path(__file__).parents[2]


def surge_case(group="sort", n=64, **changes):
    return Case(group, SURGE, "reserved", n, **{"share": SHARE, **changes})


# References


def value_of_one(given, row, caps):
    threshold, width, peak_value = (column[row] for column in given)
    y = np.minimum(np.maximum(caps - threshold, 0.0) / width, 1.0)
    return peak_value * y * np.exp(1.0 - y)


def test_bisection_maximises_every_query_s_surplus_and_fills_the_budget():
    given = columns(SURGE, 150)
    budget = budget_of(SURGE, given)
    caps, price = bisected(given, budget)
    for row, cap in enumerate(caps):
        tried = np.linspace(0.0, 3000.0, 30_001)
        best = (value_of_one(given, row, tried) - price * tried).max()
        assert value_of_one(given, row, cap) - price * cap == pytest.approx(max(best, 0.0), abs=1e-5)
    assert (caps > 0.0).sum() > 20
    funded = np.flatnonzero(caps)
    slope = [(value_of_one(given, row, caps[row] + 1e-3) - value_of_one(given, row, caps[row] - 1e-3)) / 2e-3
             for row in funded]  # fmt: skip
    assert slope == pytest.approx(np.full(len(funded), price), rel=1e-4)
    lower, _ = bisected(given, budget + caps.max() + 3000.0)
    assert budget - 3000.0 < caps.sum() <= budget < lower.sum()


def test_values_are_those_of_the_curves():
    for family, value in rivals.VALUE.items():
        given = columns(family, 40)
        caps = np.arange(40) * 70.0
        assert value(given, caps) == pytest.approx(float(workloads.curves_of(family, given).utility(caps).sum()))


@pytest.mark.parametrize("solve", [sequential, mixed_integer])
@pytest.mark.parametrize("n", [10, 50])
def test_no_solver_beats_ours_by_more_than_its_gap(solve, n):
    given = columns(SURGE, n)
    budget = budget_of(SURGE, given)
    found, ours = solve(given, budget), ca.allocate(ca.ShiftedSurge(*given), budget)
    assert found.ended
    assert found.caps.sum() <= budget
    assert (found.caps == np.floor(found.caps)).all()
    assert found.caps.min() >= 0.0
    theirs = surge_value(given, found.caps)
    assert 0.1 * ours.utility < theirs <= ours.utility * (1.0 + 1e-6) + ours.gap


def test_slsqp_finds_the_optimum_where_curves_are_concave():
    given = (np.zeros(6), np.array([50.0, 100, 200, 300, 400, 500]), np.array([0.3, 0.9, 0.5, 0.8, 0.4, 1.0]))
    found = sequential(given, 600).caps
    assert found == pytest.approx(bisected(given, 600)[0] - 0.5, abs=0.6)  # rounded down


def test_the_integer_program_finds_the_best_of_its_grid():
    given = columns(SURGE, 3)
    grid = grid_of(given)
    assert grid.shape == (3, references.GRID)
    assert (grid[:, 0] == 0.0).all()
    assert (grid[:, -1] == np.ceil(given[0] + given[1])).all()
    assert (np.diff(grid[:, 1:], axis=1) >= 0.0).all()
    every = np.array(list(itertools.product(*grid)))
    worth = sum(value_of_one(given, row, every[:, row]) for row in range(3))
    for budget in (900, 1800, 2500):
        found = mixed_integer(given, budget)
        assert found.caps.sum() <= budget
        assert surge_value(given, found.caps) == pytest.approx(worth[every.sum(axis=1) <= budget].max(), rel=1e-4)
        assert 0.0 <= found.left <= 1e-4
    with pytest.raises(RuntimeError, match="HiGHS found no caps"):
        mixed_integer(given, -1)


def test_what_a_solver_says_of_itself_is_kept_and_its_tolerance_is_not_ours(monkeypatch):
    given = columns(SURGE, 8)
    beyond = SimpleNamespace(x=np.full(8, 1.25), success=False)
    monkeypatch.setattr(relaxed, "minimize", lambda *_, **__: beyond)
    assert sequential(given, 801) == (pytest.approx(np.full(8, 100.0)), pytest.approx(math.nan, nan_ok=True), False)
    late = SimpleNamespace(x=np.eye(references.GRID)[:8].ravel(), mip_gap=0.2, status=1)
    monkeypatch.setattr(references, "milp", lambda *_, **__: late)
    found = mixed_integer(given, 5)
    assert found.caps.tolist() == [grid_of(given)[row, row] for row in range(8)]
    assert (found.left, found.ended) == (0.2, False)


# Workloads


def test_the_workloads_are_the_ones_of_old():
    for family, ranges in {
        SURGE: ((0, 2000), (10, 500), (0.1, 1)),
        "lognormal": ((50, 2000), (0.05, 1.5), (0.1, 1)),
    }.items():
        rng = np.random.default_rng([1, 30])
        for column, (low, high) in zip(columns(family, 30), ranges, strict=True):
            assert column.tolist() == rng.uniform(low, high, 30).tolist()
    assert columns(SURGE, 30, seed=2)[0][0] != columns(SURGE, 30)[0][0]


def test_the_budget_is_a_share_of_break_even_whatever_the_blocks(monkeypatch):
    given = columns(SURGE, 100)
    whole = ca.ShiftedSurge(*given).break_even.sum()
    for block in (7, 99, 100, 1000):
        monkeypatch.setattr(workloads, "BLOCK", block)
        assert budget_of(SURGE, given) == int(0.3 * whole)
    assert budget_of(SURGE, given, 1.5) == own.work_of(surge_case(n=100, share=1.5)).budget == int(1.5 * whole)


def test_every_call_builds_its_curves_and_takes_the_case_s_terms(monkeypatch):
    seen = []

    def spied(curves, budget, **terms):
        seen.append((curves, budget, terms))

    monkeypatch.setattr(own.ca, "allocate", spied)
    work = own.work_of(Case("sort", "lognormal", "expected", 5, 0.05, 0.3))
    work.done()
    work.done(0.25)
    (first, budget, terms), (second, _, later) = seen
    assert first is not second
    assert budget == budget_of("lognormal", columns("lognormal", 5), 0.3)
    assert terms == {"accounting": "expected", "overrun": 0.05, "start": 0.0}
    assert later["start"] == 0.25


# Times


class Clock:
    """Stands still unless told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def passes(self, amount):
        self.now += amount


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


def test_growth_is_that_of_large_sizes_series_by_series():
    times = {100: 5.0, 1_000: 5.0, 10_000: 1.0, 100_000: 8.0, 1_000_000: 100.0}
    rows = [Row.of(surge_case(n=n), (t, t, n * t)) for n, t in reversed(times.items())]
    rows += [Row.of(Case("sort", "lognormal", "reserved", n), (1.0,)) for n in (1_000, 10_000)]
    rows.append(Row.of(surge_case(n=10_000_000), error="ValueError"))
    (found,) = growth(rows)
    assert (found.first, found.last, found.exponent) == (10_000, 1_000_000, pytest.approx(1.0))
    assert (found.low, found.high) == (pytest.approx(math.log10(8.0)), pytest.approx(math.log10(12.5)))


def test_numbers_are_read_without_exponents():
    shown = (1.8666e-3, 4.5678e-5, 12.5, 1234.5, 0.0)
    assert [seconds_words(own) for own in shown] == ["1.87 ms", "45.7 us", "12.5 s", "1,234 s", "0 us"]
    assert [significant(own) for own in (0.01234, 1.999, 123456.0, None, math.nan)] == [
        *("0.0123", "2", "123,456", "-", "-")
    ]


# Groups


@pytest.mark.slow
def test_every_group_measures_a_small_case():
    for name in ("sort", "slsqp", "milp", "start"):
        case = replace(GROUPS[name].cases[0], n=10)
        row = GROUPS[name].measure(case, 2)
        assert (row.group, row.n, len(row.ours), len(row.reference)) == (name, 10, 2, 2)
        assert 0.0 <= row.gap < 1.0
        assert row.error is row.skipped is None
    assert row.figures == {"same caps": 1.0}


def test_the_sizes_are_those_of_the_study():
    found = {
        case.n for case in cases_of(["sort"], 10_000_000) if case.series == ("sort", SURGE, "reserved", None, SHARE)
    }
    assert found == {1, 10, 64, 100, 512, 1_000, 10_000, 100_000, 1_000_000, 10_000_000}
    assert len({case.series for case in cases_of(["sort"], 1) if case.share == FUNDED}) == 6
    assert max(case.n for case in cases_of(list(GROUPS), 1_000_000)) == 1_000_000


def stub(monkeypatch, caps, **found):
    monkeypatch.setitem(rivals.RIVALS, "slsqp", rivals.Rival(lambda work: Found(caps(work), **found)))
    return rivals.against(surge_case("slsqp", 10), 1)


@pytest.mark.slow
def test_a_rival_s_utility_is_computed_here_and_its_caps_must_fit(monkeypatch):
    given = columns(SURGE, 10)
    best = ca.allocate(ca.ShiftedSurge(*given), budget_of(SURGE, given))
    row = stub(monkeypatch, lambda work: best.tokens * (len(work.given[0]) == 10), left=0.25, ended=False)
    assert row.figures == {"ended": 0.0, "left": 0.25, "utility": pytest.approx(1.0)}
    half = stub(
        monkeypatch, lambda _: best.tokens * (np.arange(10) == best.tokens.argmax()), left=math.nan, ended=True
    )
    assert half.figures.keys() == {"ended", "utility"}
    assert half.figures["utility"] == pytest.approx(
        best.utility / value_of_one(given, best.tokens.argmax(), best.tokens.max())
    )
    with pytest.raises(ValueError, match="more than the budget"):
        stub(monkeypatch, lambda work: np.full(10, work.budget / 10 + 1.0), left=0.0, ended=True)


def test_without_its_package_a_rival_is_skipped(monkeypatch):
    monkeypatch.setattr(rivals, "find_spec", lambda _: None)
    row = rivals.against(GROUPS["contour"].cases[0], 3)
    assert row.skipped == "skipped: price_contour is not installed"
    assert row.error is None


def test_the_start_is_the_price_of_another_batch(monkeypatch):
    seen = []
    allocate = ca.allocate

    def spied(curves, budget, *, start=0.0, **terms):
        seen.append((float(curves.threshold[0]), start))
        return allocate(curves, budget, start=start, **terms)

    monkeypatch.setattr(own.ca, "allocate", spied)
    sizes.with_start(surge_case("start"), 1)
    price = allocate(ca.ShiftedSurge(*columns(SURGE, 64)), budget_of(SURGE, columns(SURGE, 64))).price
    following = columns(SURGE, 64, seed=2)[0][0]
    assert (following, price) in seen
    assert (following, 0.0) in seen
    assert following != columns(SURGE, 64)[0][0]


@pytest.fixture
def spawned(monkeypatch):
    """Processes that are not started: what they were asked, and seconds of as many microseconds as queries."""
    asked = []

    def run(words, env, **_):
        asked.append((words[1:], env.get("CLEAR_ALLOC_THREADS")))
        n = int(words[-1]) if words[-1].isdigit() else 0
        told = {"seconds": n / 1e6, "before": 1.0, "peak_before": 2.0, "peak": 10.0 * n + len(asked), "profiled": 3.0}
        return subprocess.CompletedProcess(words, 0, json.dumps({**told, "shares": {"curves": 1.0}}), "")

    monkeypatch.setattr(processes, "subprocess", SimpleNamespace(run=run))
    return asked


def test_memory_is_measured_in_processes_in_turn(spawned):
    small, large = (case for case in GROUPS["memory"].cases if case.family == SURGE)
    row = processes.space(large, 2)
    assert [int(words[-1]) for words, _ in spawned] == [10_000_000, 1_000_000] * 2
    assert (row.ratio, row.figures["peak"]) == (pytest.approx(10.0), 1e8 + 3.0)  # the third process had most
    assert processes.space(small, 9).reference == ()
    assert len(spawned) == 4 + processes.PROCESSES


def test_stages_run_on_one_thread(spawned):
    case = GROUPS["stages"].cases[-1]
    row = processes.profile(case, 5)
    ((words, threads),) = spawned
    assert words == [
        "-m",
        "benchmarks.speed.subprocess_probe",
        "stages",
        "lognormal",
        "expected",
        "0.5",
        "0.3",
        "1000000",
    ]
    assert threads == "1"
    assert (row.shares, row.figures) == ({"curves": 1.0}, {"profiled": 3.0})


@pytest.mark.slow
def test_imports_take_turns(spawned, monkeypatch):
    monkeypatch.setattr(timing, "ROUND", 1e-12)
    row = processes.importing(Case("import"), 4)
    programs = [words[-1] for words, _ in spawned]
    assert programs[1:] == ["import clear_alloc", "import numpy, scipy.special, pydantic"] * len(row.ours)
    assert len(row.ours) == len(row.reference) >= processes.FEWEST


def test_a_process_that_fails_says_its_last_line():
    with pytest.raises(RuntimeError, match=r"ended with 3: the last"):
        processes._python("-c", "import sys; print('the first\\nthe last', file=sys.stderr); sys.exit(3)")


@pytest.mark.slow
@pytest.mark.skipif(not child.STATUS.exists(), reason="no /proc")
def test_a_child_s_peak_is_its_own():
    ballast = np.ones(75_000_000)  # 600 MB that ru_maxrss would hand on to the child
    code = (
        "import numpy as np; from benchmarks.speed.subprocess_probe import resident; before = resident('VmHWM');"
        "np.ones(20_000_000); print(before, resident('VmHWM'), resident('VmRSS'))"
    )
    before, high, now = map(float, processes._python("-c", code).split())
    assert before < 0.8 * ballast.nbytes
    assert high - before > 120e6
    assert high - now > 120e6


@pytest.mark.skipif(not child.STATUS.exists(), reason="no /proc")
def test_a_child_tells_bytes_and_seconds():
    np.ones(20_000_000)  # a peak that is over
    found = child.memory(SURGE, {"accounting": "reserved"}, SHARE, 2_000)
    assert found["before"] > 10e6
    assert found["before"] + 80e6 < found["peak_before"] <= found["peak"]
    assert 0.0 < found["seconds"] < 10.0


# Where the time goes


MODULES = ("elsewhere", "clear_alloc.first", "clear_alloc.second.part", "numpy.somewhere")
now = None  # the clock of the four below, once they are put into their modules


def begin():
    now.passes(1000.0)
    act()
    now.passes(1000.0)


def act():
    now.passes(1.0)
    helped()
    try:
        fail()
    except KeyError:
        now.passes(20.0)


def fail():
    now.passes(5.0)
    helped()
    raise KeyError


def helped():
    now.passes(3.0)


def test_every_moment_is_charged_to_the_room_on_top():
    now = Clock()
    modules = dict(zip((begin, act, fail, helped), MODULES, strict=True))

    def placed(act):  # the function, as though it stood in another module
        own = {**globals(), "__name__": modules[act], "now": now}
        own.update({other.__name__: own_of.get(other, other) for other in modules})
        own_of[act] = FunctionType(act.__code__, own)

    own_of = {}
    for act_of in (helped, fail, act, begin):
        placed(act_of)

    def room(module):
        now.passes(100.0)  # the hook's own time, between its two looks at the clock
        return module.split(".")[1] if module.startswith("clear_alloc.") else None

    hook = Hook(room, now)
    sys.setprofile(hook)
    own_of[begin]()
    sys.setprofile(None)
    assert hook.seconds == {"first": 24.0, "second": 8.0}


@pytest.mark.slow
def test_the_profile_is_of_the_package_and_its_shares_are_of_the_whole(monkeypatch):
    monkeypatch.setattr(child, "LONG", 0.02)
    house = house_order()
    found = child.stages(SURGE, {"accounting": "reserved"}, SHARE, 5)
    assert sum(found["shares"].values()) == pytest.approx(1.0)
    assert min(found["shares"].values()) >= 0.0
    assert found["shares"]["curves"] > 0.05
    assert list(found["shares"])[: len(house)] == house
    assert found["profiled"] > 0.0 < found["seconds"]
    assert profiled(lambda: sum(range(1000))) == {}
    assert sys.getprofile() is None


def test_rooms_are_in_the_order_of_the_house():
    place = {room: at for at, room in enumerate(house_order())}
    assert set(place) == {room_of(path) for path in INSIDE}

    for path in INSIDE:
        for other, deferred in imported_modules(path):
            room = other.split(".")[1]
            assert deferred or room == room_of(path) or place[room] < place[room_of(path)]


def test_a_cycle_of_rooms_is_no_reason_to_go_on_for_ever(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    texts = {
        "a": "from package.b import x",
        "b": "from package import a",
        "c": "",
        "d": "from package.c.own import y",
    }
    for name, text in texts.items():
        (package / f"{name}.py").write_text(text)
    assert house_order(package) == ["c", "d", "a", "b"]


# Runs


def played(monkeypatch, act):
    monkeypatch.setitem(GROUPS, "sort", GROUPS["sort"]._replace(measure=act))


def test_a_case_that_raises_becomes_a_row_without_folders(monkeypatch):
    def act(case, rounds):
        if case.n == 64:
            raise ValueError("no /shelf/books/data set/x.npy,\n nor /a/b.c but 3/4 of 'C:\\Shelf\\of\\y.npy'")
        return Row.of(case, (1e-3,) * rounds, (1.0,) * rounds)

    played(monkeypatch, act)
    first, second, third = running.measured([surge_case(n=n) for n in (10, 64, 100)], 2)
    assert first.error is third.error is None
    assert len(third.ours) == 2
    assert second.error.startswith("ValueError: no ")
    assert "x.npy, nor b.c but 3/4 of 'y.npy'" in second.error
    assert not re.search(r"(?i)shelf|books|/a/", second.error)

    def stopped(case, rounds):
        raise KeyboardInterrupt

    played(monkeypatch, stopped)
    with pytest.raises(KeyboardInterrupt):
        list(running.measured([surge_case()], 1))
    assert told(ValueError("https://example.org/a/b is kept")) == "ValueError: https://example.org/a/b is kept"


def test_what_would_take_too_long_is_skipped_and_says_so(monkeypatch):
    seconds_of_n, called = {1_000: 0.5, 10_000: 6.5, 100_000: math.nan}, []

    def act(case, rounds):
        called.append((case.family, case.n))
        return Row.of(case, (seconds_of_n[case.n],) * rounds)

    played(monkeypatch, act)
    cases = [surge_case(n=n) for n in (1_000, 10_000, 100_000, 1_000_000)]
    other = Case("sort", "lognormal", "reserved", 10_000)
    found = list(running.measured([*cases, other], 1))
    assert called == [(SURGE, 1_000), (SURGE, 10_000), ("lognormal", 10_000)]
    assert [row.skipped for row in found[2:]] == ["skipped: predicted 65 s", "skipped: predicted 650 s", None]
    assert list(running.measured(cases[:2], 1, longest=4.9))[1].skipped == "skipped: predicted 5 s"
    few = [surge_case(n=n) for n in (999, 10_000)]
    seconds_of_n[999] = 50.0
    assert list(running.measured(few, 1))[1].skipped is None
    assert list(running.measured(cases[:2], 1, longest=5.0))[1].skipped is None


def test_rows_are_written_after_each_case_and_other_groups_stay(monkeypatch, tmp_path):
    path = tmp_path / "new" / FILE
    path.parent.mkdir()
    write_rows(path, [Row.of(surge_case("milp"), (1.0,), (2.0,)), Row.of(surge_case("sort"), (9.0,), (1.0,))])
    lines = []

    def act(case, rounds):
        lines.append(len(path.read_text().splitlines()))
        return Row.of(case, (1.0,) * rounds, (4.0,) * rounds, figures={"x": 1.0})

    played(monkeypatch, act)
    done = []
    rows = running.run_all([surge_case(n=n) for n in (10, 64, 100)], 2, path, done.append)
    assert rows == done
    assert lines == [2, 2, 3]
    back, places = read_rows(path)
    assert [(row.group, row.n) for row in back] == [("milp", 64), ("sort", 10), ("sort", 64), ("sort", 100)]
    assert [asdict(row) | {"ours": list(row.ours), "reference": list(row.reference)} for row in back[1:]] == [
        asdict(row) | {"ours": list(row.ours), "reference": list(row.reference)} for row in rows
    ]
    assert places == [environment()]


def test_a_row_tells_the_machine_but_neither_its_name_nor_a_folder(tmp_path, monkeypatch):
    environment.cache_clear()
    monkeypatch.setenv("CLEAR_ALLOC_THREADS", "3")
    write_rows(tmp_path / FILE, [Row.of(surge_case(), (1.0,), (2.0,))])
    environment.cache_clear()
    text = (tmp_path / FILE).read_text()
    cell = json.loads(text)
    assert cell["threads"] == "3"
    assert cell["cores"] >= 1
    assert cell["cpu"]
    assert all(name in cell["versions"] for name in ("python", "numpy", "scipy", "clear-alloc"))
    for secret in (platform.node(), str(ROOT), str(Path.home()), sys.prefix):
        assert len(secret) < 4 or secret not in text


# The page


WHERE = {"commit": "abc", "dirty": False, "code": "def", "machine": "Linux", "versions": "numpy 2", "cpu": "A CPU",
         "cores": 4, "threads": None}  # fmt: skip


def row_for(aim, value, **changes):
    """A row in which an aim's number is this value."""
    case = Case(aim.group, aim.family, aim.accounting, aim.n, aim.overrun, SHARE)
    sides = {
        ratio: ((value,), (1.0,)),
        speed_up: ((1.0,), (value,)),
        seconds: ((value,), (1.0,)),
        peak: ((1.0,), (1.0,)),
    }
    ours, reference = sides[aim.measure]
    return Row.of(case, ours, reference, **{"figures": {"peak": value} if aim.measure is peak else {}, **changes})


@pytest.mark.parametrize("aim", AIMS, ids=lambda aim: f"{aim.words} {aim.family}")
def test_an_aim_is_met_up_to_its_limit_and_not_beyond(aim):
    for factor in (0.9, 1.0, 1.1):
        row = row_for(aim, factor * aim.limit)
        (found,) = judged([row], [aim])
        met = factor >= 1.0 if aim.at_least else factor <= 1.0
        assert (found.met, found.measured) == (met, pytest.approx(factor * aim.limit))
        lines = [line for line in markdown([row], [WHERE], "").splitlines() if line.startswith(f"| {aim.words} |")]
        (line,) = [line for line in lines if not line.endswith("| not measured |")]
        assert line.endswith("| yes |" if met else "| **no** |")
        assert f"| {aim.shown(factor * aim.limit)} |" in line


def test_the_aims_are_those_that_were_set():
    limits = {(aim.group, aim.family, aim.n, aim.measure.__name__): (aim.limit, aim.at_least) for aim in AIMS}
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
    assert all((aim.group, aim.family, aim.accounting, aim.n, aim.overrun) in every for aim in AIMS)


def test_the_worst_row_tells_and_a_failure_meets_nothing():
    first, (fast,) = AIMS[0], [aim for aim in AIMS if aim.at_least]
    assert judged([row_for(first, 1.0), row_for(first, 2.5), row_for(first, 1.5)], [first])[0].measured == 2.5
    assert judged([row_for(fast, 70.0), row_for(fast, 50.0)], [fast])[0].met is False
    case = Case(first.group, first.family, first.accounting, first.n, first.overrun, SHARE)
    for extra, why in ((Row.of(case, error="E"), "failed"), (Row.of(case, skipped="s"), "skipped")):
        (found,) = judged([row_for(first, 1.0), extra], [first])
        assert (found.met, found.measured, found.why) == (None, None, why)
    other = AIMS[1]
    changes = {"overrun": 0.05, "n": 10, "accounting": "reserved", "family": SURGE, "group": "start"}
    told_of = [replace(row_for(other, 2.0), **{name: value}) for name, value in changes.items()]
    assert judged(told_of, [other])[0].why == judged([], [other])[0].why == "not measured"


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


def test_the_page_tells_what_failed_and_what_was_skipped():
    page = markdown(
        some_rows(), [WHERE, WHERE | {"commit": "other", "dirty": True, "threads": "1"}], "performance/sizes.png"
    )
    assert "| shifted_surge reserved | 512 | failed |" in page
    assert "| sort | shifted_surge reserved | 512 | Bad: a\\|b \\*c\\* |" in page
    assert "| sort | shifted_surge reserved | 1,000,000 | skipped: predicted 70 s |" in page
    assert "| shifted_surge reserved | 1,000,000 | skipped: predicted 70 s |" in page.split("## 3")[0]
    assert f"1 of {len(some_rows())} rows is a failure, 1 was skipped" in page
    assert "made in 2 environments" in page
    assert "**with changes that are not in it**" in page
    assert "`CLEAR_ALLOC_THREADS` not set" in page
    assert "(performance/sizes.png)" in page
    assert "| others | 0.3 % |" in page
    assert page.index("| curves | 70.0 %") < page.index("| price | 29.7 %")
    assert not re.search(r"\b(nan|None|inf)\b(?! of)", page)
    assert not re.search(r"(?<![\w.])/(work|home|usr|tmp)/", page)


def test_the_page_counts_the_aims():
    rows = [row_for(AIMS[0], 1.0), row_for(AIMS[1], 2.0), row_for(AIMS[2], 1.0)]
    assert f"2 of {len(AIMS)} aims are met, 1 missed, {len(AIMS) - 3} not measured." in markdown(rows, [WHERE], "")


def test_the_picture_has_a_line_per_kind_and_np_sort():
    times, ratio_axes = sizes_picture(some_rows()).axes
    assert [len(times.lines), len(ratio_axes.lines)] == [7, 7]
    assert sizes_picture([row for row in some_rows() if row.share == FUNDED]) is None


def test_the_reference_sorts_as_many_random_numbers(monkeypatch):
    sort, seen = np.sort, []
    monkeypatch.setattr(np, "sort", lambda keys, *rest, **named: seen.append(keys) or sort(keys, *rest, **named))
    sizes.against_sort(surge_case(n=64), 1)
    assert any(keys is seen[-1] for keys in seen[:-1])
    assert (len(np.unique(seen[-1])), bool((np.diff(seen[-1]) < 0.0).any())) == (64, True)


def test_the_page_s_tables_have_one_width():
    lines = markdown(some_rows(), [WHERE], "").splitlines()
    widths = [len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0 for line in lines]
    assert all(before == after or 0 in (before, after) for before, after in itertools.pairwise(widths))


def test_a_line_has_the_row_s_numbers():
    row = Row.of(surge_case("bisection", 10_000), (1.0, 2.0, 4.0), (60.0, 160.0, 200.0), figures={"utility": 0.9999})
    (line,) = table_of("bisection", [row, Row.of(surge_case(), (1.0,), (1.0,))]).lines
    assert line == [*("shifted_surge reserved", "10,000", "2 s", "160 s", "60 x", "55 to 70", "3", "0.999900", "-")]
    (line,) = table_of("sort", [Row.of(surge_case(n=1, share=FUNDED), (6.0, 4.0), (2.0, 2.0), gap=0.0)]).lines
    assert line == [*("shifted_surge reserved", "1 (funded)", "5 s", "2 s", "2.5 x", "2.25 to 2.75", "2", "0.0e+00")]


@pytest.mark.parametrize("kept", [(), *((name,) for name in GROUPS)], ids=lambda kept: "".join(kept) or "none")
def test_a_page_comes_out_of_whatever_rows_there_are(kept):
    page = markdown([row for row in some_rows() if row.group in kept], [WHERE] if kept else [], "")
    told = page.split("## 1.")[1].lower()
    assert len([line for line in page.splitlines() if line.startswith("## ")]) == 9
    missing = [name for name in [*COLUMNS, "stages"] if name not in kept]
    assert told.count("not measured.") == len(missing) + ("sort" in missing)  # and its exponents


def test_a_start_that_changes_caps_is_called_a_bug():
    case = GROUPS["start"].cases[0]
    for same, words in ((1.0, "no cap differs in these."), (0.0, "it did in 1 of these, **which is a bug**")):
        assert words in markdown([Row.of(case, (1.0,), (1.0,), figures={"same caps": same})], [WHERE], "")


@pytest.mark.slow
def test_the_page_and_its_picture_are_the_same_from_the_same_rows(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_page(some_rows(), [WHERE], tmp_path / name / "speed.md")
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (tmp_path / "one" / "speed.md").read_text())
    assert links == ["speed/sizes.png"]
    for name in ("speed.md", *links):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_command_runs_and_reports(tmp_path, monkeypatch):
    call = CliRunner().invoke
    run = call(cli.app, ["run", "--largest", "64", "--repeats", "1", "--only", "start", "--out", str(tmp_path)])
    assert run.exit_code == 0, run.output
    rows, _ = read_rows(tmp_path / FILE)
    assert [(row.group, row.n, len(row.ours)) for row in rows] == [("start", 64, 1)]
    page = tmp_path / "page.md"
    assert call(cli.app, ["report", "--in", str(tmp_path), "-o", str(page)]).exit_code == 0
    assert "| shifted_surge reserved | 64 |" in page.read_text()
    assert call(cli.app, ["run", "--only", "speed"]).exit_code == 2
    assert call(cli.app, ["report", "--in", str(tmp_path / "none")]).exit_code == 2
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "GROUPS", {"sort": GROUPS["sort"]})
    monkeypatch.setattr(cli, "LARGEST", 1)
    played(monkeypatch, lambda case, rounds: Row.of(case, (2e-4,) * rounds, (1e-6,) * rounds))
    quick = call(cli.app, [], env={"COLUMNS": "150"})
    assert quick.exit_code == 0
    assert "200 us" in quick.output
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "page.md", "page"}  # the small run writes nothing
