"""How long `allocate` takes, measured in turn with np.sort and with other ways to the same end.

Without a command: a small run, shown on the screen only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.speed.groups import GROUPS, cases_of
from benchmarks.speed.markdown import seconds_words, series_words
from benchmarks.speed.rows import FILE, Row, read_rows
from benchmarks.speed.running import measured, run_all
from benchmarks.speed.screen import show

app = typer.Typer(add_completion=False, rich_markup_mode=None, help=__doc__)
OUT = Path("out/speed")
PAGE = Path("docs/performance.md")
ROUNDS, LARGEST, LONGEST = 3, 100_000, 1.5  # of the small run: rounds, queries, seconds of a call
SLOW = {"contour": 1_000}  # most queries of groups that would take it beyond a minute


@app.callback(invoke_without_command=True)
def speed(context: typer.Context) -> None:
    """Time of `allocate`; without a command a small run, within a minute."""
    if context.invoked_subcommand is None:
        cases = [case for name in GROUPS for case in cases_of([name], SLOW.get(name, LARGEST))]
        rows: list[Row] = []
        with Console(stderr=True).status(f"{len(cases)} cases") as status:
            for row in measured(cases, ROUNDS, LONGEST):
                rows.append(row)
                status.update(_line(row, len(rows), len(cases)))
        show(rows, Console())


@app.command()
def run(
    largest: Annotated[int, typer.Option(min=1, help="Most queries of a case.")] = 1_000_000,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds of a case; fewer, but three, if they take long.")] = 7,
    only: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(GROUPS)}; again for more.")] = None,
    out: Annotated[Path, typer.Option(help=f"Folder of {FILE}; other groups' rows stay in it.")] = OUT,
) -> None:
    """Measure, and write a row per case."""
    unknown = sorted(set(only or ()) - set(GROUPS))
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is no group; choose from {', '.join(GROUPS)}", param_hint="--only")
    names = [name for name in GROUPS if not only or name in only]
    cases, screen, done = cases_of(names, largest), Console(stderr=True), []

    def told(row: Row) -> None:
        done.append(row)
        screen.print(_line(row, len(done), len(cases)))

    rows = run_all(cases, repeats, out / FILE, told)
    show(rows, Console())
    failed, skipped = (sum(bool(getattr(row, name)) for row in rows) for name in ("error", "skipped"))
    screen.print(f"{len(rows)} rows, {failed} of them failures, {skipped} skipped, in {out / FILE}")


@app.command()
def report(
    folder: Annotated[Path, typer.Option("--in", help=f"Folder of {FILE}.")] = OUT,
    page: Annotated[Path, typer.Option("-o", "--out", help="The page; its pictures in a folder beside it.")] = PAGE,
) -> None:
    """Write the page from the rows alone."""
    source = folder / FILE
    if not source.is_file():
        raise typer.BadParameter(f"there is no file {source}; make it with: python -m benchmarks.speed run")
    try:
        rows, places = read_rows(source)
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise typer.BadParameter(f"{source} holds no rows of a run: {type(error).__name__}: {error}") from None
    from benchmarks.speed.report import write_page  # needs jinja2 and matplotlib, which no other command does

    written = write_page(rows, places, page)
    Console().print(f"{len(written)} files; read {page}")


def _line(row: Row, done: int, cases: int) -> str:
    told = row.error or row.skipped or (seconds_words(sorted(row.ours)[len(row.ours) // 2]) if row.ours else "")
    return f"{done}/{cases} {row.group}: {series_words(row)} {row.n:,}: {told}"


if __name__ == "__main__":
    app()
