"""JSON lines: one object each, each key once."""

from __future__ import annotations

import json

import pytest
from support.tables import write_rows

import clear_alloc as ca
from clear_alloc import files


def test_a_missing_key_is_named_in_jsonl(tmp_path):
    path = tmp_path / "r.jsonl"
    write_rows(path, [{"query_id": "a", "n_tokens": 4, "correct": 1}])
    with pytest.raises(ca.BadRow, match=r"row 1: tokens is missing; .*; add tokens"):
        files.read_rollouts(path)


def test_rows_of_jsonl_are_counted_as_lines(tmp_path):
    path = tmp_path / "r.jsonl"
    good = json.dumps({"query_id": "a", "tokens": 3, "correct": 1})
    path.write_text(f"\ufeff{good}\n\n{good[:-1]}\n", encoding="utf-8")
    with pytest.raises(ca.BadRow, match=r"row 3: the row is not one JSON object; repair or remove the line"):
        files.read_rollouts(path)
