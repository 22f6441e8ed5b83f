"""The claim of the scarce regime, spending, and leads that were bought."""

from __future__ import annotations

from support.benchmark_results import results, row, seeded

from benchmarks.report.head_to_head import bought, spending
from benchmarks.report.pages import markdown
from benchmarks.report.results import BEST, EXPECTED


def scarce_page(ours, uniform):
    return markdown(results(*seeded(BEST, ours), *seeded("uniform", uniform)), {}, "")


def test_the_claim_of_the_scarce_regime_follows_the_rows():
    assert "All 1 low ends are above 3." in scarce_page((0.4, 0.41), (0.05, 0.05))
    assert "Not all low ends are above 3: Balanced at 10 % (2.0)" in scarce_page((0.4, 0.4), (0.2, 0.2))
    page = scarce_page((0.4, 0.41), (0.0, 0.0))
    assert "no bound: Balanced at 10 %." in page
    assert "| no bound | no bound |" in page
    assert "no interval can be given" in scarce_page((0.4,), (0.1,))


def test_spending_is_the_mean_use_and_how_often_it_passes_the_budget():
    tried = "ours, expected, chosen"
    own = [
        row(tried, 0.2, experiment="spending", seed=0, burned=90.0),  # of 100 per query
        row(tried, 0.4, experiment="spending", seed=1, burned=130.0),
        row(tried, 0.9, experiment="scarcity", burned=500.0),
    ]
    assert spending(results(*own)).splitlines()[-1] == f"| {tried} | 30.0 | 110.0 | 50.0 |"
    assert spending(results(own[-1])) == ""


def test_leads_that_were_bought_with_more_than_the_budget_are_counted():
    rivals = [row("uniform, unused returned", 0.1 + 0.001 * seed, seed=seed, level=own) for seed in (0, 1, 2)
              for own in (0.1, 0.2, 0.3)]  # fmt: skip
    ours = [
        row(EXPECTED, accuracy + 0.001 * seed, seed=seed, level=own, fullest=share)
        for seed in (0, 1, 2)
        for own, accuracy, share in ((0.1, 0.3, 1.02), (0.2, 0.3, 0.98), (0.3, 0.05, 1.5))
    ]
    assert bought(results(*rivals, *ours)) == {"ahead": 2, "over": 1}
