"""The benchmark CLI: run policies on simulated streams and real rollouts, report, compare two runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.common.command import app_of, known_names, rows_in, say
from benchmarks.common.environment import environment
from benchmarks.estimate import estimate, speed_of
from benchmarks.experiments import EXPERIMENTS, Case, cases_of
from benchmarks.main_job import ROLLOUTS
from benchmarks.regression_check import Comparison, compared
from benchmarks.rows import Row
from benchmarks.running import OtherRun, forget, run_all
from benchmarks.streams.calibration import calibrated, match
from benchmarks.summary import Place
from benchmarks.tables import changes_table, scarce_table

app = app_of(__doc__, no_args_is_help=True)
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
    cases = planned(only, quick, seeds, rollouts)
    if fresh:
        forget(out)
    budgets = {name: len(plan.levels) for name, plan in EXPERIMENTS.items()}
    seconds = estimate(cases, budgets, speed_of(jobs))
    minutes = max(seconds / 60.0, 0.1)
    say(screen, f"{len(cases)} cases on {jobs} processes: about {minutes:,.1f} minutes if none is done yet.")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=screen) as progress:
            task = progress.add_task("cases", total=len(cases))

            def done(case: Case) -> None:
                progress.update(task, advance=1, description=case.name)

            rows = run_all(cases, out, jobs, done)
    except OtherRun as error:
        say(screen, f"[red]{escape(str(error))}[/red]")
        raise typer.Exit(2) from None
    failed = [row for row in rows if row.error]
    Console().print(scarce_table(rows))
    source = escape(str(out / "rows.jsonl"))
    say(screen, f"{len(rows):,} rows, {len(failed)} of them failures, in {source} and rows.parquet")


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
    say(Console(), f"{len(written)} files; open {escape(str(out / 'report.html'))}")


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
    for name in {**then, **now}:
        if then.get(name) != now.get(name):
            say(screen, escape(f"{name}: {then.get(name)} -> {now.get(name)}"))
    if not found.changes:
        raise typer.BadParameter("the two files have no setting in common: nothing can be compared")
    others = "of other queries or budgets, so not compared"
    for word, places in (("gone", found.gone), ("new", found.new), (others, found.other)):
        if places:
            say(screen, f"{len(places)} settings are {word}, the first: {_place_words(*places[0])}")
    screen.print(changes_table(found))
    complaints = list(_complaints(found, tolerance / 100.0))
    for kind, text in complaints:
        say(screen, f"[red]{kind}:[/red] {escape(text)}")
    if complaints:
        raise typer.Exit(1)
    say(screen, "nothing of ours got worse")


def _complaints(found: Comparison, tolerance: float) -> Iterator[tuple[str, str]]:
    """What makes `compare` fail, in words."""
    for place, policy, seed, error in found.failing:
        yield "fails now", f"{_place_words(place, policy)}, seed {seed}: {error}"
    for change in found.regressions(tolerance):
        points = f"{100.0 * change.paired.difference:+.2f} points"
        yield "worse", f"{_place_words(change.place, change.policy)}: {points}"
    for pooled in found.pooled:
        if pooled.worse(tolerance / 5.0):
            over = f"{100.0 * pooled.before:.0f} % -> {100.0 * pooled.after:.0f} % of batches over budget"
            points = f"{100.0 * pooled.difference:+.2f} points over {pooled.settings} settings, {over}"
            yield "worse", f"{pooled.experiment}, {pooled.policy}: {points}"
    if found.missing:
        yield "missing", f"{len(found.missing)} settings of ours"


@app.command()
def calibrate() -> None:
    """Derive the simulated pools and the paper streams' proportions from the paper's figures, and show the match."""
    screen, known = Console(), calibrated()
    for name, pool in known.pools.items():
        say(screen, f"{name}: {pool}")
    for name, shares in known.shares.items():
        mixed = ", ".join(f"{share:.0%} {pool}" for pool, share in zip(known.pools, shares, strict=True))
        say(screen, f"{name}: {mixed}")
    off = match(known)
    for what, misses in (("Figure 1", off.arrived), ("uniform accuracies", off.uniform)):
        typical, worst = np.sqrt((misses**2).mean()), np.abs(misses).max()
        say(screen, f"{what}: simulated less reported {typical:.2f} points (root mean square), at most {worst:.1f}")


def _rows_of(path: Path) -> tuple[list[Row], dict[str, Any]]:
    """Rows and the environment of the first."""
    rows, environments = rows_in(path, Row, "python -m benchmarks run")
    if not rows:
        raise typer.BadParameter(f"{path} has no rows")
    return rows, environments[0]


def _place_words(place: Place, policy: str) -> str:
    experiment, stream, level, noise = place
    budget = f"{level:,.0f} tokens per query" if experiment == "paper" else f"{level:.0%} of the uncapped use"
    return f"{experiment}, {stream}, {budget}, error {noise:.0%}, {policy}"


def planned(only: list[str] | None, quick: bool, seeds: int | None, rollouts: Path) -> list[Case]:
    """The cases of a run, experiment by experiment."""
    names = known_names(only, EXPERIMENTS, "experiment")
    if not rollouts.is_file():
        raise typer.BadParameter(f"there is no file {rollouts}", param_hint="--rollouts")
    asked, levels = (seeds or QUICK["seeds"], QUICK["levels"]) if quick else (seeds, None)
    return [case for name in names for case in cases_of(name, asked, levels, rollouts)]


if __name__ == "__main__":
    app()
