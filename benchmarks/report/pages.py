"""The report as a page: one Markdown text from one template, with its pictures beside it or embedded in HTML."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from benchmarks import paper
from benchmarks.common import page as common
from benchmarks.common.figures import png
from benchmarks.report import head_to_head, overview, paper_comparison
from benchmarks.report.bars import gains, ladder
from benchmarks.report.figure1 import figure1
from benchmarks.report.lines import abandonment, frontier, noise
from benchmarks.report.market import market, market_picture
from benchmarks.report.other_tables import all_policies, noisy, peers, replayed
from benchmarks.report.results import Results
from benchmarks.streams import STREAMS

TEMPLATE = Path(__file__).with_name("results.md.j2")
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
    return common.write_page(page, pictures, lambda folder: markdown(results, pictures, folder))


def write_report(rows_path: Path, out: Path) -> list[Path]:
    """`report.html`, which needs no other file, and its pictures, in the folder `out`. Returns what was written."""
    results = Results.read(rows_path)
    pictures = drawn(results)
    text = as_html(markdown(results, pictures, ""), pictures)
    return [*common.put_pictures(out, pictures), common.put(out / "report.html", text.encode())]


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
    return common.rendered(TEMPLATE, **_sections(results), picture=_linked(pictures, folder))


def _sections(results: Results) -> dict[str, Any]:
    return {
        "ran": overview.ran(results),
        "policies": overview.policies(results),
        "match": paper_comparison.matched(),
        "market": market(results),
        "scarce": head_to_head.scarce(results),
        "uniform": head_to_head.comparison(results, head_to_head.AGAINST_UNIFORM),
        "burned": head_to_head.burned(results),
        "spending": head_to_head.spending(results),
        "spent_on": head_to_head.spent_on(results),
        "bought": head_to_head.bought(results),
        "assumed": paper_comparison.assumed(),
        "clear": head_to_head.comparison(results, head_to_head.AGAINST_CLEAR),
        "ladder": paper_comparison.ladder_section(results),
        "reproduced": paper_comparison.reproduced(results),
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
