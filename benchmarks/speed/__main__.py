"""How long `allocate` takes, measured in turn with np.sort and with other ways to the same end.

Without a command: a small run, shown on the screen only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from benchmarks.common.command import app_of, known_names, rows_in, say
from benchmarks.common.markdown import seconds_words
from benchmarks.speed.groups import GROUPS, cases_of
from benchmarks.speed.rows import FILE, Row
from benchmarks.speed.running import measured, run_all
from benchmarks.speed.screen import show

app = app_of(__doc__)
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
    asked = known_names(only, GROUPS, "group")
    names = [name for name in GROUPS if name in asked]
    cases, screen, done = cases_of(names, largest), Console(stderr=True), []

    def done_with(row: Row) -> None:
        done.append(row)
        say(screen, escape(_line(row, len(done), len(cases))))

    rows = run_all(cases, repeats, out / FILE, done_with)
    show(rows, Console())
    failed, skipped = (sum(bool(getattr(row, name)) for row in rows) for name in ("error", "skipped"))
    source = escape(str(out / FILE))
    say(screen, f"{len(rows)} rows, {failed} of them failures, {skipped} skipped, in {source}")


@app.command()
def report(
    folder: Annotated[Path, typer.Option("--in", help=f"Folder of {FILE}.")] = OUT,
    page: Annotated[Path, typer.Option("-o", "--out", help="The page; its pictures in a folder beside it.")] = PAGE,
) -> None:
    """Write the page from the rows alone."""
    rows, places = rows_in(folder / FILE, Row, "python -m benchmarks.speed run")
    from benchmarks.speed.report import write_page  # needs jinja2 and matplotlib, which no other command does

    written = write_page(rows, places, page)
    say(Console(), f"{len(written)} files; read {escape(str(page))}")


def _line(row: Row, done: int, cases: int) -> str:
    result = row.error or row.skipped or (seconds_words(sorted(row.ours)[len(row.ours) // 2]) if row.ours else "")
    return f"{done}/{cases} {row.group}: {row.label} {row.n:,}: {result}"


if __name__ == "__main__":
    app()
