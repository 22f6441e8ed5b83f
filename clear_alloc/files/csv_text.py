"""CSV against plain rows: what a cell spells, and which text is no CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from clear_alloc.errors import BadRow
from clear_alloc.files.bad_rows import BadRowPolicy
from clear_alloc.files.formats import Pick, check_header
from clear_alloc.files.json_text import parse_json
from clear_alloc.schema import AMOUNTS, LISTS, TEXTS

__all__ = ["csv_rows", "unfolded"]

_LONGEST = 2**24  # characters of a cell; csv stops at 2**17, and one quote that never ends takes all that follows


def csv_rows(
    path: Path, model: type[BaseModel], refuse: BadRowPolicy, pick: Pick | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number (1 = the first below the header) and cells of every CSV row that is not blank.

    An empty cell is no cell. Lists are JSON in a cell: `[0, 300]`. Columns that `model` doesn't know are passed.
    `refuse` hears of rows with another number of cells than the header. O(cells).
    """
    number = 0
    csv.field_size_limit(max(_LONGEST, csv.field_size_limit()))
    try:
        # Bytes that are not UTF-8 are let in, to be refused with the row where they stand.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            reader = csv.reader(_readable(stream), strict=True)
            header = next(reader, [])
            if header:
                check_header(path, header, model, pick)
            wanted = _wanted(header, model, pick)
            for number, cells in enumerate(reader, start=1):
                if cells and len(cells) == len(header):
                    yield number, {name: _value(name, cells[k]) for name, k in wanted if cells[k]}
                elif cells:
                    allowed = f"{len(header)}, as the header; quote cells that hold commas"
                    refuse(path, number, f"it has {len(cells)} cells; allowed: {allowed}")
    except csv.Error as error:
        raise BadRow(str(path), number + 1, f"the text can't be read as CSV in UTF-8 ({error}); repair it") from error


def _readable(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise csv.Error("it holds NUL, as UTF-16 and binary files do")
        if not line.isascii() and any("\ud800" <= letter <= "\udfff" for letter in line):
            raise csv.Error("a byte is not UTF-8")
        yield line


def _wanted(header: Sequence[str], model: type[BaseModel], pick: Pick | None) -> list[tuple[str, int]]:
    """Fields of the model, each with the number of its column."""
    column = {name: k for k, name in enumerate(header)}
    chosen = pick or {name: name for name in model.model_fields}
    return [(ours, column[theirs]) for ours, theirs in chosen.items() if theirs in column]


def _value(name: str, text: str) -> object:
    # What doesn't spell a value stays text, for the schema to refuse by its name.
    if name in TEXTS or "_" in text:  # Python reads 1_000 as a number, nobody else does
        return text
    if name in LISTS or (name in AMOUNTS and text.startswith("[")):
        return _parsed_list(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text


def _parsed_list(text: str) -> object:
    try:
        return parse_json(text)
    except ValueError:
        return text


def unfolded(name: str, value: object) -> object:
    """The list that JSON text in a column of lists spells; any other value as it is."""
    folded = name in LISTS | AMOUNTS and isinstance(value, str) and value.startswith("[")
    return _parsed_list(value) if folded else value  # type: ignore[arg-type]
