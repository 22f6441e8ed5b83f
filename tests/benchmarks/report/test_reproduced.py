"""Our simulation of the paper's table, and where a difference comes from."""

from __future__ import annotations

import pytest
from support.benchmark_results import WHERE, a_run, results, row

from benchmarks import paper
from benchmarks.policies import LADDER
from benchmarks.report.pages import markdown
from benchmarks.report.reproduced import cells, far_abandonment, far_accuracy, why_abandonment, why_accuracy
from benchmarks.report.results import BEST, Results


def paper_rows(accuracy, abandoned, budget=700.0):
    names = ("uniform", *LADDER[:4], BEST)
    pairs = zip(names, accuracy, abandoned, strict=True)
    return [row(name, right, experiment="paper", level=budget, abandoned=left) for name, right, left in pairs]


def test_the_parts_of_a_difference_from_the_paper_sum_to_it():
    rows = paper_rows((0.25, 0.27, 0.271, 0.29, 0.33, 0.335), (0.0, 0.2, 0.2, 0.1, 0.5, 0.45))
    (cell,) = cells(results(*rows))
    told = paper.REPORTED["Balanced", 700]
    assert sum(cell.parts.values()) == pytest.approx(33.5 - told.method)
    assert sum(cell.left.values()) == pytest.approx(45.0 - told.abandoned)
    assert cell.parts["uniform"] == pytest.approx(25.0 - told.uniform)
    assert cell.parts["solvability"] == pytest.approx(4.0)
    assert cell.left["shape"] == pytest.approx(-10.0)
    assert far_accuracy(cell)
    assert far_abandonment(cell)
    assert why_accuracy(cell) == "mostly solvability, then uniform"
    assert why_abandonment(cell) == "mostly solvability"


def test_a_cell_that_ours_brings_back_is_laid_to_clear():
    (cell,) = cells(results(*paper_rows((0.228, 0.2, 0.2, 0.22, 0.24, 0.24), (0.0, 0.4, 0.4, 0.3, 0.2, 0.2))))
    assert why_accuracy(cell) == "CLEAR alone: mostly CLEAR's lead; the steps bring ours nearer"
    assert why_abandonment(cell) == "CLEAR as simulated; the steps bring ours nearer"


def test_a_cell_near_the_paper_s_is_not_explained():
    told = paper.REPORTED["Balanced", 700]
    near = [told.uniform / 100.0] + [(told.method + 1.9) / 100.0] * 5
    known = results(*paper_rows(near, [(told.abandoned + 9.9) / 100.0] * 6))
    assert not any(far_accuracy(cell) or far_abandonment(cell) for cell in cells(known))
    assert "Of 1 cells, 0 are more than 2 points" in markdown(known, {}, "")


def test_a_missing_step_leaves_no_reason():
    run = [own for own in a_run() if own.policy != "CLEAR + repair"]
    cell = cells(Results(run, WHERE))[0]
    assert why_accuracy(cell) == why_abandonment(cell) == "a policy is missing"
