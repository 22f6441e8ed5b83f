"""Suffixes and headers."""

from __future__ import annotations

import pytest
from support.tables import FORMATS, ROW, per_format, write_rows

import clear_alloc as ca
from clear_alloc import files


@per_format
def test_an_unknown_column_of_curves_is_refused(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    write_rows(path, [{**ROW, "treshold": 3.0}])
    with pytest.raises((ca.BadRow, ca.InvalidArgument), match=r"treshold.*; allowed: .*threshold"):
        files.read_curves(path)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_missing_column_is_named_before_any_row(tmp_path, suffix):
    path = tmp_path / f"r.{suffix}"
    write_rows(path, [{"query_id": "a", "n_tokens": 4, "correct": 1}])
    with pytest.raises(
        ca.InvalidArgument, match="at least query_id, tokens, correct; add or rename a column to 'tokens'"
    ):
        files.read_rollouts(path)


@pytest.mark.parametrize("use", [files.read_rollouts, files.read_curves, files.read_caps])
def test_an_unknown_suffix_is_refused_with_the_known_ones(use):
    with pytest.raises(
        ca.InvalidArgument, match=r"suffix of x\.txt is '\.txt'; allowed: \.jsonl, \.ndjson, \.csv, \.parquet; "
    ):
        use("x.txt")


def test_a_suffix_may_be_in_capitals(tmp_path):
    path = tmp_path / "C.JSONL"
    write_rows(path, [ROW])
    assert files.read_curves(path).ids == ("a",)


def test_a_missing_file_is_the_system_s_own_error(tmp_path):
    for suffix in FORMATS:
        with pytest.raises(FileNotFoundError):
            files.read_curves(tmp_path / f"nowhere.{suffix}")
