"""Rollouts for the command `fit`: its options as an importer takes them, and what was skipped as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from clear_alloc.errors import InvalidArgument
from clear_alloc.files import RolloutTable
from clear_alloc.importers import IMPORTERS

__all__ = ["SHOWN", "read", "skipped_dict", "skipped_text"]

SHOWN = 20  # skipped rows that are listed; the others are counted


def read(
    path: Path, importer: str, columns: Sequence[str], options: Sequence[str], scores: Path | None, skip: bool
) -> RolloutTable:
    """The rollouts at `path`, by the importer of that name."""
    if importer not in IMPORTERS:
        raise InvalidArgument("--importer", importer, ", ".join(IMPORTERS), "choose one of them")
    known = IMPORTERS[importer].options
    given: dict[str, Any] = _pairs("--option", options)
    if columns:
        if "columns" not in known:
            raise InvalidArgument("--map", columns[0], f"absent with --importer {importer}", "maps are for tables")
        given["columns"] = _pairs("--map", columns)
    if ("scores" in known) != (scores is not None):
        allowed = "a file with the columns custom_id and correct" if "scores" in known else "absent"
        remedy = "batches need scores, other sources hold their own"
        raise InvalidArgument("--scores", scores and str(scores), f"{allowed} with --importer {importer}", remedy)
    if scores is not None:
        given["scores"] = str(scores)
    return IMPORTERS[importer](path, given, skip)


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise typer.BadParameter(f"{option} is {text!r}; allowed: name=value, as {option} query_id=question")
        if pairs.setdefault(name, value) != value:
            raise typer.BadParameter(f"{option} names {name!r} twice; give one value")
    return pairs


def skipped_dict(table: RolloutTable) -> dict[str, Any]:
    """How many rows were skipped, and the first of them, for JSON."""
    rows = [{"row": row.row, "reason": row.reason} for row in table.skipped[:SHOWN]]
    return {"count": len(table.skipped), "rows": rows}


def skipped_text(table: RolloutTable) -> str:
    """The count and the first skipped rows as lines of text; empty if nothing was skipped."""
    if not table.skipped:
        return ""
    lines = [f"skipped {len(table.skipped):,} bad rows:", *(f"  {row}" for row in table.skipped[:SHOWN])]
    more = len(table.skipped) - SHOWN
    return "\n".join([*lines, *([f"  and {more:,} more"] if more > 0 else []), ""])
