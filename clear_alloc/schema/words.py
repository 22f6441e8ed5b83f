"""What cells of several kinds of row are allowed to be, in words."""

from __future__ import annotations

from clear_alloc.schema.kinds import MOST

__all__ = ["ID", "LIMIT", "NO_MORE", "RIGHT", "TOKENS", "WEIGHT"]

NO_MORE = f"and at most 2**53 = {MOST:,}"
ID = "a name of at least one character (a whole number is read as its digits)"
TOKENS = f"a whole number of tokens, at least 0 {NO_MORE}"
LIMIT = f"a whole number of tokens, at least 1 {NO_MORE}"
WEIGHT = f"a finite value of one right answer, at least 0 {NO_MORE}"
RIGHT = "0 or 1 (or false, true)"
