"""Groups on disk."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.tables import per_format, write_rows

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.groups import Group

GROUPS = [
    {"name": "team", "budget": 5000.0},
    {"name": "search", "parent": "team", "guarantee": 900.0},
    {"name": "chat", "parent": "team", "budget": 3000.0, "min_funded": 0.5},
]


@per_format
def test_groups_are_read(tmp_path, suffix):
    path = tmp_path / f"groups.{suffix}"
    write_rows(path, GROUPS)
    assert files.read_groups(path) == [Group(**row) for row in GROUPS]
    write_rows(path, [{"name": "a"}])
    assert files.read_groups(path) == [Group("a")]
    write_rows(path, [*GROUPS, {"name": "chat"}])
    with pytest.raises(ca.BadRow, match=r"row 4: name 'chat' is already in row 3"):
        files.read_groups(path)
    write_rows(path, [*GROUPS, {"name": "b", "budget": -1.0}])
    with pytest.raises(ca.BadRow, match=r"row 4: budget is -1.0; allowed: budget units, at least 0"):
        files.read_groups(path)


def test_an_empty_parent_is_none_and_an_empty_file_has_no_groups(tmp_path):
    pq.write_table(pa.table({"name": ["a", "b"], "parent": ["", "a"]}), tmp_path / "g.parquet")
    assert [group.parent for group in files.read_groups(tmp_path / "g.parquet")] == [None, "a"]
    (tmp_path / "g.csv").touch()
    assert files.read_groups(tmp_path / "g.csv") == []
