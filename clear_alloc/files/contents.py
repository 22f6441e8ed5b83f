"""What the files hold: rollouts, curves, caps. Every reader judges, every writer replaces atomically."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clear_alloc.curves import FAMILIES, MAX_TOKENS, Curves, ShiftedSurge, concatenate
from clear_alloc.errors import BadRow, InvalidArgument
from clear_alloc.files.formats import write_columns
from clear_alloc.files.judged import Judged, check_unique, read_judged
from clear_alloc.files.refusals import Refusals, Skipped
from clear_alloc.schema import PARAMETERS, CapRow, QueryRow, RolloutRow

__all__ = [
    "CurveFile",
    "RolloutTable",
    "read_caps",
    "read_curves",
    "read_rollouts",
    "rollout_table",
    "write_caps",
    "write_curves",
    "write_rollouts",
]

Path = str | os.PathLike[str]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RolloutTable(Mapping[str, npt.NDArray[Any]]):
    """Recorded completions, a mapping of columns as `clear_alloc.fit` takes them, and what was left out.

    Columns are arrays (m,): `query_id` (str), `tokens` (int64), `correct` (int64, 0 or 1); if any row has one,
    `cap` (float64, token, NaN for none); if any row's is not 1, `weight` (float64, one per query).

    skipped : the bad rows, in the order in which they were found. Empty unless skipping was asked for.
    """

    columns: Mapping[str, npt.NDArray[Any]]
    skipped: tuple[Skipped, ...] = ()

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
        Where the file's names are its own, the file's column for each of ours: `{"query_id": "question"}`.
    skip_bad_rows : bool, default False
        Leave bad rows out and list them in `.skipped`, instead of refusing the file at the first one.

    Raises
    ------
    BadRow, InvalidArgument, NotSupported, OSError
        As `read_judged`; a file without good rows is an `InvalidArgument`.
    """
    refuse = Refusals(skip_bad_rows)
    return rollout_table(read_judged(path, RolloutRow, refuse, _picked(columns)), refuse)


def _picked(columns: Mapping[str, str] | None) -> dict[str, str] | None:
    if columns is None:
        return None
    known = RolloutRow.model_fields
    for name in columns:
        if name not in known:
            remedy = "write {our name: the file's name}"
            raise InvalidArgument("a name in columns", name, ", ".join(known), remedy)
    return {name: columns.get(name, name) for name in known}


def rollout_table(judged: Judged, refuse: Refusals) -> RolloutTable:
    """The table of judged `RolloutRow`s, with what `refuse` left out. `InvalidArgument` if no row is left."""
    if len(judged.rows):
        judged = _of_one_weight(judged, refuse)
    if not len(judged.rows):
        allowed, remedy = "at least 1", "check the export"
        if refuse.rows:
            remedy = f"all {len(refuse.rows):,} rows were skipped, the first for: {refuse.rows[0]}"
        raise InvalidArgument(f"the number of rollouts in {judged.source}", 0, allowed, remedy)
    columns = judged.columns
    rollouts = {"query_id": columns["query_id"]}
    rollouts |= {name: columns[name].astype(np.int64) for name in ("tokens", "correct")}
    if not np.isnan(columns["cap"]).all():
        rollouts["cap"] = columns["cap"]
    if (columns["weight"] != 1.0).any():
        rollouts["weight"] = columns["weight"]
    return RolloutTable(rollouts, tuple(refuse.rows))


def _of_one_weight(judged: Judged, refuse: Refusals) -> Judged:
    if (judged.columns["weight"] == 1.0).all():
        return judged
    first: dict[str, tuple[float, int]] = {}
    agrees = np.ones(len(judged.rows), dtype=bool)
    rows = zip(judged.columns["query_id"], judged.columns["weight"].tolist(), judged.rows, strict=True)
    for place, (name, weight, number) in enumerate(rows):
        earlier, where = first.setdefault(name, (weight, number))
        if weight != earlier:
            allowed = f"{earlier}, as in row {where}; give every query one weight"
            refuse(judged.source, number, f"weight of query {name!r} is {weight}; allowed: {allowed}")
            agrees[place] = False
    kept = {name: values[agrees] for name, values in judged.columns.items()}
    return Judged(judged.source, kept, [row for row, good in zip(judged.rows, agrees, strict=True) if good])


def write_rollouts(path: Path, rollouts: Mapping[str, npt.ArrayLike]) -> None:
    """Write rollouts, columns as `read_rollouts` returns them."""
    columns = {name: np.asarray(values) for name, values in rollouts.items()}
    if "cap" in columns:
        columns["cap"] = columns["cap"].astype(np.float64)
    write_columns(path, {name: _optional(v) if name == "cap" else v.tolist() for name, v in columns.items()})


