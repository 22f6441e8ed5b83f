"""The three commands. They read, call the library and show; they compute nothing."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from clear_alloc.allocate import allocate
from clear_alloc.cli.reading import read, skipped_dict, skipped_text
from clear_alloc.cli.reports import check_reports, judgement_for, write_reports
from clear_alloc.cli.show import progress, show_json, show_table, show_text, working
from clear_alloc.curves import Accounting
from clear_alloc.files import read_curves, write_caps, write_columns, write_curves
from clear_alloc.fit import FAMILIES, fit
from clear_alloc.frontier import Frontier, frontier
from clear_alloc.importers import IMPORTERS
from clear_alloc.result import Allocation

__all__ = ["app"]

app = typer.Typer(
    name="clear-alloc",
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Decide how many reasoning tokens each query gets: one shadow price clears the budget.",
    epilog="Files are JSONL (.jsonl, .ndjson), CSV or Parquet, by suffix; outputs are replaced in one step.",
)

Budget = Annotated[float, typer.Option(help="Tokens for all queries together.")]
Floor = Annotated[
    int, typer.Option(help="Least tokens per query, next to the row's own min_tokens; the higher one holds.")
]
Ceiling = Annotated[
    int | None,
    typer.Option(help="Most tokens per query, next to the row's own max_tokens; the lower one holds."),
]
Charged = Annotated[str, typer.Option(help="What a cap costs: reserved (all of it) or expected (what it burns).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
_OPTIONS = "; ".join(
    f"{name}: {', '.join(sorted(set(source.options) - {'columns', 'scores'}))}"
    for name, source in IMPORTERS.items()
    if name != "table"
)
CurvesIn = Annotated[Path, typer.Argument(help="Curves, one query per row.", show_default=False)]


def _version(asked: bool) -> None:
    if asked:
        show_text(f"clear-alloc {version('clear-alloc')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        show_text(context.get_help())


@app.command("fit")
def fit_command(
    rollouts: Annotated[
        Path,
        typer.Argument(
            help="Columns query_id, tokens, correct, and optionally cap, weight; or a log, with --importer."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Curves file to write.")],
    family: Annotated[str, typer.Option(help=f"{', '.join(FAMILIES)}, or auto: the best one.")] = "lognormal",
    importer: Annotated[str, typer.Option(help=f"What ROLLOUTS is: {', '.join(IMPORTERS)}.")] = "table",
    column: Annotated[
        list[str] | None, typer.Option("--map", help="Of a table: our column=its column, as query_id=question.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Of a batch: file with the columns custom_id and correct.")
    ] = None,
    option: Annotated[list[str] | None, typer.Option(help=f"Of the importer, name=value. {_OPTIONS}")] = None,
    skip_bad_rows: Annotated[bool, typer.Option(help="Leave bad rows out, count and list them.")] = False,
    report: Annotated[
        list[Path] | None,
        typer.Option(help="Write the report, judged on held-out rollouts: .json, or a picture (.png, .svg, .pdf)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn recorded completions into one curve per query."""
    reports = check_reports(report or [])
    with working("reading rollouts"):
        data = read(rollouts, importer, column or [], option or [], scores, skip_bad_rows)
    with working("fitting curves"):
        fitted = fit(data, family, judge=bool(reports))
    content = {**fitted.report.to_dict(), "skipped": skipped_dict(data), "curves": str(output)}
    judgement = judgement_for(reports, fitted)
    write_curves(output, fitted.curves, [str(name) for name in fitted.ids])
    write_reports(reports, content, judgement)
    if as_json:
        show_json(content)
    else:
        written = [f"{len(fitted.ids):,} curves written to {output}", *(f"report written to {p}" for p in reports)]
        show_text("\n".join([f"{fitted.report}\n{skipped_text(data)}{written[0]}", *written[1:]]))


@app.command("allocate")
def allocate_command(
    curves: CurvesIn,
    budget: Budget,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Caps file to write.")] = None,
    min_tokens: Floor = 0,
    max_tokens: Ceiling = None,
    accounting: Charged = "reserved",
    as_json: Json = False,
) -> None:
    """Give every query its cap under one budget."""
    with working("reading curves"):
        file = read_curves(curves)
    floors, ceilings = file.limits(min_tokens, max_tokens)
    with working("allocating"):
        charged = cast(Accounting, accounting)
        result = allocate(
            file.curves, budget, accounting=charged, min_tokens=floors, max_tokens=ceilings, ids=file.ids
        )
    if output is not None:
        write_caps(output, result, file.ids)
    if as_json:
        show_json(result.to_dict())
    else:
        _show_allocation(result, output)


def _show_allocation(result: Allocation, output: Path | None) -> None:
    rows = [
        ("budget", f"{result.budget:,.15g}", "tokens"),
        ("spent", f"{result.spent:,.15g}", "tokens"),
        ("funded", f"{result.funded.sum():,} of {len(result):,}", "queries"),
        ("price", f"{result.price:.4g}", "value/token"),
        ("utility", f"{result.utility:,.6g}", "value (expected right answers x weight)"),
        ("upper bound", f"{result.upper_bound:,.6g}", "value"),
        ("gap", f"{result.gap:.2g}", "value"),
    ]
    show_table("allocation", ("", "amount", "unit"), rows)
    show_text(result.status.value)
    show_text(f"caps written to {output}" if output else "caps not written: name a file with -o, or use --json")


@app.command("frontier")
def frontier_command(
    curves: CurvesIn,
    budgets: Annotated[str | None, typer.Option(help="Budgets in tokens, with commas: 1000,5000.")] = None,
    points: Annotated[int, typer.Option(help="Number of budgets where none are given.")] = 12,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write the table to.")] = None,
    min_tokens: Floor = 0,
    max_tokens: Ceiling = None,
    accounting: Charged = "reserved",
    as_json: Json = False,
) -> None:
    """Show what budgets buy, from scarce to the one that saturates every query."""
    with working("reading curves"):
        file = read_curves(curves)
    floors, ceilings = file.limits(min_tokens, max_tokens)
    options: dict[str, Any] = {"accounting": accounting, "min_tokens": floors, "max_tokens": ceilings}
    chosen = None if budgets is None else _numbers(budgets)
    swept = frontier(file.curves, chosen, points=points, track=partial(progress, what="allocating"), **options)
    columns = swept.to_columns()
    if output is not None:
        write_columns(output, columns)
    if as_json:
        names = tuple(columns)
        show_json({"points": [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]})
    else:
        _show_frontier(swept, len(file.ids))


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"--budgets is {text!r}; allowed: numbers of tokens with commas, as 1000,5000"
        ) from error


def _show_frontier(swept: Frontier, n: int) -> None:
    header = ("budget (tokens)", "utility (value)", "price (value/token)", "funded", "gap (value)")
    rows = [
        (f"{budget:,.15g}", f"{utility:,.6g}", f"{price:.4g}", f"{funded:.1%}", f"{gap:.2g}")
        for budget, utility, price, funded, gap in zip(
            swept.budget, swept.utility, swept.price, swept.funded_share, swept.gap, strict=True
        )
    ]
    show_table(f"frontier of {n:,} queries", header, rows)
