"""Residual curves: what is left of a query that has used some tokens without finishing."""

from __future__ import annotations

import numpy as np
import pytest

import clear_alloc as ca

N = 60


def rng_of(seed):
    """Draws of a test's own: tests may run in any order."""
    return np.random.default_rng(seed)


def families():
    rng = rng_of(11)
    threshold, width, chance = rng.uniform(0, 900, N), rng.uniform(20, 400, N), rng.uniform(0.1, 1, N)
    weight = rng.uniform(0.5, 2, N)
    return {
        "shifted_surge": ca.ShiftedSurge(threshold, width, chance, weight),
        "cumulative_surge": ca.CumulativeSurge(threshold, width, chance, weight),
        "lognormal": ca.LognormalArrival(threshold + 50, rng.uniform(0.1, 1.2, N), chance, weight),
        "menu": ca.Menu(np.cumsum(rng.uniform(50, 500, (N, 4)), 1), np.sort(rng.uniform(0, 1, (N, 4)), 1), weight),
    }


CURVES = families()
every_family = pytest.mark.parametrize("curves", CURVES.values(), ids=CURVES.keys())


@every_family
def test_the_rest_is_worth_what_arrives_later_given_that_nothing_has_arrived_yet(curves):
    rng = rng_of(12)
    spent = rng.uniform(0, 0.9, N) * np.minimum(curves.ceiling, 1500)
    top = curves.utility(curves.ceiling) if isinstance(curves, ca.Menu) else curves.top
    for further in (0.0, 10.0, 300.0, 2000.0):
        later, now = curves.utility(spent + further), curves.utility(spent)
        expected = np.where(now < top, (later - now) / np.where(now < top, 1.0 - now / top, 1.0), 0.0)
        assert curves.after(spent).utility(further) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@every_family
def test_nothing_spent_changes_nothing(curves):
    rng = rng_of(13)
    rest, price = curves.after(0), 0.3 * curves.reservation_price()
    caps = rng.uniform(0, 2000, N)
    assert rest.utility(caps) == pytest.approx(curves.utility(caps), rel=1e-9, abs=1e-12)
    assert rest.reservation_price() == pytest.approx(curves.reservation_price(), rel=1e-9)
    assert rest.demand(price) == pytest.approx(curves.demand(price), rel=1e-9)


@every_family
def test_spending_twice_is_spending_the_sum(curves):
    rng = rng_of(14)
    first, second = rng.uniform(0, 300, N), rng.uniform(0, 300, N)
    caps = rng.uniform(0, 2000, N)
    together = curves.after(first + second).utility(caps)
    assert curves.after(first).after(second).utility(caps) == pytest.approx(together, rel=1e-9, abs=1e-12)


@every_family
def test_demand_is_the_best_further_cap(curves):
    rng = rng_of(15)
    rest = curves.after(rng.uniform(0, 700, N))
    grid = np.linspace(0, 1, 4001)[:, None] * np.minimum(rest.ceiling, 20_000)
    for share in (0.05, 0.5, 0.95):
        price = share * rest.reservation_price()
        demand = rest.demand(price)
        best = (rest.utility(grid) - price * grid).max(axis=0)
        assert (rest.utility(demand) - price * demand >= best - 1e-9).all()
    assert not rest.demand(rest.reservation_price()).any()


@every_family
def test_a_finished_curve_is_worth_nothing_more(curves):
    rest = curves.after(curves.ceiling + 1.0)
    assert not rest.utility(1e6).any()
    assert not rest.demand(0.0).any()


def test_a_running_batch_is_allocated_again_within_what_is_left():
    curves = ca.concatenate(list(CURVES.values()))
    first = ca.allocate(curves, 60_000)
    spent = np.minimum(first.tokens, 200)
    left = 60_000 - int(spent.sum())
    again = ca.allocate(curves.after(spent), left)
    again.audit()
    assert again.spent <= left
    # Keeping the first caps is feasible, so it can't be worth more.
    assert again.utility >= curves.after(spent).utility(first.tokens - spent).sum() * (1 - 1e-9)


def test_residual_allocation_is_optimal_on_a_small_case():
    rng = rng_of(16)
    curves = CURVES["lognormal"][:6].after(rng.uniform(0, 400, 6))
    result, best = ca.allocate(curves, 900), ca.exact(curves, 900)
    assert result.utility == pytest.approx(best.utility, rel=1e-9)


@pytest.mark.parametrize(("spent", "said"), [(-1, "spent[0] is -1.0"), ([1, 2], "spent is 'of length 2'")])
def test_bad_spending_is_refused(spent, said):
    with pytest.raises(ca.InvalidArgument) as caught:
        CURVES["lognormal"].after(spent)
    assert said in str(caught.value)


def test_residual_curves_are_not_written():
    with pytest.raises(ca.NotSupported, match="keep spent beside them"):
        CURVES["lognormal"].after(10).to_records()


def test_a_menu_knows_what_its_options_still_burn():
    """A fine menu of a curve goes on as the curve itself does."""
    curve, caps = ca.LognormalArrival(1000, 0.5, 0.8), np.arange(2, 20_000, 2.0)
    columns = (curve.utility(caps[:, None])[:, 0], curve.expected_cost(caps[:, None])[:, 0])
    deviation = curve.deviation(caps[:, None])[:, 0]
    menu = ca.Menu([caps], [columns[0]], expected=[columns[1]], deviation=[deviation])
    for spent in (0, 400, 1004, 2500):
        ours, theirs = menu.after(spent), curve.after(spent)
        for further in (96, 500, 3000):
            assert ours.expected_cost(further)[0] == pytest.approx(theirs.expected_cost(further)[0], rel=0.02)
            assert ours.deviation(further)[0] == pytest.approx(theirs.deviation(further)[0], rel=0.03, abs=0.1)
    past = menu.after(30_000)
    assert past.expected_cost(100).tolist() == past.deviation(100).tolist() == [0]


def test_what_is_left_of_a_menu_is_listed_in_the_order_given():
    rest = ca.Menu([[30, 10, 20]], [[0.9, 0.2, 0.5]], expected=[[18, 10, 15]], deviation=[[9, 0, 5]]).after(15)
    assert rest.costs[0].tolist() == [15, 5]
    # Between 10 and 20 tokens half are running: 2.5 of the 5 tokens that end at 15 + 5, half of them at 15.
    np.testing.assert_allclose(rest.sorted_expected[:, :2], [[5, 11]])
    assert ca.allocate(rest, 12, accounting="expected", overrun=0.5).choice.tolist() == [0]
