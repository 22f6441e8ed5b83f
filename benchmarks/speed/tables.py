"""The rows of each group as a table, the same on the screen and on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from benchmarks.common.markdown import ABSENT, seconds_words, significant, size_words
from benchmarks.common.tables import Table
from benchmarks.speed.rows import Row
from benchmarks.speed.scaling import Growth
from benchmarks.speed.targets import TargetResult, peak, seconds, times
from benchmarks.speed.timing import Quartiles, ratios
from benchmarks.speed.workloads import FUNDED

FAINT = 0.005  # of the time: rooms that nowhere take more are one line
OTHERS = "others"
NAMES = {  # of what is measured beside ours
    "sort": "np.sort",
    "bisection": "bisection",
    "slsqp": "SLSQP",
    "milp": "HiGHS",
    "contour": "price-contour",
    "start": "no start",
    "memory": "a tenth of the queries",
    "import": "what it needs",
}

Column = tuple[str, Callable[[Row], str]]


def _quartiles(found: Quartiles | None) -> str:
    return ABSENT if found is None else f"{significant(found.low)} to {significant(found.high)}"


def _faster(row: Row) -> Quartiles | None:
    return ratios(row.reference, row.ours)


def _figure(name: str, shown: Callable[[float | None], str]) -> Callable[[Row], str]:
    return lambda row: shown(row.figures.get(name))


def _whether(value: float | None) -> str:
    return ABSENT if value is None else "yes" if value else "no"


def _utility(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.6f}" if value < 10.0 else significant(value)


def _gap(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.1e}"


def _middle(found: Quartiles | None) -> str:
    return times(None if found is None else found.median)


def _queries(row: Row) -> str:
    return f"{row.n:,} (funded)" if row.share == FUNDED else f"{row.n:,}"


CURVES: Column = ("curves", lambda row: row.label)
QUERIES: Column = ("queries", _queries)
ROUNDS: Column = ("rounds", lambda row: str(len(row.ours)))
OURS: Column = ("ours", lambda row: seconds_words(seconds(row)))
RATIO: tuple[Column, ...] = (
    ("ratio", lambda row: times(row.ratio)),
    ("quartiles", lambda row: _quartiles(ratios(row.ours, row.reference))),
)
FASTER: tuple[Column, ...] = (
    ("theirs/ours", lambda row: _middle(_faster(row))),
    ("quartiles", lambda row: _quartiles(_faster(row))),
)
GAP: Column = ("gap/utility", lambda row: _gap(row.gap))
UTILITY: Column = ("utility, ours/theirs", _figure("utility", _utility))
ENDED: Column = ("theirs ended well", _figure("ended", _whether))


def _theirs(group: str) -> Column:
    return NAMES[group], lambda row: seconds_words(_median(row.reference))


def _median(values: Sequence[float]) -> float | None:
    found = ratios(values, [1.0] * len(values))
    return None if found is None else found.median


COLUMNS: dict[str, tuple[Column, ...]] = {
    "sort": (CURVES, QUERIES, OURS, _theirs("sort"), *RATIO, ROUNDS, GAP),
    "bisection": (CURVES, QUERIES, OURS, _theirs("bisection"), *FASTER, ROUNDS, UTILITY, GAP),
    "slsqp": (CURVES, QUERIES, OURS, _theirs("slsqp"), *FASTER, ROUNDS, UTILITY, ENDED, GAP),
    "milp": (
        *(CURVES, QUERIES, OURS, _theirs("milp"), *FASTER, ROUNDS, UTILITY, ENDED, GAP),
        ("gap of HiGHS", _figure("left", _gap)),
    ),
    "contour": (CURVES, QUERIES, OURS, _theirs("contour"), *FASTER, ROUNDS, UTILITY, GAP),
    "start": (
        *(CURVES, QUERIES, ("with start", OURS[1]), _theirs("start"), *RATIO, ROUNDS),
        ("same caps", _figure("same caps", _whether)),
    ),
    "memory": (
        *(CURVES, QUERIES, ("before", _figure("before", size_words)), ("peak", lambda row: size_words(peak(row)))),
        *(OURS, _theirs("memory"), *RATIO, ROUNDS),
    ),
    "import": (("module", lambda _: "clear_alloc"), OURS, _theirs("import"), *RATIO, ROUNDS),
}


def table_of(group: str, rows: Iterable[Row]) -> Table:
    """A line per row of the group; where there are no times, the line says why."""
    columns = COLUMNS[group]
    names = [name for name, _ in columns]
    lines = [[show(row) for _, show in columns] for row in rows if row.group == group]
    reasons = [row.skipped or (row.error and "failed") or "" for row in rows if row.group == group]
    first = names.index("with start" if group == "start" else "ours")
    for line, reason in zip(lines, reasons, strict=True):
        line[first] = reason or line[first]
    return Table(names, list(lines))


def stage_tables(rows: Iterable[Row]) -> list[tuple[str, Table]]:
    """Per kind of curves: per cent of the time by room of the package, a column per size; then the whole time."""
    kinds: dict[object, list[Row]] = {}
    for row in rows:
        if row.group == "stages" and row.shares:
            kinds.setdefault(row.series, []).append(row)
    return [(series[0].label, _stages(series)) for series in kinds.values()]


def _stages(rows: list[Row]) -> Table:
    rooms = dict.fromkeys(room for row in rows for room in row.shares)
    shown = [room for room in rooms if any(row.shares.get(room, 0.0) >= FAINT for row in rows)]
    lines: list[Sequence[str]] = [[room, *(_percent(row.shares.get(room, 0.0)) for row in rows)] for room in shown]
    rest = [sum(share for room, share in row.shares.items() if room not in shown) for row in rows]
    lines.append([OTHERS, *map(_percent, rest)])
    lines.append(["time of a call", *(seconds_words(seconds(row)) for row in rows)])
    lines.append(["the same, profiled", *(seconds_words(row.figures.get("profiled")) for row in rows)])
    return Table(["room", *(f"n = {row.n:,}" for row in rows)], lines)


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f} %"


def growth_table(found: Iterable[Growth]) -> Table:
    """A line per kind of curves."""
    lines = [
        (
            line.case.label,
            f"{line.first:,} to {line.last:,}",
            f"{line.exponent:.2f}",
            f"{line.low:.2f} to {line.high:.2f}",
        )
        for line in found
    ]
    return Table(("curves", "queries", "exponent", "from size to size"), list(lines))


def targets_table(found: Iterable[TargetResult]) -> Table:
    """What was to be reached, what was, and whether that is enough."""
    lines = []
    for result in found:
        target, overrun = (
            result.target,
            "" if result.target.overrun is None else f", overrun {result.target.overrun:g}",
        )
        curves = f"{target.family} {target.accounting}{overrun}" if target.family else "-"
        limit = f"{'at least' if target.at_least else 'at most'} {target.shown(target.limit)}"
        met = result.why if result.met is None else "yes" if result.met else "**no**"
        lines.append((target.words, curves, limit, target.shown(result.measured), met))
    return Table(("aim", "curves", "limit", "measured", "met"), list(lines))
