"""How results look: a table on a terminal, aligned text in a pipe, JSON for programs; progress on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

__all__ = ["as_json", "progress", "show_json", "show_table", "show_text", "working"]


def show_json(content: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(as_json(content))


def as_json(content: Mapping[str, Any]) -> str:
    """One JSON object over several lines, NaN and infinity as null."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def show_text(text: str) -> None:
    """Lines on stdout, as they are."""
    sys.stdout.write(text + "\n")


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with all columns but the first aligned right; on a terminal it is drawn."""
    if sys.stdout.isatty():
        table = Table(title=title, title_justify="left", header_style="bold")
        for position, name in enumerate(header):
            table.add_column(name, justify="right" if position else "left")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
    else:
        show_text("\n".join([title, *_aligned([header, *rows])]))


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()


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
