"""Any table, through a map of column names."""

from __future__ import annotations

import os
from collections.abc import Mapping

from clear_alloc.files import RolloutTable, read_rollouts

__all__ = ["from_table"]


def from_table(
    path: str | os.PathLike[str], *, columns: Mapping[str, str] | None = None, skip_bad_rows: bool = False
) -> RolloutTable:
    """Rollouts from a JSONL, CSV or Parquet file; `columns` maps our names to the file's, where they differ.

    >>> from_table("runs.parquet", columns={"query_id": "question", "tokens": "n_out"})  # doctest: +SKIP
    <RolloutTable: 800 rollouts, 0 rows skipped>

    Ours are query_id, tokens, correct, cap, weight. `usage.completion_tokens` is a field inside another. A column
    that is mapped takes the place of one that has our name.
    Parameters and errors as `clear_alloc.files.read_rollouts`.
    """
    return read_rollouts(path, columns=columns, skip_bad_rows=skip_bad_rows)
