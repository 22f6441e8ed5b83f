"""The options of `fit` as an importer takes them, and what was skipped."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

import clear_alloc as ca
from clear_alloc.cli import reading


def table(tmp_path, bad=0):
    path = tmp_path / "r.csv"
    lines = ["question,used,right", "a,90,1", "a,80,0", *["b,-1,1"] * bad]
    path.write_text("\n".join(lines) + "\n")
    return path


COLUMNS = ["query_id=question", "tokens=used", "correct=right"]


def test_maps_reach_the_importer(tmp_path):
    read = reading.read(table(tmp_path), "table", COLUMNS, [], None, skip=False)
    assert list(read["tokens"]) == [90, 80]
    assert reading.skipped_text(read) == ""
    assert reading.skipped_dict(read) == {"count": 0, "rows": []}


def test_skipped_rows_are_counted_and_the_first_are_listed(tmp_path):
    bad = reading.SHOWN + 3
    read = reading.read(table(tmp_path, bad), "table", COLUMNS, [], None, skip=True)
    lines = reading.skipped_text(read).splitlines()
    assert lines[0] == f"skipped {bad} bad rows:"
    assert len(lines) == 1 + reading.SHOWN + 1
    assert "row 3: " in lines[1]
    assert lines[-1] == "  and 3 more"
    found = reading.skipped_dict(read)
    assert (found["count"], len(found["rows"])) == (bad, reading.SHOWN)
    with pytest.raises(ca.BadRow, match="row 3: tokens is -1"):
        reading.read(table(tmp_path, bad), "table", COLUMNS, [], None, skip=False)


@pytest.mark.parametrize(
    ("columns", "words"),
    [(["tokens"], "'tokens'; allowed: name=value"), (["tokens="], "'tokens='"), (["a=b", "a=c"], "names 'a' twice")],
)
def test_pairs_that_are_none(tmp_path, columns, words):
    with pytest.raises(typer.BadParameter, match=words):
        reading.read(table(tmp_path), "table", columns, [], None, skip=False)


def test_options_of_another_importer():
    nowhere = Path("nowhere.jsonl")
    with pytest.raises(ca.InvalidArgument, match="--scores is None; allowed: a file with the columns custom_id"):
        reading.read(nowhere, "openai-batch", [], [], None, skip=False)
    with pytest.raises(ca.InvalidArgument, match=r"--scores is 's\.csv'; allowed: absent with --importer table"):
        reading.read(nowhere, "table", [], [], Path("s.csv"), skip=False)
    with pytest.raises(ca.InvalidArgument, match=r"--map is 'a=b'; allowed: absent with --importer inspect"):
        reading.read(nowhere, "inspect", ["a=b"], [], None, skip=False)
