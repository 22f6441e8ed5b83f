"""The benchmark CLI: run policies on simulated streams and real rollouts, report, compare two runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.experiments import EXPERIMENTS, Case, cases_of
from benchmarks.main_job import ROLLOUTS
from benchmarks.regression_check import compared
from benchmarks.rows import Row, environment, read_rows
from benchmarks.running import OtherRun, estimate, forget, run_all, speed_of
from benchmarks.streams.calibration import calibrated, match
from benchmarks.summary import Place
from benchmarks.tables import changes_table, scarce_table

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, help=__doc__)
OUT = Path("out/bench")  # and in it a folder for each state of the code
QUICK = {"seeds": 2, "levels": (0.1, 0.5, 100.0, 300.0, 700.0)}

Out = Annotated[
    Path | None,
    typer.Option(help="Folder of the rows, the report and its pictures; default: out/bench/ + mark of the code."),
]


@app.callback()
def benchmarks() -> None:
    """Policies compared on simulated streams and real rollouts."""


@app.command()
def run(
    out: Out = None,
    quick: Annotated[bool, typer.Option(help="Two seeds and some budgets: a minute or two.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(EXPERIMENTS)}; again for more.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds of each stream; by default 20.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    rollouts: Annotated[
        Path, typer.Option(help="Parquet file to replay, with columns as in data/README.md.")
    ] = ROLLOUTS,
    fresh: Annotated[bool, typer.Option(help="Forget the rows that the folder holds.")] = False,
) -> None:
    """Run the comparison; what a stopped run has finished is not run again."""
    screen, out = Console(stderr=True), out or OUT / str(environment()["code"])
    cases = planned(only or list(EXPERIMENTS), quick, seeds, rollouts)
    if fresh:
        forget(out)
    budgets = {name: len(plan.levels) for name, plan in EXPERIMENTS.items()}
    seconds = estimate(cases, budgets, speed_of(jobs))
    screen.print(
        f"{len(cases)} cases on {jobs} processes: about {max(seconds / 60.0, 0.1):,.1f} minutes if none is done yet."
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=screen) as progress:
            task = progress.add_task("cases", total=len(cases))

            def done(case: Case) -> None:
                progress.update(task, advance=1, description=case.name)

            rows = run_all(cases, out, jobs, done)
    except OtherRun as error:
        screen.print(f"[red]{escape(str(error))}[/red]")
        raise typer.Exit(2) from None
    failed = [row for row in rows if row.error]
    Console().print(scarce_table(rows))
    screen.print(f"{len(rows):,} rows, {len(failed)} of them failures, in {out / 'rows.jsonl'} and rows.parquet")


@app.command()
def report(
    rows: Annotated[
        Path | None, typer.Argument(help="rows.jsonl or rows.parquet; by default those in --out.")
    ] = None,
    out: Out = None,
    page: Annotated[
        Path | None, typer.Option(help="Write a Markdown page too, its pictures in a folder beside it.")
    ] = None,
) -> None:
    """Write report.html, one file that needs no other, and the pictures as PNG."""
    from benchmarks.report import write_page, write_report  # loads matplotlib, which no other command needs

    out = out or (rows.parent if rows else OUT / str(environment()["code"]))
    source = rows or out / "rows.jsonl"
    _rows_of(source)
    written = write_report(source, out) + (write_page(source, page) if page else [])
    Console().print(f"{len(written)} files; open {out / 'report.html'}")


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="rows.jsonl or rows.parquet of the run before.")],
    after: Annotated[Path, typer.Argument(help="The same of the run after.")],
    tolerance: Annotated[float, typer.Option(min=0.0, help="Points of accuracy that ours may lose.")] = 0.25,
) -> None:
    """Show what changed between two result files; exit 1 if ours got worse, is missing, or fails where it didn't.

    Over all settings of an experiment together, ours may lose a fifth of the tolerance.
    """
    (old, then), (new, now) = _rows_of(before), _rows_of(after)
    screen, found = Console(), compared(old, new)
    for name in then:
        if then[name] != now[name]:
            screen.print(f"{name}: {then[name]} -> {now[name]}")
    if not found.changes:
        raise typer.BadParameter("the two files have no setting in common: nothing can be compared")
    others = "of other queries or budgets, so not compared"
    for word, places in (("gone", found.gone), ("new", found.new), (others, found.other)):
        if places:
            screen.print(f"{len(places)} settings are {word}, the first: {_place_words(*places[0])}")
    screen.print(changes_table(found))
    for place, policy, seed, error in found.failing:
        screen.print(f"[red]fails now:[/red] {_place_words(place, policy)}, seed {seed}: {escape(error)}")
    regressions = found.regressions(tolerance / 100.0)
    for change in regressions:
        points = f"{100.0 * change.paired.difference:+.2f} points"
        screen.print(f"[red]worse:[/red] {_place_words(change.place, change.policy)}: {points}")
    pooled = [own for own in found.pooled if own.worse(tolerance / 500.0)]
    for own in pooled:
        over = f"{100.0 * own.before:.0f} % -> {100.0 * own.after:.0f} % of batches over budget"
        points = f"{100.0 * own.difference:+.2f} points over {own.settings} settings, {over}"
        screen.print(f"[red]worse:[/red] {own.experiment}, {own.policy}: {points}")
    if found.missing:
        screen.print(f"[red]missing:[/red] {len(found.missing)} settings of ours")
    if regressions or pooled or found.failing or found.missing:
        raise typer.Exit(1)
    screen.print("nothing of ours got worse")


@app.command()
def calibrate() -> None:
    """Derive the simulated pools and the paper streams' proportions from the paper's figures, and show the match."""
    screen, known = Console(), calibrated()
    for name, pool in known.pools.items():
        screen.print(f"{name}: {pool}")
    for name, shares in known.shares.items():
        screen.print(
            f"{name}: {', '.join(f'{share:.0%} {pool}' for pool, share in zip(known.pools, shares, strict=True))}"
        )
    off = match(known)
    for what, misses in (("Figure 1", off.arrived), ("uniform accuracies", off.uniform)):
        typical, worst = np.sqrt((misses**2).mean()), np.abs(misses).max()
        screen.print(f"{what}: simulated less reported {typical:.2f} points (root mean square), at most {worst:.1f}")


def _rows_of(path: Path) -> tuple[list[Row], dict[str, object]]:
    if not path.exists():
        raise typer.BadParameter(f"there is no file {path}")
    try:
        rows, where = read_rows(path)
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise typer.BadParameter(f"{path} holds no rows of a run: {type(error).__name__}: {error}") from None
    if not rows:
        raise typer.BadParameter(f"{path} has no rows")
    return rows, where


def _place_words(place: Place, policy: str) -> str:
    experiment, stream, level, noise = place
    budget = f"{level:,.0f} tokens per query" if experiment == "paper" else f"{level:.0%} of the uncapped use"
    return f"{experiment}, {stream}, {budget}, error {noise:.0%}, {policy}"


def planned(names: list[str], quick: bool, seeds: int | None, rollouts: Path) -> list[Case]:
    """The cases of a run, experiment by experiment."""
    unknown = sorted(set(names) - set(EXPERIMENTS))
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} is no experiment; choose from {', '.join(EXPERIMENTS)}", param_hint="--only"
        )
    if not rollouts.is_file():
        raise typer.BadParameter(f"there is no file {rollouts}", param_hint="--rollouts")
    own, levels = (seeds or QUICK["seeds"], QUICK["levels"]) if quick else (seeds, None)
    return [case for name in dict.fromkeys(names) for case in cases_of(name, own, levels, rollouts)]


if __name__ == "__main__":
    app()
