"""Columns written: nothing is made of names that can't be read back."""

from __future__ import annotations

import pytest

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.files import writing


@pytest.mark.parametrize(
    ("names", "message"), [(["a"], "length 2"), (["a", "a"], r"ids\[1\] is 'a'"), (["", "b"], "ids")]
)
def test_bad_ids_are_refused_before_a_file_is_made(tmp_path, names, message):
    with pytest.raises(ca.InvalidArgument, match=message):
        files.write_curves(tmp_path / "c.jsonl", ca.ShiftedSurge([1, 2], 3, 0.5), names)
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_one_text_are_refused(tmp_path):
    with pytest.raises(ca.InvalidArgument, match=r"ids\[1\] is '1'; allowed: unique ids; it is row 0's id already"):
        files.write_curves(tmp_path / "c.jsonl", ca.ShiftedSurge([1, 2], 3, 0.5), [1, "1"])
    assert writing.names_to_write((name for name in (1, "b")), 2) == ["1", "b"]
