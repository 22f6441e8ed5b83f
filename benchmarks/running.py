"""Running cases side by side, each kept in a file of its own, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import numpy as np

import clear_alloc as ca
from benchmarks.experiments import Case, run_case
from benchmarks.rows import Row, environment, read_rows, write_parquet, write_rows

__all__ = ["SECONDS", "OtherRun", "Speed", "estimate", "run_all", "speed_of"]

# One processor's seconds for a case with all its budgets, by experiment, where the probe took PROBE.
SECONDS = {"scarcity": 9.0, "paper": 7.0, "noise": 4.0, "peers": 1.5, "replay": 7.0}
BURSTY = 60.0  # ten windows to a budget
PROBE = 0.1


class OtherRun(Exception):
    """The folder holds cases of another commit or of other files."""


class Speed(NamedTuple):
    """probe : this machine's seconds for a job that took PROBE where SECONDS were measured. jobs : done at once."""

    probe: float
    jobs: int


def speed_of(jobs: int) -> Speed:
    """Fit and allocate a small batch, the best of three."""
    rng, tried = np.random.default_rng(0), []
    lengths = np.exp(rng.normal(6.0, 0.8, 200))[:, None] * np.exp(rng.normal(0.0, 0.3, (200, 8)))
    rollouts = {
        "query_id": np.repeat(np.arange(200), 8),
        "tokens": np.ceil(lengths).ravel(),
        "correct": (rng.random(1600) < 0.6).astype(int),
    }
    for _ in range(3):
        start = time.perf_counter()
        ca.allocate(ca.fit(rollouts).curves, 40_000, accounting="expected")
        tried.append(time.perf_counter() - start)
    return Speed(min(tried), jobs)


def estimate(cases: Iterable[Case], budgets: dict[str, int], speed: Speed) -> float:
    """Seconds that the cases should take. budgets : how many an experiment has in its full run."""
    total = 0.0
    for case in cases:
        whole = BURSTY if case.stream == "Bursty" else SECONDS[case.experiment]
        total += whole * len(case.levels) / budgets[case.experiment]
    return total * speed.probe / PROBE / speed.jobs


def run_all(cases: list[Case], out: Path, jobs: int, done: Callable[[Case], None]) -> list[Row]:
    """Rows of all cases in their order; those that the folder holds already are not run again.

    Writes rows.jsonl, rows.parquet and, apart from them, since they differ from run to run, times.jsonl.
    """
    kept = out / "cases"
    kept.mkdir(parents=True, exist_ok=True)
    missing = [case for case in cases if not _held(kept, case)]
    for case in cases:
        if case not in missing:
            done(case)
    if missing:
        with ProcessPoolExecutor(min(jobs, len(missing))) as pool:
            running = {pool.submit(run_case, case): case for case in missing}
            for future in as_completed(running):
                rows, seconds = future.result()
                write_rows(_file(kept, running[future]), rows)
                with (out / "times.jsonl").open("a") as stream:
                    stream.write(json.dumps({"case": running[future].name, "seconds": seconds}) + "\n")
                done(running[future])
    every = [row for case in cases for row in read_rows(_file(kept, case))[0]]
    write_rows(out / "rows.jsonl", every)
    write_parquet(out / "rows.parquet", every)
    return every


def _words(where: dict[str, object]) -> str:
    return f"commit {where.get('commit')} (dirty: {where.get('dirty')}), {where.get('versions')}"


def _file(kept: Path, case: Case) -> Path:
    return kept / f"{case.name}.jsonl"


def _held(kept: Path, case: Case) -> bool:
    """Whether the case has been run, with these budgets and by this code."""
    path = _file(kept, case)
    if not path.exists():
        return False
    rows, where = read_rows(path)
    if where != environment():
        raise OtherRun(
            f"{path} was made by {_words(where)}; this is {_words(environment())}; "
            "choose another --out, or start anew with --fresh"
        )
    return {row.level for row in rows} == set(case.levels)
