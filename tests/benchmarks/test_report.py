"""The report: its numbers on rows made by hand, its sentences, and pages that come out whatever rows there are."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

import pytest

from benchmarks import paper
from benchmarks.policies import LADDER, POLICIES
from benchmarks.report import figures as canvas
from benchmarks.report import write_page, write_report
from benchmarks.report.ablation import STEPS, climb
from benchmarks.report.compared import ahead, behind, meetings, overdrawn, overdrawn_by_stream, worst
from benchmarks.report.gains import gain_at, stream_gain, stream_gains
from benchmarks.report.head_to_head import bought, spending
from benchmarks.report.markdown import one_line, points, times
from benchmarks.report.market import market
from benchmarks.report.names import NOTES
from benchmarks.report.noise import kept
from benchmarks.report.pages import as_html, drawn, markdown
from benchmarks.report.reproduced import cells, far_abandonment, far_accuracy, why_abandonment, why_accuracy
from benchmarks.report.results import BEST, EXPECTED, Place, Results
from benchmarks.rows import Row, write_rows
from benchmarks.streams import STREAMS

WHERE = {"commit": "abc123", "dirty": True, "machine": "Linux", "versions": "python 3"}
BASE = {"uniform": 0.1, "uniform, unused returned": 0.12, "CLEAR": 0.4, "oracle": 0.6, "oracle, expected": 0.7}


def row(policy, accuracy, experiment="scarcity", stream="Balanced", seed=0, level=0.1, noise=0.0, **more):
    charged = POLICIES[policy].charged
    given = {"granted": 100.0, "burned": 50.0, "abandoned": 0.5, "uncapped": 1000.0, **more}
    budget = given.pop("budget", 10_000)
    return Row(experiment, stream, seed, 100, level, noise, policy, charged, budget, accuracy=accuracy, **given)


def results(*rows):
    return Results(list(rows), WHERE)


def seeded(policy, accuracies, **more):
    return [row(policy, accuracy, seed=seed, **more) for seed, accuracy in enumerate(accuracies)]


def a_run(seeds=2, without=(), experiments=("scarcity", "paper", "noise", "peers", "replay")):
    """Every experiment in small; accuracies differ a little between policies, streams and seeds."""
    places = {
        "scarcity": itertools.product(("Balanced", "Adversarial"), (0.05, 0.1, 0.3), (0.0,)),
        "paper": itertools.product(("Balanced",), (100.0, 700.0), (0.0,)),
        "noise": itertools.product(("Balanced",), (0.1,), (0.0, 0.5)),
        "peers": itertools.product(("Balanced",), (0.1,), (0.0,)),
        "replay": itertools.product(("some_model", "other|model"), (0.1, 0.3), (0.0,)),
    }
    rows = []
    for experiment in experiments:
        for (stream, level, noise), seed in itertools.product(places[experiment], range(seeds)):
            for rank, policy in enumerate(POLICIES):
                if policy not in without:
                    accuracy = BASE.get(policy, 0.3 + 0.01 * rank) + 0.001 * seed * (rank % 3)
                    where = {"experiment": experiment, "stream": stream, "seed": seed, "level": level, "noise": noise}
                    rows.append(row(policy, accuracy, **where))
    return rows


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    monkeypatch.setattr(canvas, "DPI", 30)


# Numbers


def test_captured_gain_is_told_by_the_yardsticks_of_the_policy_s_own_accounting():
    values = {**BASE, "ours": 0.5, EXPECTED: 0.41}
    known = results(*(row(policy, value) for policy, value in values.items()), row("uniform", 0.9, seed=1))
    place = Place("scarcity", "Balanced", 0.1)
    assert gain_at(known, place, "ours") == pytest.approx(0.4 / 0.5)
    assert gain_at(known, place, EXPECTED) == pytest.approx(0.29 / 0.58)
    assert set(stream_gains(known, "scarcity")) == {"CLEAR", "ours", EXPECTED}


def test_captured_gain_is_a_mean_over_budgets_with_something_to_gain():
    found = {0.1: (0.1, 0.2, 0.5), 0.75: (0.2, 0.5, 0.6), 0.5: (0.6, 0.1, 0.604), 1.0: (0.1, 0.1, 0.9)}
    rows = [
        row(policy, accuracy, level=level)
        for level, values in found.items()
        for policy, accuracy in zip(("uniform", "ours", "oracle"), values, strict=True)
    ]
    assert stream_gain(results(*rows), "scarcity", "Balanced", "ours") == pytest.approx((0.25 + 0.75) / 2)


def test_ties_and_losses_are_told_by_the_interval_over_seeds():
    gaps = {
        "Balanced": (0.1, 0.11, 0.12),
        "Identical": (-0.01, 0.02, 0.0),
        "Drift": (0.01, -0.02, 0.0),
        "Adversarial": (-0.03, -0.031, -0.029),
    }
    rows = [
        own
        for stream, differences in gaps.items()
        for own in (
            *seeded("uniform", [0.2] * 3, stream=stream),
            *seeded(BEST, [0.2 + gap for gap in differences], stream=stream),
        )
    ]
    known = results(*rows)
    met = {own.place.stream: own for own in meetings(known, known.places("scarcity"), BEST, "uniform")}
    assert [name for name, own in met.items() if ahead(own.pair)] == ["Balanced"]
    assert [name for name, own in met.items() if behind(own.pair)] == ["Adversarial"]
    assert worst(met.values()).place.stream == "Adversarial"
    assert worst(met.values()).pair.difference == pytest.approx(-0.03)
    page = markdown(known, {}, "")
    listed = page[page.index("settings in which at least one") :]
    assert re.search(r"\| Identical \| 10 % \| \*\*\+0\.33 \(", listed)
    assert re.search(r"\| Adversarial \| 10 % \| \*\*-3\.00 \(", listed)
    assert "| Balanced | 10 % | +" not in listed[: listed.index("## 5")]
    assert "**more than 0.5 points below** *uniform*" in page


def test_half_a_point_below_is_within_bounds_and_more_is_not():
    for gap, words in ((-0.004, "is nowhere more than 0.5 points below"), (-0.006, "**more than 0.5 points below**")):
        known = results(*seeded("uniform", [0.2] * 2), *seeded(BEST, [0.2 + gap] * 2))
        assert words in markdown(known, {}, "")


def test_with_one_seed_the_mean_decides_and_the_page_says_so():
    known = results(row("uniform", 0.2), row(BEST, 0.19), row(BEST, 0.3, level=0.3), row("uniform", 0.2, level=0.3))
    met = meetings(known, known.places("scarcity"), BEST, "uniform")
    assert [(ahead(own.pair), behind(own.pair)) for own in met] == [(False, True), (True, False)]
    assert "There is one seed, so there are no intervals" in markdown(known, {}, "")


def test_the_ladder_s_steps_sum_to_its_ends_over_the_seeds_that_all_rungs_have():
    values = dict(zip(LADDER, (0.1, 0.12, 0.11, 0.2, 0.3), strict=True))
    rows = [own for policy, value in values.items() for own in seeded(policy, [value, value + 0.02])]
    extra = row("CLEAR", 0.9, seed=7)
    found = climb(results(*rows, extra), Place("scarcity", "Balanced", 0.1))
    assert found.seeds == 2
    assert dict(zip(STEPS, found.steps, strict=True)) == pytest.approx(
        {"repair": 0.02, "shape": -0.01, "solvability": 0.09, "accounting": 0.1}
    )
    assert found.start == pytest.approx(0.11)
    assert found.start + sum(found.steps) == pytest.approx(found.end)
    without = [own for own in rows if own.policy != "CLEAR + repair"]
    assert climb(results(*without), Place("scarcity", "Balanced", 0.1)) is None


def test_budgets_overdrawn_are_counted_for_expected_charges_only():
    rows = [
        row(EXPECTED, 0.3, burned=110.0),
        row(EXPECTED, 0.3, burned=130.0, stream="Drift"),
        row(EXPECTED, 0.3, burned=100.0, seed=1),
        row(EXPECTED, 0.3, stream="Identical"),
        row("uniform", 0.3, burned=400.0),
        row("oracle, expected", 0.3, burned=99.0),
    ]
    found = {own.policy: own[1:] for own in overdrawn(results(*rows))}
    assert found[EXPECTED] == (4, 2, pytest.approx(0.2), pytest.approx(0.3))
    assert found["oracle, expected"] == (1, 0, 0.0, 0.0)
    assert set(found) == {EXPECTED, "oracle, expected"}
    assert overdrawn_by_stream(results(*rows)) == {"Balanced": (1, 2), "Drift": (1, 1)}
    page = markdown(results(*rows), {}, "")
    assert "it overdrew 50.0 %, more than it promises.\nBy stream: Balanced 1 of 2 and Drift 1 of 1." in page
    assert "in 2 of 5 batches" in page
    assert "it overdrew 0.0 %." in markdown(results(row(EXPECTED, 0.3)), {}, "")


def test_accuracy_kept_is_a_share_of_its_own_without_error():
    where = {"experiment": "noise"}
    rows = [row("ours", 0.4, **where), row("ours", 0.3, noise=0.5, **where)]
    rows += [row("ours", 0.2, level=0.3, **where), row("ours", 0.1, level=0.3, noise=0.5, **where)]
    assert kept(results(*rows), "ours", 0.5) == pytest.approx((0.75 + 0.5) / 2)
    assert "| ours | 100 | 62 |" in markdown(results(*rows), {}, "")


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


# Sentences


def scarce_page(ours, uniform):
    return markdown(results(*seeded(BEST, ours), *seeded("uniform", uniform)), {}, "")


def test_the_claim_of_the_scarce_regime_follows_the_rows():
    assert "All 1 low ends are above 3." in scarce_page((0.4, 0.41), (0.05, 0.05))
    assert "Not all low ends are above 3: Balanced at 10 % (2.0)" in scarce_page((0.4, 0.4), (0.2, 0.2))
    page = scarce_page((0.4, 0.41), (0.0, 0.0))
    assert "no bound: Balanced at 10 %." in page
    assert "| no bound | no bound |" in page
    assert "no interval can be given" in scarce_page((0.4,), (0.1,))


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


def test_the_prices_of_the_picture_are_held_against_those_of_the_rows():
    found = market(results(row("ours", 0.4)))
    assert found.same is None
    price = found.clearing[0.1]
    assert found.demand[found.prices <= price].min() >= found.demand[found.prices > price].max()
    assert market(results(row("ours", 0.4, price=price))).same is True
    other = results(row("ours", 0.4, price=2.0 * price))
    assert market(other).same is False
    assert "hold other prices" in markdown(other, {}, "")


def test_foreign_text_and_numbers_are_written_plainly():
    assert one_line("a_b\n  c") == "a\\_b c"
    assert len(one_line("x" * 1000)) == 240
    assert (points(-0.00001), points(0.012), points(float("nan"))) == ("0.0", "+1.2", "-")
    assert (times(float("inf")), times(2.04), times(float("nan"))) == ("no bound", "2.0", "-")


# Pages


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
    write_rows(out / "rows.jsonl", a_run())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "DPI", 30)
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


def test_the_markdown_page_finds_its_pictures_beside_it(written):
    out, _, paths = written
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (out / "results.md").read_text())
    assert len(links) == 8
    assert all((out / link).exists() for link in links)
    assert paths[-1] == out / "results.md"


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
    write_rows(tmp_path / "rows.jsonl", rows)
    for before, after in zip(paths, write_report(tmp_path / "rows.jsonl", tmp_path / "again"), strict=True):
        assert before.name == after.name
        assert before.read_bytes() == after.read_bytes()


def test_every_policy_and_stream_is_described():
    assert NOTES.keys() == POLICIES.keys()
    assert all(stream.note for stream in STREAMS.values())
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert f"compares {len(POLICIES)} policies on ten simulated streams" in readme
    assert len(STREAMS) == 10


def test_spending_is_the_mean_use_and_how_often_it_passes_the_budget():
    tried = "ours, expected, chosen"
    own = [
        row(tried, 0.2, experiment="spending", seed=0, burned=90.0),  # of 100 per query
        row(tried, 0.4, experiment="spending", seed=1, burned=130.0),
        row(tried, 0.9, experiment="scarcity", burned=500.0),
    ]
    assert spending(results(*own)).splitlines()[-1] == f"| {tried} | 30.0 | 110.0 | 50.0 |"
    assert spending(results(own[-1])) == ""


def test_a_window_that_is_overdrawn_counts_and_a_batch_of_two_experiments_counts_once():
    full = row(EXPECTED, 0.2, burned=80.0, fullest=1.07)  # 80 % of the budgets together, but one window has more
    again = row(EXPECTED, 0.2, experiment="spending", burned=80.0, fullest=1.07)
    later = row(EXPECTED, 0.2, experiment="spending", level=0.3, burned=80.0, fullest=0.8, budget=12_000)
    (found,) = overdrawn(results(full, again, later))
    assert (found.rows, found.over) == (2, 1)
    assert found.worst == pytest.approx(0.07)
    assert overdrawn_by_stream(results(full, again, later)) == {"Balanced": (1, 2)}


def test_leads_that_were_bought_with_more_than_the_budget_are_counted():
    rivals = [row("uniform, unused returned", 0.1 + 0.001 * seed, seed=seed, level=own) for seed in (0, 1, 2)
              for own in (0.1, 0.2, 0.3)]  # fmt: skip
    ours = [
        row(EXPECTED, accuracy + 0.001 * seed, seed=seed, level=own, fullest=share)
        for seed in (0, 1, 2)
        for own, accuracy, share in ((0.1, 0.3, 1.02), (0.2, 0.3, 0.98), (0.3, 0.05, 1.5))
    ]
    assert bought(results(*rivals, *ours)) == {"ahead": 2, "over": 1}


def test_a_missing_step_leaves_no_reason():
    run = [own for own in a_run() if own.policy != "CLEAR + repair"]
    cell = cells(Results(run, WHERE))[0]
    assert why_accuracy(cell) == why_abandonment(cell) == "a policy is missing"
