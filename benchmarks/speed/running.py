"""Runs cases one after the other; whatever a case raises becomes a row, and what would take too long is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.common.environment import timing_environment
from benchmarks.common.markdown import significant
from benchmarks.common.rows import read_cells, write_rows
from benchmarks.common.running import attempted
from benchmarks.speed.groups import GROUPS
from benchmarks.speed.rows import Case, Row

LONGEST = 60.0  # seconds of one call of a full run
TELLING = 1_000  # queries: the times of fewer say nothing about those of more


def measured(cases: Iterable[Case], rounds: int, longest: float = LONGEST) -> Iterator[Row]:
    """A row per case, in order. A call is predicted to take as long per query as at the size before.

    longest : seconds of a call; what is predicted to take longer is skipped.
    """
    known: dict[object, tuple[int, float]] = {}
    for case in cases:
        row = _row(case, rounds, known.get(case.series), longest)
        if row.ours and case.n >= TELLING:
            known[case.series] = case.n, float(np.median(row.ours))
        yield row


def _row(case: Case, rounds: int, before: tuple[int, float] | None, longest: float) -> Row:
    if before is not None:
        n, seconds = before
        predicted = seconds * case.n / n
        if predicted > longest:
            return Row.of(case, skipped=f"skipped: predicted {significant(predicted)} s")
    return attempted(lambda: GROUPS[case.group].measure(case, rounds), lambda error: Row.of(case, error=error))


def run_all(cases: list[Case], rounds: int, path: Path, done: Callable[[Row], None]) -> list[Row]:
    """The cases' rows, written after each, so that a run that is stopped keeps what it has.

    Rows of other groups that the file holds stay in it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    groups = {case.group for case in cases}
    kept = [cell for cell in read_cells(path) if cell["group"] not in groups] if path.exists() else []
    rows: list[Row] = []
    for row in measured(cases, rounds):
        rows.append(row)
        write_rows(path, rows, timing_environment(), kept)
        done(row)
    return rows
