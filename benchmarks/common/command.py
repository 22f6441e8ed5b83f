"""What the commands share: plain lines, refusals by the option's name, rows read from a file."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console

from benchmarks.common.rows import read_rows

Row = TypeVar("Row")


def app_of(help_text: str | None, **more: Any) -> typer.Typer:
    """A command whose errors are plain lines: no box that breaks a path or a sentence at the screen's width."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, help=help_text, **more)


def known_names(asked: Iterable[str] | None, known: Collection[str], what: str) -> list[str]:
    """The names of `--only`, each once; all of them where none is asked for. Refuses a name that isn't known."""
    names = list(dict.fromkeys(asked or known))
    if unknown := sorted(set(names) - set(known)):
        allowed = ", ".join(known)
        raise typer.BadParameter(f"{unknown[0]!r} is no {what}; choose from {allowed}", param_hint="--only")
    return names


def rows_in(path: Path, kind: type[Row], made_by: str) -> tuple[list[Row], list[dict[str, Any]]]:
    """Rows and environments of a file; refuses one that is not there or holds no rows. made_by : what writes it."""
    if not path.is_file():
        raise typer.BadParameter(f"there is no file {path}; make it with: {made_by}")
    try:
        return read_rows(path, kind)
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(f"{path} holds no rows of a run: {type(error).__name__}: {error}") from None


def say(screen: Console, text: str) -> None:
    """A line that is not broken, however narrow the screen: paths and sentences stay whole."""
    screen.print(text, soft_wrap=True)
