"""Pages come out whatever rows there are, and say what the rows say."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from support.benchmark_results import WHERE, a_run, results, row

from benchmarks.common import figures
from benchmarks.common.rows import write_rows
from benchmarks.report import write_page, write_report
from benchmarks.report.pages import as_html, drawn, markdown
from benchmarks.report.results import BEST, EXPECTED, Results
from benchmarks.rows import Row


def test_failures_are_stated_with_what_they_said():
    failure = Row(
        "scarcity", "Balanced", 0, 100, 0.1, 0.0, "SLSQP", "reserved", 10, error="Bad: a|b *c*\n<img src=x>"
    )
    page = markdown(results(failure, failure, row("uniform", 0.1)), {}, "")
    assert "| SLSQP | scarcity | 2 | Bad: a\\|b \\*c\\* \\<img src=x\\> |" in page
    assert "2 of 3 rows are failures" in page
    html = as_html(page, {})
    assert "&lt;img src=x&gt;" in html
    assert "<img" not in html
    assert "<b>" not in as_html("# A page\n\n<b>x</b>\n", {})
    clean = markdown(results(row("uniform", 0.1)), {}, "")
    assert clean.endswith("## 10. Failures\n\nNone.\n")
    assert "None of 1 rows is a failure" in clean


@pytest.mark.parametrize(
    "rows",
    [
        [],
        *(a_run(experiments=(name,)) for name in ("scarcity", "paper", "noise", "peers", "replay")),
        a_run(seeds=1),
        *(a_run(without=gone) for gone in [(BEST,), ("uniform",), ("CLEAR",), (EXPECTED, "oracle"), ("ours",)]),
    ],
    ids=[
        "none",
        "scarcity",
        "paper",
        "noise",
        "peers",
        "replay",
        "seed",
        "best",
        "uniform",
        "CLEAR",
        "expected",
        "ours",
    ],
)
def test_a_page_comes_out_of_whatever_rows_there_are(rows):
    known = Results(rows, WHERE if rows else {})
    page = markdown(known, {}, "")
    assert [line for line in page.splitlines() if line.startswith("## ")][2:] == SECTIONS
    assert not re.search(r"\b(nan|None|inf)\b(?! of|\.)", page)
    have = {own.experiment for own in rows}
    for name, words in MISSING.items():
        assert (words in page) == (name not in have)


SECTIONS = [
    "## 1. What was run",
    "## 2. Are the simulated queries like the paper's?",
    "## 3. Scarce tokens",
    "## 4. Where uniform ties or wins",
    "## 5. Against CLEAR taken literally",
    "## 6. The paper's table",
    "## 7. Wrong predictions",
    "## 8. Peers",
    "## 9. Real rollouts, replayed",
    "## 10. Failures",
]


MISSING = {
    "scarcity": "no scarce budget of the paper's streams",
    "paper": "nothing of the experiment *paper*",
    "noise": "nothing of the experiment *noise*",
    "peers": "nothing of the experiment *peers*",
    "replay": "no replay in which",
}


@pytest.mark.slow
def test_every_picture_is_drawn_with_few_rows_as_with_many():
    assert drawn(Results([], {})) == {}
    few = [own for own in a_run(seeds=1) if own.level in (0.1, 100.0) and own.policy in ("uniform", "ours", "oracle")]
    assert set(drawn(results(*few))) == {
        "figure1",
        "demand",
        "frontier",
        "frontier-other",
        "abandonment",
        "noise",
        "gain",
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    write_rows(out / "rows.jsonl", a_run(), WHERE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "DPI", 30)
        return out, write_report(out / "rows.jsonl", out / "html"), write_page(out / "rows.jsonl", out / "results.md")


@pytest.mark.slow
def test_the_html_needs_no_other_file(written):
    out, paths, _ = written
    html = (out / "html" / "report.html").read_text()
    sources = re.findall(r'<img src="([^"]+)"', html)
    assert len(sources) == 8
    assert all(source.startswith("data:image/png;base64,iVBOR") for source in sources)
    assert not re.search(r"(src|href)=\"?https?:", html)
    assert "<script" not in html
    assert html.count("<table>") == html.count("</table>") > 10
    assert {path.name for path in paths} == {path.name for path in (out / "html").iterdir()}


@pytest.mark.slow
def test_the_markdown_page_finds_its_pictures_beside_it(written):
    out, _, paths = written
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (out / "results.md").read_text())
    assert len(links) == 8
    assert all((out / link).exists() for link in links)
    assert paths[-1] == out / "results.md"


@pytest.mark.slow
def test_tables_have_one_width(written):
    out, *_ = written
    lines = (out / "results.md").read_text().splitlines()
    widths = [len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0 for line in lines]
    assert all(before == after or 0 in (before, after) for before, after in itertools.pairwise(widths))
    assert "other\\|model" in "\n".join(lines)


@pytest.mark.slow
def test_the_same_rows_give_the_same_bytes_in_any_order(written, tmp_path):
    _, paths, _ = written
    rows = a_run()
    random.Random(1).shuffle(rows)
    write_rows(tmp_path / "rows.jsonl", rows, WHERE)
    for before, after in zip(paths, write_report(tmp_path / "rows.jsonl", tmp_path / "again"), strict=True):
        assert before.name == after.name
        assert before.read_bytes() == after.read_bytes()
