"""The three commands. They read, call the library and show; they compute nothing."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from clear_alloc.cli.reading import read, skipped_dict, skipped_text
from clear_alloc.cli.reports import check_reports, judgement_for, write_reports
from clear_alloc.cli.show import progress, show_json, show_text, working
from clear_alloc.cli.streams import print_out
from clear_alloc.cli.tables import more_text, show_allocation, show_frontier, show_groups
from clear_alloc.cli.terms import (
    Budget,
    Call,
    Ceiling,
    Charged,
    Fallback,
    Floor,
    GroupsIn,
    Levels,
    Overrun,
    Price,
    Rate,
    Start,
    check_pool,
    check_whole,
    terms_of,
    unit_of,
)
from clear_alloc.errors import InvalidArgument
from clear_alloc.files import (
    CurveFile,
    check_output,
    read_curves,
    read_groups,
    write_caps,
    write_columns,
    write_curves,
)
from clear_alloc.fit import FAMILIES, fit
from clear_alloc.groups import GroupedAllocation, allocate_groups
from clear_alloc.importers import IMPORTERS
from clear_alloc.policies.allocate import allocate
from clear_alloc.policies.frontier import Frontier, frontier

__all__ = ["app"]

app = typer.Typer(
    name="clear-alloc",
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Decide how many reasoning tokens each query gets: one shadow price clears the budget.",
    epilog="Files are JSONL (.jsonl, .ndjson), CSV or Parquet, by suffix; outputs are replaced in one step.",
)

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
        print_out(f"{context.get_help()}\n")


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
    check_output("--output", output, rollouts=rollouts, scores=scores)
    for path in reports:
        check_output("--report", path, output=output, rollouts=rollouts, scores=scores)
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
    budget: Budget = None,
    price: Price = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Caps file to write.")] = None,
    groups: GroupsIn = None,
    min_tokens: Floor = 0,
    max_tokens: Ceiling = None,
    levels: Levels = None,
    fallback: Fallback = 0,
    accounting: Charged = "reserved",
    overrun: Overrun = None,
    rate: Rate = None,
    call: Call = None,
    start: Start = None,
    as_json: Json = False,
) -> None:
    """Give every query its cap under one budget, or at one price."""
    check_pool(budget, price, start, groups)
    if output is not None:
        check_output("--output", output, curves=curves, groups=groups)
    with working("reading curves"):
        file = read_curves(curves)
    limits = {"min_tokens": min_tokens, "max_tokens": max_tokens, "fallback": fallback}
    terms = terms_of(file, accounting, overrun, levels, rate=rate, call=call, **limits)
    check_whole(terms, {"--budget": budget})
    grouped = None
    if groups is not None:
        grouped = _grouped(file, budget, groups, terms)
        result = grouped.allocation
    else:
        with working("allocating"):
            result = allocate(file.curves, budget, price=price, start=start or 0.0, **terms)
    if output is not None:
        write_caps(output, result, file.ids)
    if as_json:
        content = (grouped or result).to_dict()
        show_json(content)
        return
    if grouped is not None:
        show_groups(grouped.groups, result.unit)
    show_allocation(result, output)


def _grouped(file: CurveFile, budget: Any, groups: Path, terms: dict[str, Any]) -> GroupedAllocation:
    listed = read_groups(groups)
    if file.group is None and file.ids:
        remedy = "add the column, or leave --groups out"
        raise InvalidArgument("--groups", str(groups), "curves whose rows have the column group", remedy)
    for group in listed:
        check_whole(terms, {f"the budget of group {group.name!r} in {groups}": group.budget})
    with working("allocating"):
        return allocate_groups(file.curves, budget, listed, file.group or (), **terms)


_MORE, _BY = 1.2, "20 %"


@app.command("frontier")
def frontier_command(
    curves: CurvesIn,
    budgets: Annotated[str | None, typer.Option(help="Budgets to show, with commas: 1000,5000.")] = None,
    points: Annotated[int, typer.Option(help="Number of budgets where none are given.")] = 12,
    budget: Annotated[float | None, typer.Option(help=f"Your budget: say what {_BY} more than it would buy.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write the table to.")] = None,
    min_tokens: Floor = 0,
    max_tokens: Ceiling = None,
    levels: Levels = None,
    fallback: Fallback = 0,
    accounting: Charged = "reserved",
    overrun: Overrun = None,
    rate: Rate = None,
    call: Call = None,
    as_json: Json = False,
) -> None:
    """Show what budgets buy, from scarce to the one that saturates every query."""
    chosen = None if budgets is None else _numbers(budgets)
    if output is not None:
        check_output("--output", output, curves=curves)
    with working("reading curves"):
        file = read_curves(curves)
    limits = {"min_tokens": min_tokens, "max_tokens": max_tokens, "fallback": fallback}
    terms = terms_of(file, accounting, overrun, levels, rate=rate, call=call, **limits)
    check_whole(terms, {"--budget": budget, **{f"--budgets[{k}]": b for k, b in enumerate(chosen or ())}})
    more = None if budget is None else frontier(file.curves, [budget, _MORE * budget], **terms)
    swept = frontier(file.curves, chosen, points=points, track=partial(progress, what="allocating"), **terms)
    if output is not None:
        write_columns(output, swept.to_columns())
    if as_json:
        show_json({"points": _points(swept), **({} if more is None else {"more": _points(more)})})
        return
    show_frontier(swept, len(file.ids), unit_of(terms))
    if more is not None:
        show_text(more_text(more, unit_of(terms), _BY))


def _points(swept: Frontier) -> list[dict[str, float]]:
    columns = swept.to_columns()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"--budgets is {text!r}; allowed: numbers of tokens with commas, as 1000,5000"
        ) from error
