"""The report as a page: one Markdown text from one template, with its pictures beside it or embedded in HTML."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

from benchmarks import paper
from benchmarks.report import head_to_head as versus
from benchmarks.report import overview
from benchmarks.report import paper_comparison as sides
from benchmarks.report.bars import gains, ladder
from benchmarks.report.figure1 import figure1
from benchmarks.report.figures import png
from benchmarks.report.lines import abandonment, frontier, noise
from benchmarks.report.market import market, market_picture
from benchmarks.report.other_tables import all_policies, noisy, peers, replayed
from benchmarks.report.results import Results
from benchmarks.streams import STREAMS
from clear_alloc.files.atomic import replacing

__all__ = ["as_html", "drawn", "markdown", "write_page", "write_report"]

TEMPLATE = "results.md.j2"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 1000px; margin: 2em auto; padding: 0 1em; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2em; border-bottom: 1px solid #ccc; padding-bottom: 0.2em; }
img { max-width: 100%; width: 800px; display: block; margin: 1em 0; }
table { border-collapse: collapse; font-size: 12.5px; display: block; overflow-x: auto; margin: 1em 0; }
th, td { padding: 3px 5px; border-bottom: 1px solid #ddd; vertical-align: top; } th { border-bottom: 2px solid #888; }
th { text-align: left; } td:first-child, td[style*="right"] { white-space: nowrap; }
tr:nth-child(even) td { background: #f6f6f6; } code { background: #f0f0f0; padding: 0 3px; }
pre { background: #f0f0f0; padding: 0.6em 1em; } pre code { padding: 0; } @media print { table { font-size: 10px; } }
"""


def write_page(rows_path: Path, page: Path) -> list[Path]:
    """A Markdown page and, in a folder of its name beside it, its pictures. Returns what was written."""
    results = Results.read(rows_path)
    pictures = drawn(results)
    folder = page.parent / page.stem
    folder.mkdir(parents=True, exist_ok=True)
    written = _kept(pictures, folder)
    return [*written, _put(page, markdown(results, pictures, f"{page.stem}/").encode())]


def write_report(rows_path: Path, out: Path) -> list[Path]:
    """`report.html`, which needs no other file, and its pictures, in the folder `out`. Returns what was written."""
    results = Results.read(rows_path)
    pictures = drawn(results)
    out.mkdir(parents=True, exist_ok=True)
    page = as_html(markdown(results, pictures, ""), pictures)
    return [*_kept(pictures, out), _put(out / "report.html", page.encode())]


def _kept(pictures: dict[str, bytes], folder: Path) -> list[Path]:
    return [_put(folder / f"{name}.png", picture) for name, picture in pictures.items()]


def _put(path: Path, content: bytes) -> Path:
    with replacing(path) as stream:
        stream.write(content)
    return path


def drawn(results: Results) -> dict[str, bytes]:
    """PNGs by name, of what the rows have."""
    others = [name for name in STREAMS if name not in paper.STREAMS]
    demand = market(results)
    figures = {
        "figure1": figure1() if results.rows else None,
        "demand": market_picture(demand) if demand else None,
        "frontier": frontier(results, paper.STREAMS),
        "frontier-other": frontier(results, others),
        "ladder": ladder(results),
        "abandonment": abandonment(results),
        "noise": noise(results),
        "gain": gains(results),
    }
    return {name: png(figure) for name, figure in figures.items() if figure is not None}


def markdown(results: Results, pictures: dict[str, bytes], folder: str) -> str:
    """The page; pictures are looked for in `folder`."""
    words = Environment(  # noqa: S701 - Markdown; foreign text is escaped where it comes in
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    text = words.get_template(TEMPLATE).render(**_sections(results), picture=_linked(pictures, folder))
    return "\n".join(_without_double_blanks(text.splitlines())) + "\n"


def _sections(results: Results) -> dict[str, Any]:
    return {
        "ran": overview.ran(results),
        "policies": overview.policies(results),
        "match": sides.matched(),
        "market": market(results),
        "scarce": versus.scarce(results),
        "uniform": versus.comparison(results, versus.AGAINST_UNIFORM),
        "burned": versus.burned(results),
        "spending": versus.spending(results),
        "spent_on": versus.spent_on(results),
        "bought": versus.bought(results),
        "assumed": sides.assumed(),
        "clear": versus.comparison(results, versus.AGAINST_CLEAR),
        "ladder": sides.ladder_section(results),
        "reproduced": sides.reproduced(results),
        "noise": noisy(results),
        "peers": peers(results),
        "every": all_policies(results),
        "replay": replayed(results),
        "failures": overview.failed(results),
        "failed": len(results.failures),
    }


def _linked(pictures: dict[str, bytes], folder: str) -> Callable[[str, str], str]:
    """A picture's link with what it shows in words, or nothing where it wasn't drawn."""
    return lambda name, words: f"![{words}]({folder}{name}.png)" if name in pictures else ""


def _without_double_blanks(lines: list[str]) -> list[str]:
    """What conditions leave out of the template leaves blank lines behind."""
    return [line.rstrip() for place, line in enumerate(lines) if line.strip() or (place and lines[place - 1].strip())]


def as_html(text: str, pictures: dict[str, bytes]) -> str:
    """The same page in one file: pictures as data, nothing fetched from anywhere."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for image in (child for token in tokens for child in token.children or () if child.type == "image"):
        data = base64.b64encode(pictures[Path(str(image.attrs["src"])).stem]).decode()
        image.attrs["src"] = f"data:image/png;base64,{data}"
    title = html.escape(text.splitlines()[0].lstrip("# "))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = parser.renderer.render(tokens, parser.options, {})
    head = f"<head>{head}<style>{STYLE}</style></head>"
    return f'<!doctype html>\n<html lang="en">\n{head}\n<body>\n{body}</body>\n</html>\n'
