"""Which files of a directory are logs, and how several become one table."""

from __future__ import annotations

import pytest

import clear_alloc as ca
from clear_alloc.importers.log_files import log_files


def test_a_directory_s_logs_are_found_below_it_in_the_order_of_their_names(tmp_path):
    for name in ("b/1.eval", "a/2.EVAL", "0.json", "notes.txt", ".git/3.eval", "a/.4.eval", "logs.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = log_files(tmp_path, (".eval", ".json"), ["logs.json"])
    assert [file.relative_to(tmp_path).as_posix() for file in found] == ["0.json", "b/1.eval", "a/2.EVAL"]


def test_a_file_is_itself_and_a_missing_one_is_the_system_s_to_name(tmp_path):
    (tmp_path / "x.txt").touch()
    assert log_files(tmp_path / "x.txt", (".eval",)) == [tmp_path / "x.txt"]
    with pytest.raises(ca.InvalidArgument, match=r"is '.txt'; allowed: .eval; give a log"):
        log_files(tmp_path / "x.txt", (".eval",), strict=True)
    with pytest.raises(FileNotFoundError):
        log_files(tmp_path / "none.eval", (".eval",))
    with pytest.raises(ca.InvalidArgument, match=r"the number of logs in .* is 0; allowed: at least 1 of .eval"):
        log_files(tmp_path, (".eval",))
