"""The picture of demand tells the prices of the run."""

from __future__ import annotations

from support.benchmark_results import results, row

from benchmarks.report.market import market
from benchmarks.report.pages import markdown


def test_the_prices_of_the_picture_are_held_against_those_of_the_rows():
    found = market(results(row("ours", 0.4)))
    assert found.same is None
    price = found.clearing[0.1]
    assert found.demand[found.prices <= price].min() >= found.demand[found.prices > price].max()
    assert market(results(row("ours", 0.4, price=price))).same is True
    other = results(row("ours", 0.4, price=2.0 * price))
    assert market(other).same is False
    assert "hold other prices" in markdown(other, {}, "")
