"""The page: one Markdown text from one template, its picture in a folder beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import markdown as words
from benchmarks.common import page as common
from benchmarks.common.figures import png
from benchmarks.common.tables import Table
from benchmarks.speed.report.picture import sizes
from benchmarks.speed.rows import Row
from benchmarks.speed.scaling import LARGE, growth
from benchmarks.speed.tables import COLUMNS, growth_table, stage_tables, table_of, targets_table
from benchmarks.speed.targets import checked_targets
from benchmarks.speed.workloads import FUNDED, SHARE

TEMPLATE = Path(__file__).with_name("performance.md.j2")
PICTURE = "sizes"
TEXT = {"aim": 2, "import": 1}  # columns of text on the left, by table; the last of the aims is text too


def write_page(rows: list[Row], places: list[dict[str, Any]], page: Path) -> list[Path]:
    """A Markdown page and, in a folder of its name beside it, its picture. Returns what was written."""
    figure = sizes(rows)
    pictures = {} if figure is None else {PICTURE: png(figure)}
    return common.write_page(page, pictures, lambda folder: markdown(rows, places, folder if pictures else ""))


def markdown(rows: list[Row], places: list[dict[str, Any]], folder: str) -> str:
    """The page; its picture is in `folder`, if there is one. places : the environments of the rows."""
    picture = f"{folder}{PICTURE}.png" if folder else ""
    return common.rendered(TEMPLATE, **_sections(rows, places), picture=picture)


def _sections(rows: list[Row], places: list[dict[str, Any]]) -> dict[str, Any]:
    results, sorted_rows = checked_targets(rows), [row for row in rows if row.group == "sort"]
    failed, skipped = ([row for row in rows if getattr(row, name)] for name in ("error", "skipped"))
    return {
        "rows": len(rows),
        "rounds": max((len(row.ours) for row in sorted_rows), default=0),
        "places": [_place(place) for place in places],
        "aims": _shown(targets_table(results), TEXT["aim"], prose=True),
        "met": sum(result.met is True for result in results),
        "missed": sum(result.met is False for result in results),
        "unknown": sum(result.met is None for result in results),
        "tables": {group: _shown(table_of(group, rows)) for group in COLUMNS},
        "growth": _shown(growth_table(growth(sorted_rows))),
        "large": f"{LARGE:,}",
        "stages": [(name, _shown(table)) for name, table in stage_tables(rows)],
        "failed": _reasons(failed, "error"),
        "skipped": _reasons(skipped, "skipped"),
        "failures": len(failed),
        "skips": len(skipped),
        "share": f"{100 * SHARE:.0f} %",
        "funded": f"{100 * FUNDED:.0f} %",
        "uneven": _uneven(rows),
    }


def _shown(table: Table, left: int = 1, prose: bool = False) -> str:
    return words.table(table.header, table.lines, left, prose) if table.lines else ""


def _reasons(rows: Sequence[Row], name: str) -> str:
    lines = [(row.group, row.label, f"{row.n:,}", words.one_line(getattr(row, name))) for row in rows]
    return words.table(("group", "curves", "queries", "what it said"), lines, 2, prose=True) if lines else ""


def _place(place: dict[str, Any]) -> dict[str, str]:
    """An environment in words."""
    words_of = {
        name: words.one_line(str(place.get(name, "-"))) for name in ("code", "versions", "machine", "cpu", "cores")
    }
    threads = place.get("threads")
    return words_of | {
        "commit": words.one_line(str(place.get("commit", "unknown"))),
        "changed": "yes" if place.get("dirty") else "",
        "threads": "not set" if threads is None else words.one_line(str(threads)),
    }


def _uneven(rows: Sequence[Row]) -> int:
    """Batches for which a price to start from changed a cap; there should be none."""
    return sum(row.figures.get("same caps") == 0.0 for row in rows)
