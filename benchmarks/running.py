"""Running cases side by side, each kept in a file of its own, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from functools import lru_cache
from hashlib import sha256
from itertools import product
from multiprocessing import get_context
from pathlib import Path

from benchmarks.common.environment import environment
from benchmarks.common.rows import read_cells, row_of, write_parquet, write_rows
from benchmarks.experiments import EXPERIMENTS, Case, run_case
from benchmarks.policies import installed
from benchmarks.rows import Row

SAME = ("code", "machine", "versions")  # what rows depend on; a commit of other files changes none


class OtherRun(Exception):
    """The folder holds cases of another commit or of other files."""


def run_all(cases: list[Case], out: Path, jobs: int, done: Callable[[Case], None]) -> list[Row]:
    """Rows of all cases in their order; those that the folder holds already are not run again.

    Writes rows.jsonl, rows.parquet and, apart from them, since they differ from run to run, times.jsonl.
    """
    kept = out / "cases"
    kept.mkdir(parents=True, exist_ok=True)
    held = {case for case in cases if _held(kept, case)}
    for case in filter(held.__contains__, cases):
        done(case)
    with closing(_ended([case for case in cases if case not in held], jobs)) as ended:
        for case, rows, seconds in ended:
            write_rows(_file(kept, case), rows, environment())
            with (out / "times.jsonl").open("a") as stream:
                stream.write(json.dumps({"case": case.name, "seconds": seconds}) + "\n")
            done(case)
    every = [row for case in cases for row in _rows(kept, case)]
    write_rows(out / "rows.jsonl", every, environment())
    write_parquet(out / "rows.parquet", every, environment(), Row)
    return every


def forget(out: Path) -> None:
    """Remove what earlier runs left in the folder, and nothing else that may be there."""
    shutil.rmtree(out / "cases", ignore_errors=True)
    for name in ("rows.jsonl", "rows.parquet", "times.jsonl"):
        (out / name).unlink(missing_ok=True)


def _ended(cases: list[Case], jobs: int) -> Iterator[tuple[Case, list[Row], dict[str, float]]]:
    """Each case with its rows and its policies' seconds, as it ends; a single job is done in this process."""
    if min(jobs, len(cases)) < 2:
        yield from ((case, *run_case(case)) for case in cases)
        return
    # Fresh processes, not forks: the progress bar has a thread, and a fork of a process with threads may hang.
    pool = ProcessPoolExecutor(min(jobs, len(cases)), get_context("spawn"))
    try:
        running = {pool.submit(run_case, case): case for case in cases}
        for future in as_completed(running):
            yield running[future], *future.result()
    finally:
        pool.shutdown(cancel_futures=True)  # who stops the run need not wait for what had not begun


def _file(kept: Path, case: Case) -> Path:
    """Where a case's rows are; another file to replay, or a configuration of a similar name, has another place."""
    if case.rollouts is None:
        return kept / f"{case.name}.jsonl"
    content = _content(case.rollouts, Path(case.rollouts).stat().st_mtime_ns)
    mark = sha256(f"{case.stream}\n{content}".encode()).hexdigest()[:12]
    return kept / f"{case.name}-{mark}.jsonl"


@lru_cache(maxsize=8)
def _content(path: str, _: int) -> str:
    """Of a file as it was at that time."""
    return sha256(Path(path).read_bytes()).hexdigest()


def _rows(kept: Path, case: Case) -> list[Row]:
    """A case's rows at its budgets; a file may hold more."""
    return [row for cell in read_cells(_file(kept, case)) if (row := row_of(Row, cell)).level in case.levels]


def _held(kept: Path, case: Case) -> bool:
    """Whether the case has been run, with these budgets and by this code. A file that was cut off doesn't count."""
    path, here = _file(kept, case), environment()
    try:
        cells = read_cells(path)
    except (FileNotFoundError, ValueError):
        return False
    for cell in cells:
        differ = [name for name in SAME if cell.get(name) != here[name]]
        if differ:
            theirs, ours = (", ".join(f"{name} {side.get(name)}" for name in differ) for side in (cell, here))
            raise OtherRun(
                f"{path} was made by {theirs}; this is {ours}; choose another --out, or start anew with --fresh"
            )
    plan = EXPERIMENTS[case.experiment]
    wanted = set(product(plan.errors, case.levels, filter(installed, plan.policies)))
    return wanted <= {(cell["noise"], cell["level"], cell["policy"]) for cell in cells}
