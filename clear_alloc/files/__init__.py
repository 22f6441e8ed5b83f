"""Rollouts, curves and caps on disk, as JSONL, CSV or Parquet by suffix, judged by `clear_alloc.schema`."""

from clear_alloc.files.atomic import replacing
from clear_alloc.files.contents import (
    CurveFile,
    read_caps,
    read_curves,
    read_rollouts,
    write_caps,
    write_curves,
    write_rollouts,
)
from clear_alloc.files.formats import write_columns

__all__ = [
    "CurveFile",
    "read_caps",
    "read_curves",
    "read_rollouts",
    "replacing",
    "write_caps",
    "write_columns",
    "write_curves",
    "write_rollouts",
]
