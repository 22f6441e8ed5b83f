"""The page says what the rows say."""

from __future__ import annotations

import itertools
import re

import pytest
from support.speed_rows import WHERE, row_for, some_rows

from benchmarks.speed.groups import GROUPS
from benchmarks.speed.report import markdown, write_page
from benchmarks.speed.rows import Row
from benchmarks.speed.tables import COLUMNS
from benchmarks.speed.targets import TARGETS


def test_the_page_tells_what_failed_and_what_was_skipped():
    page = markdown(some_rows(), [WHERE, WHERE | {"commit": "other", "dirty": True, "threads": "1"}], "performance/")
    assert "| shifted_surge reserved | 512 | failed |" in page
    assert "| sort | shifted_surge reserved | 512 | Bad: a\\|b \\*c\\* |" in page
    assert "| sort | shifted_surge reserved | 1,000,000 | skipped: predicted 70 s |" in page
    assert "| shifted_surge reserved | 1,000,000 | skipped: predicted 70 s |" in page.split("## 3")[0]
    assert f"1 of {len(some_rows())} rows is a failure, 1 was skipped" in page
    assert "made in 2 environments" in page
    assert "**with changes that are not in it**" in page
    assert "`CLEAR_ALLOC_THREADS` not set" in page
    assert "(performance/sizes.png)" in page
    assert "| others | 0.3 % |" in page
    assert page.index("| curves | 70.0 %") < page.index("| price | 29.7 %")
    assert not re.search(r"\b(nan|None|inf)\b(?! of)", page)
    assert not re.search(r"(?<![\w.])/(work|home|usr|tmp)/", page)


def test_the_page_counts_the_aims():
    rows = [row_for(TARGETS[0], 1.0), row_for(TARGETS[1], 2.0), row_for(TARGETS[2], 1.0)]
    assert f"2 of {len(TARGETS)} aims are met, 1 missed, {len(TARGETS) - 3} not measured." in markdown(
        rows, [WHERE], ""
    )


def test_the_page_s_tables_have_one_width():
    lines = markdown(some_rows(), [WHERE], "").splitlines()
    widths = [len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0 for line in lines]
    assert all(before == after or 0 in (before, after) for before, after in itertools.pairwise(widths))


@pytest.mark.parametrize("kept", [(), *((name,) for name in GROUPS)], ids=lambda kept: "".join(kept) or "none")
def test_a_page_comes_out_of_whatever_rows_there_are(kept):
    page = markdown([row for row in some_rows() if row.group in kept], [WHERE] if kept else [], "")
    told = page.split("## 1.")[1].lower()
    assert len([line for line in page.splitlines() if line.startswith("## ")]) == 9
    missing = [name for name in [*COLUMNS, "stages"] if name not in kept]
    assert told.count("not measured.") == len(missing) + ("sort" in missing)  # and its exponents


def test_a_start_that_changes_caps_is_called_a_bug():
    case = GROUPS["start"].cases[0]
    for same, words in ((1.0, "no cap differs in these."), (0.0, "it did in 1 of these, **which is a bug**")):
        assert words in markdown([Row.of(case, (1.0,), (1.0,), figures={"same caps": same})], [WHERE], "")


@pytest.mark.slow
def test_the_page_and_its_picture_are_the_same_from_the_same_rows(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_page(some_rows(), [WHERE], tmp_path / name / "speed.md")
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (tmp_path / "one" / "speed.md").read_text())
    assert links == ["speed/sizes.png"]
    for name in ("speed.md", *links):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
