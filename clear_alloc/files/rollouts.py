"""Recorded completions on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.errors import InvalidArgument
from clear_alloc.files.bad_rows import BadRowPolicy, Skipped
from clear_alloc.files.checked_rows import CheckedRows, read_checked
from clear_alloc.files.writing import whole_or_none, write_columns
from clear_alloc.schema import RolloutRow

__all__ = ["RolloutTable", "read_rollouts", "rollout_table", "write_rollouts"]

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class RolloutTable(Mapping[str, npt.NDArray[Any]]):
    """Recorded completions, a mapping of columns as `clear_alloc.fit` takes them, and what was left out.

    Columns are arrays (m,): `query_id` (str), `tokens` (int64), `correct` (int64, 0 or 1); if any row has one,
    `cap` (float64, token, NaN for none); if any row's is not 1, `weight` (float64, one per query).

    skipped : the bad rows, in the order in which they were found. Empty unless skipping was asked for.
    notes : sentences on the whole, as of several models in one table; `fit` adds them to its report.
    """

    columns: Mapping[str, npt.NDArray[Any]]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """The column of that name."""
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        """Number of columns, as of every mapping of columns."""
        return len(self.columns)

    def __repr__(self) -> str:
        return f"<RolloutTable: {len(self.columns['tokens']):,} rollouts, {len(self.skipped):,} rows skipped>"


def read_rollouts(
    path: Path, *, columns: Mapping[str, str] | None = None, skip_bad_rows: bool = False
) -> RolloutTable:
    """Recorded completions, as `clear_alloc.fit` takes them. Other columns of the file are ignored.

    Parameters
    ----------
    path : path
    columns : mapping, optional
        Where the file's names are its own, the file's column for each of ours: `{"query_id": "question"}`, or
        `{"tokens": "usage.completion_tokens"}` for a field inside another.
    skip_bad_rows : bool, default False
        Leave bad rows out and list them in `.skipped`, instead of refusing the file at the first one.

    Raises
    ------
    BadRow, InvalidArgument, NotSupported, OSError
        As `read_checked`; a file without good rows is an `InvalidArgument`.
    """
    refuse = BadRowPolicy(skip_bad_rows)
    return rollout_table(read_checked(path, RolloutRow, refuse, _picked(columns)), refuse)


def _picked(columns: Mapping[str, str] | None) -> dict[str, str] | None:
    if columns is None:
        return None
    known = RolloutRow.model_fields
    for name in columns:
        if name not in known:
            remedy = "write {our name: the file's name}"
            raise InvalidArgument("a name in columns", name, ", ".join(known), remedy)
    return {name: columns.get(name, name) for name in known}


def rollout_table(checked: CheckedRows, refuse: BadRowPolicy, notes: tuple[str, ...] = ()) -> RolloutTable:
    """The table of checked `RolloutRow`s, with what `refuse` left out. `InvalidArgument` if no row is left."""
    if len(checked.rows):
        checked = _of_one_weight(checked, refuse)
    if not len(checked.rows):
        allowed, remedy = "at least 1", "check the export"
        if refuse.rows:
            remedy = f"all {len(refuse.rows):,} rows were skipped, the first for: {refuse.rows[0]}"
        raise InvalidArgument(f"the number of rollouts in {checked.source}", 0, allowed, remedy)
    columns = checked.columns
    rollouts = {"query_id": columns["query_id"]}
    rollouts |= {name: columns[name].astype(np.int64) for name in ("tokens", "correct")}
    if not np.isnan(columns["cap"]).all():
        rollouts["cap"] = columns["cap"]
    if (columns["weight"] != 1.0).any():
        rollouts["weight"] = columns["weight"]
    return RolloutTable(rollouts, tuple(refuse.rows), notes)


def _of_one_weight(checked: CheckedRows, refuse: BadRowPolicy) -> CheckedRows:
    if (checked.columns["weight"] == 1.0).all():
        return checked
    first: dict[str, tuple[float, int]] = {}
    agrees = np.ones(len(checked.rows), dtype=bool)
    rows = zip(checked.columns["query_id"], checked.columns["weight"].tolist(), checked.rows, strict=True)
    for place, (name, weight, number) in enumerate(rows):
        earlier, where = first.setdefault(name, (weight, number))
        if weight != earlier:
            allowed = f"{earlier}, as in row {where}; give every query one weight"
            refuse(checked.source, number, f"weight of query {name!r} is {weight}; allowed: {allowed}")
            agrees[place] = False
    kept = {name: values[agrees] for name, values in checked.columns.items()}
    return CheckedRows(checked.source, kept, [row for row, good in zip(checked.rows, agrees, strict=True) if good])


def write_rollouts(path: Path, rollouts: Mapping[str, npt.ArrayLike]) -> None:
    """Write rollouts, columns as `read_rollouts` returns them."""
    columns = {name: np.asarray(values) for name, values in rollouts.items()}
    if "cap" in columns:
        columns["cap"] = columns["cap"].astype(np.float64)
    write_columns(path, {name: whole_or_none(v) if name == "cap" else v.tolist() for name, v in columns.items()})
