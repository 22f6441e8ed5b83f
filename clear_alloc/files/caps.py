"""Granted caps on disk: what a gateway or an evaluation harness reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.allocation.result import Allocation
from clear_alloc.files.checked_rows import check_unique, read_checked
from clear_alloc.files.writing import names_to_write, write_columns
from clear_alloc.schema import CapRow

__all__ = ["read_caps", "write_caps"]

Path = str | os.PathLike[str]


def read_caps(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Granted caps, arrays (n,), and why.

    `query_id` (str), `tokens` (int64), `funded` (bool), `choice` (int64, or -1); and, which files may lack:

    reason : the name of a `Reason` in small letters, or None. charge : float64, budget units, or NaN.
    capped : bool, False where `tokens` is the mean length of an option and no cap to send.
    """
    checked = read_checked(path, CapRow)
    check_unique(checked, "query_id")
    columns = checked.columns
    choice = np.where(np.isnan(columns["choice"]), -1, columns["choice"]).astype(np.int64)
    tokens, funded = columns["tokens"].astype(np.int64), columns["funded"].astype(bool)
    capped = np.where(np.isnan(columns["capped"]), True, columns["capped"]).astype(bool)
    told = {name: columns[name] for name in ("reason", "charge")}
    return {
        "query_id": columns["query_id"],
        "tokens": tokens,
        "funded": funded,
        "choice": choice,
        **told,
        "capped": capped,
    }


def write_caps(path: Path, result: Allocation, ids: Sequence[str]) -> None:
    """Write an allocation, one row per query. Columns as `read_caps` has them.

    `choice` only where there are menus, `capped` only where some `tokens` are no caps.
    """
    columns = {"query_id": names_to_write(ids, len(result.tokens)), "tokens": result.tokens.tolist()}
    columns["funded"] = result.funded.tolist()
    if result.choice is not None:
        columns["choice"] = result.choice.tolist()
    columns["reason"] = [reason.name.lower() for reason in result.reasons]
    columns["charge"] = result.charges.tolist()
    if not result.capped.all():
        columns["capped"] = result.capped.tolist()
    write_columns(path, columns)
