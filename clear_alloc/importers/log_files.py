"""A log or a directory of logs as one table: logs of one task are more rollouts, other tasks are other queries."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.errors import InvalidArgument, printable
from clear_alloc.files import BadRowPolicy, RolloutTable, rollout_table
from clear_alloc.files.checked_rows import CheckedRows

__all__ = ["ReadLog", "log_files", "one_table"]


class ReadLog(NamedTuple):
    """What one log held.

    rows : checked `RolloutRow`s.
    task : what its queries belong to: ids of one task are the same queries in each log.
    models : who answered, as far as the log tells.
    notes : sentences on the log; the same sentence of several logs counts once.
    """

    rows: CheckedRows
    task: str = ""
    models: Collection[str] = ()
    notes: Collection[str] = ()


def log_files(
    path: str | os.PathLike[str], suffixes: Sequence[str], unwanted: Collection[str] = (), *, strict: bool = False
) -> list[Path]:
    """`path` itself, or the logs in a directory and below it, in the order of their names. O(files).

    Files with other suffixes, hidden ones and those whose name is `unwanted` are not logs of a directory.
    InvalidArgument for a directory without logs and, if `strict`, for a file of another suffix.
    """
    there = Path(path)
    if not there.is_dir():
        if strict and there.suffix.lower() not in suffixes:
            raise InvalidArgument(f"the suffix of {there}", there.suffix, ", ".join(suffixes), "give a log")
        there.open("rb").close()  # the system's own words for a missing file
        return [there]
    found = [file for file in _below(there) if file.suffix.lower() in suffixes and file.name not in unwanted]
    if not found:
        allowed = f"at least 1 of {', '.join(suffixes)}"
        raise InvalidArgument(f"the number of logs in {there}", 0, allowed, "give the directory that holds the logs")
    return sorted(found, key=lambda file: (file.name, str(file)))


def _below(directory: Path) -> Iterator[Path]:
    for file in directory.rglob("*"):
        if file.is_file() and not any(name.startswith(".") for name in file.relative_to(directory).parts):
            yield file


def one_table(
    path: str | os.PathLike[str], logs: Sequence[ReadLog], refuse: BadRowPolicy, notes: Iterable[str] = ()
) -> RolloutTable:
    """The rollouts of all logs at `path`, with a note where several models are pooled. O(rollouts).

    Where there are several tasks, their queries bear the task's name: `gpqa/q1`.
    """
    several = len({log.task for log in logs}) > 1
    parts = [log.rows.columns | {"query_id": _within(log)} if several else log.rows.columns for log in logs]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows = CheckedRows(os.fspath(path), columns, [number for log in logs for number in log.rows.rows])
    notes = dict.fromkeys((*notes, *(note for log in logs for note in sorted(log.notes)), *_pooled(logs)))
    return rollout_table(rows, refuse, tuple(notes))


def _pooled(logs: Sequence[ReadLog]) -> list[str]:
    models = sorted({model for log in logs for model in log.models})
    if len(models) < 2:
        return []
    named = ", ".join(printable(model, 80) for model in models[:5])
    remedy = "fit each model's logs by themselves; menu_of_levels combines the fits"
    return [f"{len(models)} models are pooled as if they were one ({named}{', ...' if models[5:] else ''}); {remedy}"]


def _within(log: ReadLog) -> npt.NDArray[np.object_]:
    return np.array([f"{log.task}/{name}" for name in log.rows.columns["query_id"]], dtype=object)
