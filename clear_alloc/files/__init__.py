"""Rollouts, curves, groups and caps on disk, as JSONL, CSV or Parquet by suffix, checked by `clear_alloc.schema`."""

from clear_alloc.files.atomic import check_output, replacing
from clear_alloc.files.bad_rows import BadRowPolicy, Skipped
from clear_alloc.files.caps import read_caps, write_caps
from clear_alloc.files.checked_rows import check_rows, check_unique, read_checked
from clear_alloc.files.curve_file import CurveFile, curves_of_table, read_curves, write_curves
from clear_alloc.files.formats import Pick
from clear_alloc.files.group_file import read_groups
from clear_alloc.files.json_text import json_objects, parse_json
from clear_alloc.files.rollouts import RolloutTable, read_rollouts, rollout_table, write_rollouts
from clear_alloc.files.writing import write_columns

__all__ = [
    "BadRowPolicy",
    "CurveFile",
    "Pick",
    "RolloutTable",
    "Skipped",
    "check_output",
    "check_rows",
    "check_unique",
    "curves_of_table",
    "json_objects",
    "parse_json",
    "read_caps",
    "read_checked",
    "read_curves",
    "read_groups",
    "read_rollouts",
    "replacing",
    "rollout_table",
    "write_caps",
    "write_columns",
    "write_curves",
    "write_rollouts",
]
