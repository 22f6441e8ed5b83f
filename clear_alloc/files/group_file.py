"""Groups on disk: who shares which budget."""

from __future__ import annotations

import os

from clear_alloc.files.checked_rows import check_unique, read_checked
from clear_alloc.groups import Group
from clear_alloc.schema import GroupRow

__all__ = ["read_groups"]


def read_groups(path: str | os.PathLike[str]) -> list[Group]:
    """Groups in the order of their rows; whether they fit together is for `allocate_groups` to decide.

    Columns: `name`, and optionally `parent` (empty: the whole), `budget` and `guarantee` (budget units; empty: no
    limit of its own, and 0) and `min_funded` (0 to 1; empty: 0).

    Raises
    ------
    BadRow, InvalidArgument, NotSupported, OSError
        As `read_checked`; unknown columns and names that stand twice are refused.
    """
    checked = read_checked(path, GroupRow)
    check_unique(checked, "name")
    rows = zip(*(checked.columns[name].tolist() for name in GroupRow.model_fields), strict=True)
    return [Group(name, parent, None if budget != budget else budget, *more) for name, parent, budget, *more in rows]