class CurveFile(NamedTuple):
    """What a curves file holds, one entry per query and in the order of its rows.

    min_tokens, max_tokens : floor and ceiling of each cap, float64 (n,), token; NaN where the row has none.
    """

    curves: Curves
    ids: tuple[str, ...]
    min_tokens: Floats
    max_tokens: Floats

    def limits(self, min_tokens: float = 0, max_tokens: float | None = None) -> tuple[Floats, Floats]:
        """Floors and ceilings of all queries, (n,), token: the row's own or the given one, as binds."""
        ceiling = MAX_TOKENS if max_tokens is None else max_tokens
        # fmin and fmax pass over NaN, which stands for no limit of the row's own.
        return np.fmax(self.min_tokens, min_tokens), np.fmin(self.max_tokens, ceiling)


def read_curves(path: Path) -> CurveFile:
    """Curves of any family, mixed as they come. An empty file holds zero queries, which is not an error.

    Raises
    ------
    BadRow, InvalidArgument, NotSupported, OSError
        As `read_judged`; unknown columns and names that stand twice are refused.
    """
    judged = read_judged(path, QueryRow)
    check_unique(judged, "id")
    columns = judged.columns
    return CurveFile(_assembled(judged), tuple(columns["id"]), columns["min_tokens"], columns["max_tokens"])


def _assembled(judged: Judged) -> Curves:
    families = judged.columns["family"]
    parts, places = [], []
    for family in PARAMETERS:
        rows = np.flatnonzero(families == family)
        if len(rows):
            parts.append(_one_family(judged, family, rows))
            places.append(rows)
    if not parts:
        return ShiftedSurge([], [], [])
    joined: Curves = concatenate(parts)[np.argsort(np.concatenate(places))]
    return joined


def _one_family(judged: Judged, family: str, rows: npt.NDArray[np.intp]) -> Curves:
    named = (*PARAMETERS[family], "weight")
    try:
        curves: Curves = FAMILIES[family](**{name: judged.columns[name][rows] for name in named})
    except InvalidArgument as error:
        if error.row is None:
            raise
        reason = f"{error.argument} is {error.value!r}; allowed: {error.allowed}; {error.remedy}"
        raise BadRow(judged.source, judged.rows[rows[error.row]], reason) from error
    return curves


def write_curves(
    path: Path,
    curves: Curves,
    ids: Sequence[str],
    min_tokens: Floats | None = None,
    max_tokens: Floats | None = None,
) -> None:
    """Write curves so that `read_curves` gives the same numbers back, bit for bit, in every format.

    ids : n unique names. min_tokens, max_tokens : float64 (n,), token, NaN for none.
    """
    _check_ids(ids, len(curves))
    records = curves.to_records()
    columns: dict[str, list[Any]] = {
        "id": [str(name) for name in ids],
        "family": [r["family"] for r in records],
    }
    for name in QueryRow.model_fields:
        if name not in columns and any(name in record for record in records):
            columns[name] = [record.get(name) for record in records]
    for name, limits in (("min_tokens", min_tokens), ("max_tokens", max_tokens)):
        if limits is not None and not np.isnan(limits).all():
            columns[name] = _optional(limits)
    write_columns(path, columns)


def _check_ids(ids: Sequence[str], n: int) -> None:
    if len(ids) != n:
        raise InvalidArgument("ids", f"of length {len(ids)}", f"length {n}, one per query", "match ids and curves")
    first: dict[str, int] = {}
    for row, name in enumerate(map(str, ids)):
        if not name or first.setdefault(name, row) != row:
            raise InvalidArgument("ids", name, "unique names of at least one character", "rename the query", row)


def read_caps(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Granted caps, arrays (n,): `query_id`, `tokens` (int64), `funded` (bool), `choice` (int64, or -1)."""
    judged = read_judged(path, CapRow)
    check_unique(judged, "query_id")
    columns = judged.columns
    choice = np.where(np.isnan(columns["choice"]), -1, columns["choice"]).astype(np.int64)
    tokens, funded = columns["tokens"].astype(np.int64), columns["funded"].astype(bool)
    return {"query_id": columns["query_id"], "tokens": tokens, "funded": funded, "choice": choice}


def write_caps(path: Path, result: Any, ids: Sequence[str]) -> None:
    """Write an allocation, one row per query; `choice` only where it holds menus."""
    _check_ids(ids, len(result.tokens))
    columns = {"query_id": [str(name) for name in ids], "tokens": result.tokens.tolist()}
    columns["funded"] = result.funded.tolist()
    if result.choice is not None:
        columns["choice"] = result.choice.tolist()
    write_columns(path, columns)


def _optional(values: npt.NDArray[Any]) -> list[int | None]:
    return [None if np.isnan(value) else int(value) for value in values]
