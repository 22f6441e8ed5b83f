"""The benchmark CLI: run policies on simulated streams and real rollouts, report, compare two runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.experiments import EXPERIMENTS, Case, cases_of
from benchmarks.main_job import ROLLOUTS
from benchmarks.running import OtherRun, estimate, run_all, speed_of
from benchmarks.summary import scarce_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
OUT = Path("out/bench")
QUICK = {"seeds": 2, "levels": (0.05, 0.1, 0.3, 1.0, 100.0, 300.0, 700.0, 1500.0)}

Out = Annotated[Path, typer.Option(help="Folder of the rows, the report and its pictures.")]


@app.callback()
def benchmarks() -> None:
    """Policies compared on simulated streams and real rollouts."""


@app.command()
def run(
    out: Out = OUT,
    quick: Annotated[bool, typer.Option(help="Two seeds and some budgets: about two minutes.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(EXPERIMENTS)}; again for more.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds of each stream; by default 20.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    rollouts: Annotated[
        Path, typer.Option(help="Parquet file to replay, with columns as in data/README.md.")
    ] = ROLLOUTS,
    fresh: Annotated[bool, typer.Option(help="Forget what the folder holds.")] = False,
) -> None:
    """Run the comparison; what a stopped run has finished is not run again."""
    screen = Console(stderr=True)
    cases = planned(only or list(EXPERIMENTS), quick, seeds, rollouts)
    if fresh:
        shutil.rmtree(out, ignore_errors=True)
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
        screen.print(f"[red]{error}[/red]")
        raise typer.Exit(2) from None
    failed = [row for row in rows if row.error]
    Console().print(scarce_table(rows))
    screen.print(f"{len(rows):,} rows, {len(failed)} of them failures, in {out / 'rows.jsonl'} and rows.parquet")


def planned(names: list[str], quick: bool, seeds: int | None, rollouts: Path) -> list[Case]:
    """The cases of a run, experiment by experiment."""
    unknown = sorted(set(names) - set(EXPERIMENTS))
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} is no experiment; choose from {', '.join(EXPERIMENTS)}", param_hint="--only"
        )
    if not rollouts.exists():
        raise typer.BadParameter(f"there is no file {rollouts}", param_hint="--rollouts")
    own, levels = (seeds or QUICK["seeds"], QUICK["levels"]) if quick else (seeds, None)
    return [case for name in names for case in cases_of(name, own, levels, rollouts)]


if __name__ == "__main__":
    app()
