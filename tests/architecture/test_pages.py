"""The pages that describe the code name what is there: files, packages in their order, verbs, links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from architecture.test_imports import PLANNED, STACK
from support.package_tree import PACKAGE

from clear_alloc.market.demand import Demand

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", [ARCHITECTURE, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    named = set(re.findall(r"`([\w/.]+\.py)`", page.read_text()))
    assert len(named) > 10
    assert not {name for name in named if not ((ROOT / name).exists() or [*PACKAGE.rglob(name)])}


def test_the_stack_on_the_page_is_the_one_that_is_tested():
    rows = ARCHITECTURE.read_text().split("## The stack")[1].split("##")[0].splitlines()
    shown = [re.split(r"\s{3,}", row.strip())[0].split(" | ") for row in rows if row.startswith("    ")]
    lines = [[next(iter(name)) if isinstance(name, dict) else name for name in line] for line in STACK]
    built = [[name for name in line if name not in PLANNED] for line in lines]
    assert shown == [line for line in built if line]


def test_every_verb_of_a_demand_stands_in_the_table_once():
    table = ARCHITECTURE.read_text().split("| stage | verbs |")[1].split("\n\n")[0]
    assert sorted(re.findall(r"`(\w+)`", table)) == sorted(Demand.__abstractmethods__ - {"__len__"})
