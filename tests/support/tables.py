"""Small tables as files, for tests of every format."""

from __future__ import annotations

import pytest

from clear_alloc.files import write_columns

FORMATS = ("jsonl", "csv", "parquet")
per_format = pytest.mark.parametrize("suffix", [*FORMATS, "ndjson"])
ROW = {"id": "a", "family": "shifted_surge", "threshold": 900.0, "width": 250.0, "peak": 0.8}


def write_rows(path, rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    write_columns(path, {name: [row.get(name) for row in rows] for name in names})
