"""How results look: a table on a terminal, aligned text in a pipe, JSON for programs; progress on stderr."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from clear_alloc.cli.streams import print_out
from clear_alloc.errors import printable

__all__ = ["as_json", "progress", "show_json", "show_table", "show_text", "working"]

_LONGEST = 2000  # letters of one line of text


def show_json(content: Mapping[str, Any]) -> None:
    """One JSON object on stdout, in UTF-8 whatever the terminal's encoding is."""
    print_out(as_json(content), utf8=True)


def as_json(content: Mapping[str, Any]) -> str:
    """One JSON object over several lines, NaN and infinity as null, what is no letter as an escape."""
    text = json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False)
    return re.sub(r"[^ -~\n]", lambda found: _letter(found[0]), text) + "\n"


def _letter(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def show_text(text: str) -> None:
    """Lines on stdout; what is no letter is shown as an escape."""
    print_out("".join(f"{printable(line, _LONGEST)}\n" for line in text.split("\n")))


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with all columns but the first aligned right; on a terminal that is wide enough it is drawn."""
    lines = [[printable(cell) for cell in row] for row in (header, *rows)]
    if not (sys.stdout.isatty() and _draw(title, lines)):
        show_text("\n".join([title, *_aligned(lines)]))


def _draw(title: str, lines: Sequence[Sequence[str]]) -> bool:
    # Cells are texts as they are: a name may hold what rich takes for markup.
    table = Table(title=Text(title), title_justify="left", header_style="bold")
    for position, name in enumerate(lines[0]):
        table.add_column(Text(name), justify="right" if position else "left")
    for row in lines[1:]:
        table.add_row(*map(Text, row))
    console = Console()
    fits = console.measure(table, options=console.options.update(width=_LONGEST)).maximum <= console.width
    if fits:
        console.print(table)
    return fits


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        gaps = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join([row[0] + gaps[0], *(g + c for g, c in zip(gaps[1:], row[1:], strict=True))]).rstrip()


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on stderr while the block runs, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(what):
        yield


def progress(steps: Sequence[float], what: str) -> Iterable[float]:
    """The steps, with a bar on stderr that fills as they are taken, if stderr is a terminal."""
    if not sys.stderr.isatty():
        return steps
    return track(steps, description=what, console=Console(stderr=True), transient=True)
