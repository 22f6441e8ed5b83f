"""Running cases side by side, each kept in a file of its own, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import closing
from functools import lru_cache
from hashlib import sha256
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import lambertw, ndtr

from benchmarks.experiments import EXPERIMENTS, Case, run_case
from benchmarks.policies import installed
from benchmarks.rows import Row, environment, read_cells, row_of, write_parquet, write_rows

__all__ = ["SECONDS", "OtherRun", "Speed", "estimate", "forget", "run_all", "speed_of"]

# One processor's seconds for a case with all its budgets, by experiment, where the probe took PROBE.
SECONDS = {"scarcity": 5.2, "paper": 4.3, "noise": 5.0, "spending": 4.4, "peers": 0.7, "replay": 13.5}
BURSTY = 42.0  # ten windows to a budget
PROBE = 0.09
SAME = ("code", "machine", "versions")  # what rows depend on; a commit of other files changes none


class OtherRun(Exception):
    """The folder holds cases of another commit or of other files."""


class Speed(NamedTuple):
    """probe : this machine's seconds for a job that took PROBE where SECONDS were measured. jobs : done at once."""

    probe: float
    jobs: int


def speed_of(jobs: int) -> Speed:
    """Sort, and call special functions, in as many threads as there will be processes; the best of three."""
    at_once, tried = min(jobs, os.cpu_count() or 1), []
    numbers = np.random.default_rng(0).random(300_000)
    with ThreadPoolExecutor(at_once) as pool:
        for _ in range(3):
            start = time.perf_counter()
            list(pool.map(_probe, [numbers] * at_once))
            tried.append(time.perf_counter() - start)
    return Speed(min(tried), at_once)


def _probe(numbers: np.ndarray) -> None:
    for _ in range(2):
        for work in (np.sort, np.log, ndtr, lambertw):  # none of them holds up the other threads
            work(numbers)


def estimate(cases: Iterable[Case], budgets: dict[str, int], speed: Speed) -> float:
    """Seconds that the cases should take. budgets : how many an experiment has in its full run."""
    each = []
    for case in cases:
        whole = BURSTY if case.stream == "Bursty" else SECONDS[case.experiment]
        each.append(whole * len(case.levels) / budgets[case.experiment])
    return max(sum(each) / speed.jobs, max(each, default=0.0)) * speed.probe / PROBE


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
            write_rows(_file(kept, case), rows)
            with (out / "times.jsonl").open("a") as stream:
                stream.write(json.dumps({"case": case.name, "seconds": seconds}) + "\n")
            done(case)
    every = [row for case in cases for row in _rows(kept, case)]
    write_rows(out / "rows.jsonl", every)
    write_parquet(out / "rows.parquet", every)
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
    return [row for row in map(row_of, read_cells(_file(kept, case))) if row.level in case.levels]


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
