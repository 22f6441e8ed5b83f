"""What caps burn, E min(length, cap), in every family: against quadrature and scipy.stats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.expected_cost import Lengths
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from support import strategies
from support.laws import examples
from support.length_records import lognormals, surges

import clear_alloc as ca
from clear_alloc.curves import Charged, steepest_chord

EXPECTED = "expected"


MEAN = {"accounting": EXPECTED, "overrun": 0.5}  # no margin: spend to the mean


LEFTOVER = 2.0**-20  # share of a cap: what differences of two moments leave of a deviation


RNG = np.random.default_rng(3)


RECORDS = {
    "log-normal": lognormals(1000 * np.exp(RNG.normal(0, 1, 8)), RNG.uniform(0.2, 1.5, 8), RNG.uniform(0.1, 1, 8), 2),
    "log-normal, narrow": lognormals([1000, 1000, 40, 1000], [1e-6, 1e-3, 0.05, 0.15]),
    "log-normal, wide": lognormals([1000, 1, 50, 3000], [2.5, 4, 6, 9]),
    "log-normal, tiny": lognormals([1e-9, 0.02, 0.4], [0.5, 1.0, 0.3]),
    "surge": surges(RNG.uniform(0, 1000, 6), RNG.uniform(20, 400, 6), RNG.uniform(0.1, 1, 6), 3),
    "surge from 0": surges(0, [200, 0.01]),
    "surge, late": surges([2.0**40, 900, 1e5], [2.0**20, 1e-3, 2]),
    "mixed": [row for pair in zip(lognormals([9, 80, 700], [1.1, 0.7, 0.4]), surges([5, 0, 90], 30), strict=True)
              for row in pair],
}  # fmt: skip


SPENT = {
    "log-normal, running": (RECORDS["log-normal"], [0.2, 0.5, 0.9, 0.99, 0.999, 0.5, 0.05, 0.97]),
    "log-normal, wide, running": (RECORDS["log-normal, wide"], [0.1, 0.4, 0.8, 0.5]),
    "log-normal, tiny, running": (RECORDS["log-normal, tiny"], [0.5, 0.9, 0.3]),
    "surge, running": (RECORDS["surge"], [0.0, 0.3, 0.6, 0.9, 0.99, 0.999]),
    "mixed, running": (RECORDS["mixed"], [0.3, 0.8, 0.0, 0.5, 0.9, 0.99]),
}


def column_of(name):
    if name in RECORDS:
        return strategies.build(RECORDS[name]), [Lengths(r) for r in RECORDS[name]]
    records, shares = SPENT[name]
    spent = [
        Lengths(r).dist.ppf(q) if q else 0.5 * r.get("threshold", 0.0) for r, q in zip(records, shares, strict=True)
    ]
    return strategies.build(records).after(spent), [Lengths(r, s) for r, s in zip(records, spent, strict=True)]


COLUMNS = {name: column_of(name) for name in (*RECORDS, *SPENT)}


every_column = pytest.mark.parametrize(("curves", "lengths"), COLUMNS.values(), ids=COLUMNS)


CHANCES = (1e-6, 0.3, 0.999)


def quantiles(lengths, chances=CHANCES):
    """Caps at which these shares of the completions still running end, (k, n)."""
    ended = np.asarray(chances)
    return np.stack(
        [one.dist.isf((1 - ended) * one.alive) - one.spent if one.spent else one.dist.ppf(ended) for one in lengths],
        axis=1,
    )


def grids(lengths, ceiling, points=3001):
    """Caps from next to nothing to the ceiling, dense everywhere that lengths are, (k, n)."""
    z = stats.norm.cdf(np.linspace(-11, 6, points))
    caps = np.sort(np.concatenate([quantiles(lengths, z), np.linspace(0, 1, 301)[:, None] * ceiling]), axis=0)
    return np.clip(caps, 0.0, ceiling)


def is_narrow(lengths):
    """Steps so narrow that the digits of their place are lost."""
    return any(one.dist.std() < 1e-4 * one.dist.mean() for one in lengths if one.moments)


@every_column
def test_expected_cost_and_deviation_are_integrals_of_the_survival_function(curves, lengths):
    caps = quantiles(lengths)
    cost, deviation, running = curves.cost(caps, EXPECTED), curves.deviation(caps), curves.length_survival(caps)
    for k, own_lengths in enumerate(lengths):
        # A step of a part in a million has its place known to ten digits less than a wide one.
        loose = 1e-5 if is_narrow([own_lengths]) else 1e-8
        for j, cap in enumerate(caps[:, k]):
            mean, square = own_lengths.integral(cap), own_lengths.integral(cap, 2)
            lost = 1e-13 * own_lengths.spent / own_lengths.alive
            assert cost[j, k] == pytest.approx(mean, rel=1e-8, abs=lost)
            varies = np.sqrt(max(square - mean**2, 0.0))
            assert deviation[j, k] == pytest.approx(varies, rel=1e-4, abs=LEFTOVER * max(cap, own_lengths.spent))
            assert running[j, k] == pytest.approx(own_lengths.length_survival(cap), rel=max(loose, 1e-7), abs=1e-15)
            assert deviation[j, k] <= 0.5 * cap * (1 + 1e-9)  # nothing between 0 and the cap varies more


def test_the_widest_spread_there_is_costs_what_quadrature_says():
    spread, median = 20.0, np.array([1e-6, 1.0, 1000.0, 2.0**45])
    curves = ca.LognormalArrival(median, spread, 0.8)
    for cap in (1e-20, 1e-3, 1.0, 5e4, 2.0**53):
        cost, deviation = curves.cost(cap, EXPECTED), curves.deviation(cap)
        for k, m in enumerate(median):
            running = lambda u, p, m=m, b=cap: (  # noqa: E731
                p * np.exp(-p * u) * stats.norm.sf((np.log(b / m) - u) / spread)
            )
            first, second = (sum(quad(running, x, y, (p,), epsabs=0, epsrel=1e-12)[0] for x, y in ((0, 5), (5, 60)))
                             for p in (1, 2))  # fmt: skip
            assert cost[k] == pytest.approx(cap * first, rel=1e-9)
            assert deviation[k] == pytest.approx(cap * np.sqrt(second - first**2), rel=1e-6)


@every_column
def test_the_expected_cost_rises_concavely_and_never_passes_the_cap(curves, lengths):
    caps = grids(lengths, 1.5 * curves.ceiling, 801)
    cost = curves.cost(caps, EXPECTED)
    assert cost.shape == caps.shape
    assert (cost <= caps).all()
    assert (cost >= 0).all()
    noise = 1e-12 * (cost + [one.spent / one.alive for one in lengths])
    assert (np.diff(cost, axis=0) >= -noise[1:]).all()
    middle = curves.cost(0.5 * (caps[2:] + caps[:-2]), EXPECTED)
    assert (middle >= 0.5 * (cost[2:] + cost[:-2]) - 4 * noise[2:]).all()
    lost = LEFTOVER * np.maximum(caps[1:], [1e-4 * one.dist.isf(0.5) + one.spent for one in lengths])
    assert (np.diff(curves.deviation(caps), axis=0) >= -lost).all()
    assert (curves.cost(0.0, EXPECTED) == 0).all()
    assert (curves.deviation(0.0) == 0).all()


@every_column
def test_a_cap_that_nothing_reaches_costs_the_mean(curves, lengths):
    far = np.array([one.spent + one.dist.isf(1e-13) * 1e3 for one in lengths])
    cost, deviation = curves.cost(far, EXPECTED), curves.deviation(far)
    for k, one in enumerate(lengths):
        if not one.spent and one.dist.sf(far[k]) * far[k] < 1e-9 * one.dist.mean():
            assert cost[k] == pytest.approx(one.dist.mean(), rel=1e-9)
            if one.dist.std() > 1e-3 * one.dist.mean() and one.dist.sf(far[k]) * far[k] ** 2 < 1e-9 * one.dist.var():
                assert deviation[k] == pytest.approx(one.dist.std(), rel=1e-7)


@every_column
def test_the_hazard_is_density_over_survival(curves, lengths):
    caps = quantiles(lengths, (0.05, 0.3, 0.6, 0.95, 0.999))
    hazard = curves.hazard_value(caps)
    np.testing.assert_array_equal(hazard, curves.efficiency(caps, EXPECTED))
    for k, one in enumerate(lengths):
        if not is_narrow([one]):
            assert hazard[:, k] == pytest.approx(one.hazard_value(caps[:, k]), rel=1e-7)


@every_column
def test_the_hazard_of_the_column_is_the_slope_of_its_own_utility_in_its_own_cost(curves, lengths):
    caps = quantiles(lengths, (0.05, 0.3, 0.6, 0.9))
    step = 1e-5 * caps
    wide = np.array([not is_narrow([one]) for one in lengths])
    worth = curves.utility(caps + step) - curves.utility(caps - step)
    burned = curves.cost(caps + step, EXPECTED) - curves.cost(caps - step, EXPECTED)
    good = wide & (burned > 1e-6 * np.array([one.spent for one in lengths]))
    np.testing.assert_allclose((worth / burned)[:, wide][good[:, wide]],
                               curves.hazard_value(caps)[:, wide][good[:, wide]], rtol=1e-4)  # fmt: skip


def test_nothing_is_gained_at_a_cap_of_0_or_before_the_threshold():
    assert ca.LognormalArrival([5, 1e-9], [1, 20], 0.5).hazard_value(0.0).tolist() == [0, 0]
    assert ca.CumulativeSurge([5, 0], 1, 0.5).hazard_value([5.0, 0.0]).tolist() == [0, 0]
    assert ca.CumulativeSurge(5, 2, 0.5).cost([4.0], EXPECTED).tolist() == [4]
    assert ca.CumulativeSurge(5, 2, 0.5).deviation([5.0]).tolist() == [0]


@every_column
def test_the_hazard_falls_from_its_peak_on(curves, lengths):
    falls = curves.hazard_peak
    assert (falls == curves.branch_start(EXPECTED)).all()
    assert (falls <= curves.ceiling).all()
    for k, one in enumerate(lengths):
        stop = curves.ceiling[k]
        low = (
            max(np.log(one.dist.isf(1 - 1e-15)), np.log(one.spent + 1e-300))
            if one.spent
            else np.log(one.dist.isf(1 - 1e-15))
        )
        found = minimize_scalar(lambda x, o=one: -np.log(o.hazard_value(np.exp(x) - o.spent)),
                                bounds=(low, np.log(stop + one.spent)), method="bounded",
                                options={"xatol": 1e-12})  # fmt: skip
        best = one.hazard_value(falls[k])
        if best == 0 or is_narrow([one]):
            assert falls[k] == pytest.approx(stop) or one.spent
            continue
        assert best >= np.exp(-found.fun) * (1 - 1e-6)
        after = falls[k] + np.linspace(0, 1, 50) * (stop - falls[k])
        assert (np.diff(one.hazard_value(after)) <= 1e-9 * best).all() or falls[k] == stop


def test_the_peak_of_the_hazard_moves_to_the_ceiling_where_lengths_hardly_spread():
    spread = np.array([1e-6, 0.01, 0.15, 0.17, 0.3, 1.0, 3.0, 20.0])
    curves = ca.LognormalArrival(100.0, spread, 0.5)
    z = np.log(curves.hazard_peak / 100.0) / spread
    assert z[:3] == pytest.approx(5.997807, rel=1e-6)
    assert (curves.hazard_peak[:3] == curves.ceiling[:3]).all()
    for own_z, s in zip(z[3:], spread[3:], strict=True):
        ratio = lambda x, s=s: np.exp(stats.norm.logpdf(x) - stats.norm.logsf(x)) - x - s  # noqa: E731
        assert own_z == pytest.approx(brentq(ratio, -30, 6, xtol=1e-13), abs=1e-10)


@every_column
def test_the_reservation_price_is_the_highest_value_per_token_burned(curves, lengths):
    price = curves.reservation_price(EXPECTED)
    caps = grids(lengths, curves.ceiling)
    for k, one in enumerate(lengths):
        b = caps[caps[:, k] > 0, k]
        b = b[curves.cost(np.broadcast_to(b[:, None], (len(b), len(lengths))), EXPECTED)[:, k] > 1e-9 * b]
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = one.utility(b) / one.cost(b)
        ratio = ratio[(b > 1e-7 * one.spent) & np.isfinite(ratio)]
        highest = max(ratio.max(), one.hazard_value(1e-9 * one.spent) if one.spent else 0.0)
        assert price[k] == pytest.approx(highest, rel=1e-5), k


@every_column
def test_demand_has_the_highest_surplus_of_a_fine_grid(curves, lengths):
    caps = grids(lengths, curves.ceiling)
    worth = np.stack([one.utility(caps[:, k]) for k, one in enumerate(lengths)], axis=1)
    cost = np.stack([one.cost(caps[:, k]) for k, one in enumerate(lengths)], axis=1)
    for share in (1e-4, 0.05, 0.4, 0.8, 0.97, 0.9999):
        price = share * curves.reservation_price(EXPECTED)
        wanted = curves.demand(price, EXPECTED)
        assert (wanted > 0).all()
        assert (wanted <= curves.ceiling).all()
        surplus = np.array(
            [one.utility(b) - p * one.cost(b) for one, b, p in zip(lengths, wanted, price, strict=True)]
        )
        loose = 1e-5 if is_narrow(lengths) else 1e-8
        assert (surplus >= (worth - price * cost).max(axis=0) - loose * curves.top).all(), share


@every_column
def test_demand_falls_with_the_price_and_is_0_from_the_reservation_price_on(curves, lengths):
    entry = curves.reservation_price(EXPECTED)
    shares = np.concatenate([[0.0], np.geomspace(1e-6, 1, 60), [1 + 1e-12, 2.0]])
    wanted = np.stack([curves.demand(share * entry, EXPECTED) for share in shares])
    assert (wanted[-3:] == 0).all()
    assert (wanted[-4] > 0).all()
    assert (np.diff(wanted, axis=0) <= 1e-9 * wanted[:-1]).all()
    np.testing.assert_array_equal(wanted[0], curves.ceiling)


@pytest.mark.parametrize("name", ["log-normal", "log-normal, wide", "log-normal, running"])
def test_demand_solves_hazard_equals_price(name):
    curves, lengths = COLUMNS[name]
    for share in (0.01, 0.3, 0.9):
        price = share * curves.reservation_price(EXPECTED)
        wanted = curves.demand(price, EXPECTED)
        inside = (wanted > curves.hazard_peak) & (wanted < curves.ceiling)
        assert inside.any()
        found = np.array([one.hazard_value(b) for one, b in zip(lengths, wanted, strict=True)])
        np.testing.assert_allclose(found[inside], price[inside], rtol=1e-9)


@pytest.mark.parametrize("spread", [1e-9, 1e-6, 0.1, 0.5, 2.0, 8.0, 14.0, 20.0])
@pytest.mark.parametrize("median", [1e-6, 1000.0, 2.0**45])
def test_any_spread_has_its_true_reservation_price_and_demand(median, spread):
    """Of the widest, hazards lie 100 orders of magnitude apart: the search for the tangent once ran out of steps."""
    curves = ca.LognormalArrival(median, spread, 0.8)
    z = np.unique(np.concatenate([np.linspace(-spread - 8, 6, 20_001), np.linspace(-37, 6, 5_001)]))
    caps = median * np.exp(spread * z)
    z, caps = z[(caps <= curves.ceiling) & (caps > 0)], caps[(caps <= curves.ceiling) & (caps > 0)]
    worth = 0.8 * stats.norm.cdf(z)
    ended = np.exp(np.log(median) + spread**2 / 2 + stats.norm.logcdf(z - spread))
    cost = ended + caps * stats.norm.sf(z)
    price = float(curves.reservation_price(EXPECTED)[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        assert price == pytest.approx(np.where(cost > 0, worth / cost, 0.0).max(), rel=1e-5)
    for share in (1e-6, 0.3, 0.99):
        wanted = curves.demand(share * price, EXPECTED)
        surplus = curves.utility(wanted) - share * price * curves.cost(wanted, EXPECTED)
        assert surplus >= (worth - share * price * cost).max() - 1e-8
    assert curves.demand(price, EXPECTED)[0] == 0


def test_a_surge_is_run_to_its_end_or_not_at_all():
    curves, _ = COLUMNS["surge"]
    entry = curves.reservation_price(EXPECTED)
    np.testing.assert_array_equal(curves.hazard_peak, curves.ceiling)
    np.testing.assert_array_equal(curves.demand(entry * 0.999, EXPECTED), curves.ceiling)
    np.testing.assert_allclose(entry, curves.top / (curves.threshold + 2 * curves.width), rtol=1e-7)
    assert curves.inverse_hazard(np.full((3, 6), 0.1)).shape == (3, 6)


@every_column
def test_weight_scales_value_and_price_and_no_cost(curves, lengths):
    name = next(n for n, c in COLUMNS.items() if c[0] is curves)
    if name in SPENT:
        pytest.skip("its weight is that of the whole")
    heavy, worthless = (strategies.build([{**r, "weight": w * r["weight"]} for r in RECORDS[name]]) for w in (3, 0))
    caps, entry = quantiles(lengths), curves.reservation_price(EXPECTED)
    np.testing.assert_array_equal(heavy.cost(caps, EXPECTED), curves.cost(caps, EXPECTED))
    np.testing.assert_array_equal(heavy.deviation(caps), curves.deviation(caps))
    np.testing.assert_allclose(heavy.hazard_value(caps), 3 * curves.hazard_value(caps), rtol=1e-12)
    np.testing.assert_allclose(heavy.reservation_price(EXPECTED), 3 * entry, rtol=1e-9)
    np.testing.assert_allclose(heavy.demand(0.9 * entry, EXPECTED), curves.demand(0.3 * entry, EXPECTED), rtol=1e-9)
    assert not worthless.reservation_price(EXPECTED).any()
    assert not worthless.demand(0.0, EXPECTED).any()


def test_the_share_still_running_keeps_its_digits_where_it_is_small():
    curves = ca.concatenate([ca.LognormalArrival(100, 0.5, 0.5), ca.CumulativeSurge(10, 5, 0.5)])
    far = np.array([100 * np.exp(0.5 * 8), 10 + 5 * 60])
    share = [stats.lognorm(0.5, scale=100).sf(far[0]), stats.gamma(2, loc=10, scale=5).sf(far[1])]
    np.testing.assert_allclose(curves.length_survival(far), share, rtol=1e-9)


def test_the_cap_where_the_hazard_is_the_price_stays_between_its_peak_and_the_ceiling():
    curves = ca.LognormalArrival([100, 100, 100, 2.0**50], [0.1, 0.5, 3.0, 3.0], 0.5)
    for price in (0.0, 1e-300, 1e-6, 1.0, 1e6):
        cap = curves.inverse_hazard(price)
        assert (cap >= curves.hazard_peak).all()
        assert (cap <= curves.ceiling).all()


def test_a_worthless_query_is_not_sent_to_its_ceiling():
    worthless = ca.LognormalArrival(50, 1.0, 0.5, weight=0)
    assert worthless.inverse_hazard(0.0) == worthless.hazard_peak


def test_a_query_past_its_ceiling_burns_and_is_worth_nothing_more():
    for whole in (ca.LognormalArrival(50, 0.5, 0.9), ca.CumulativeSurge(50, 5, 0.9)):
        done = whole.after(whole.ceiling + 1)
        assert done.utility(9.0) == done.hazard_value(9.0) == done.reservation_price(EXPECTED) == 0
        assert done.demand(0.0, EXPECTED) == 0
        assert done.deviation(9.0) == 0


def test_spending_nothing_changes_nothing_and_spending_twice_is_spending_the_sum():
    for name in ("log-normal", "surge", "mixed"):
        curves, lengths = COLUMNS[name]
        caps = quantiles(lengths, (0.1, 0.5, 0.9))
        np.testing.assert_allclose(curves.after(0).cost(caps, EXPECTED), curves.cost(caps, EXPECTED), rtol=1e-12)
        np.testing.assert_allclose(curves.after(0).deviation(caps), curves.deviation(caps), rtol=1e-6, atol=1e-3)
        np.testing.assert_allclose(curves.after(0).reservation_price(EXPECTED), curves.reservation_price(EXPECTED))
        twice, once = curves.after(7).after(20), curves.after(27)
        np.testing.assert_allclose(twice.cost(caps, EXPECTED), once.cost(caps, EXPECTED), rtol=1e-12)


def test_what_is_left_of_a_wide_curve_varies_no_more_than_it_can():
    """Rounding is all that two moments of 1e13 leave of one token: its deviation once came out as 160,000 tokens."""
    rest = ca.LognormalArrival(3000, 5.0, 0.8).after(3000 * np.exp(20.0))
    caps = np.array([1.0, 5.0, 30.0, 200.0])[:, None]
    assert (rest.deviation(caps) <= np.sqrt(rest.cost(caps, EXPECTED) * (caps - rest.cost(caps, EXPECTED)))).all()


MENU = {"costs": [[0, 300, 2000], [1500], [100, 400]], "values": [[0.2, 0.5, 0.6], [0.9], [0.5, 0.1]]}


BURNED = {"expected": [[0, 180, 700], [900], [100, 60]], "deviation": [[0, 90, 500], [300], [0, 40]]}


def test_a_menu_burns_what_its_best_option_is_expected_to():
    menu = ca.Menu(**MENU, **BURNED, weight=[2, 1, 1])
    caps = np.array([0, 299, 300, 1999, 2000, 5000.0])[:, None]
    assert menu.cost(caps, EXPECTED).T.tolist() == [[0, 0, 180, 180, 700, 700], [0, 0, 0, 900, 900, 900],
                                                    [0, 100, 100, 100, 100, 100]]  # fmt: skip
    assert menu.deviation(caps).T.tolist() == [[0, 0, 90, 90, 500, 500], [0, 0, 0, 300, 300, 300], [0] * 6]
    np.testing.assert_allclose(menu.reservation_price(EXPECTED), [2 * 0.3 / 180, 0.9 / 900, 0.5 / 100])
    assert menu.demand(2 * 0.1 / 520 * 0.999, EXPECTED).tolist() == [2000, 1500, 100]
    assert menu.demand(2 * 0.1 / 520 * 1.001, EXPECTED).tolist() == [300, 1500, 100]
    assert menu.demand([2 * 0.3 / 180, 0.001, 0.005], EXPECTED).tolist() == [0, 0, 0]


def test_a_menu_without_expected_costs_is_certain_to_cost_what_it_says():
    menu = ca.Menu(**MENU)
    caps = np.array([250.0, 1500, 100])
    np.testing.assert_array_equal(menu.cost(caps, EXPECTED), [0, 1500, 100])
    assert not menu.deviation(np.full((4, 3), 2000.0)).any()
    assert menu.deviation(np.full((4, 3), 2000.0)).shape == (4, 3)
    np.testing.assert_array_equal(menu.reservation_price(EXPECTED), menu.reservation_price())
    for price in (0.0, 1e-4, 6e-4, 0.01):
        np.testing.assert_array_equal(menu.demand(price, EXPECTED), menu.demand(price))
    varying = ca.Menu(**MENU, deviation=BURNED["deviation"])
    np.testing.assert_array_equal(varying.deviation(2000.0), [500, 300, 0])
    np.testing.assert_array_equal(varying.cost(2000.0, EXPECTED), menu.cost(2000.0, EXPECTED))


@given(st.lists(st.tuples(st.floats(1, 500), st.floats(0.01, 1), st.floats(0.1, 1)), min_size=1, max_size=5),
       st.floats(0, 0.05))  # fmt: skip
@examples(60)
def test_the_demand_of_a_menu_has_the_highest_surplus_after_expected_cost(options, price):
    """Costs, values and burning rise together here: a cap buys its best option, so only then can demand name it."""
    costs, values, expected = (np.cumsum(column) for column in zip(*options, strict=True))
    values, expected = values / values[-1], np.minimum(expected / expected[-1] * costs[0], costs)
    menu = ca.Menu([costs], [values], expected=[expected])
    wanted = menu.demand(price, EXPECTED)
    surplus = menu.utility(wanted) - price * menu.cost(wanted, EXPECTED)
    assert surplus[0] >= max(0.0, (values - price * expected).max()) - 1e-12
    assert menu.reservation_price(EXPECTED)[0] == pytest.approx((values / expected).max())
    assert menu.demand(menu.reservation_price(EXPECTED), EXPECTED)[0] == 0


def test_menus_with_and_without_expected_costs_share_a_column():
    plain, burning = ca.Menu(**MENU), ca.Menu(**MENU, **BURNED)
    both = ca.concatenate([plain, burning[[1, 0]], ca.Menu([[10]], [[0.5]], expected=[[4]])])
    assert both.cost(2000.0, EXPECTED).tolist() == [2000, 1500, 100, 900, 700, 4]
    assert both.deviation(2000.0).tolist() == [0, 0, 0, 300, 500, 0]
    assert strategies.build(both.to_records()).to_records() == both.to_records()
    assert both[[4, 0]].cost([300.0, 300.0], EXPECTED).tolist() == [180, 300]


def test_a_column_of_menus_and_curves_asks_each_row_s_own_family():
    parts = [ca.LognormalArrival([9, 80], [1, 0.5], 0.7), ca.Menu(**MENU, **BURNED), ca.CumulativeSurge(5, 30, 0.4)]
    both = ca.concatenate(parts)
    caps = np.random.default_rng(0).uniform(0, 2500, (4, 6))
    for ask in ("cost", "deviation", "demand", "reservation_price"):
        pieces = []
        for part, rows in zip(parts, (slice(0, 2), slice(2, 5), slice(5, 6)), strict=True):
            given = {"cost": (caps[:, rows], EXPECTED), "deviation": (caps[:, rows],),
                     "demand": (0.001, EXPECTED), "reservation_price": (EXPECTED,)}[ask]  # fmt: skip
            pieces.append(getattr(part, ask)(*given))
        given = {"cost": (caps, EXPECTED), "deviation": (caps,), "demand": (0.001, EXPECTED),
                 "reservation_price": (EXPECTED,)}[ask]  # fmt: skip
        np.testing.assert_array_equal(getattr(both, ask)(*given), np.concatenate(pieces, axis=-1))


SHIFTED = ca.ShiftedSurge([100, 200], 50, 0.5)


WITHOUT = {
    "alone": SHIFTED,
    "in a mix": ca.concatenate([ca.LognormalArrival(50, 0.5, 0.5), SHIFTED]),
    "beside menus": ca.concatenate([ca.Menu(**MENU, **BURNED), SHIFTED]),
    "running": SHIFTED.after(20),
}


@pytest.mark.parametrize("curves", WITHOUT.values(), ids=WITHOUT)
def test_a_family_without_lengths_refuses_and_is_named(curves):
    questions = (
        lambda: curves.cost(50.0, EXPECTED),
        lambda: curves.deviation(50.0),
        lambda: curves.demand(1e-3, EXPECTED),
        lambda: curves.reservation_price(EXPECTED),
        lambda: ca.allocate(curves, 500, accounting=EXPECTED),
        lambda: ca.allocate(curves, price=1e-3, accounting=EXPECTED),
        lambda: ca.uniform(curves, 500, accounting=EXPECTED),
    )
    for question in questions:
        with pytest.raises(ca.NotSupported, match="shifted_surge"):
            question()


def test_smooth_questions_refuse_for_a_family_without_lengths():
    for ask in (SHIFTED.length_survival, SHIFTED.hazard_value, SHIFTED.inverse_hazard, SHIFTED.expected_cost):
        with pytest.raises(ca.NotSupported, match="shifted_surge"):
            ask(5.0)
    with pytest.raises(ca.NotSupported, match="shifted_surge"):
        SHIFTED.branch_start(EXPECTED)


def test_what_is_left_of_a_menu_of_caps_burns_what_the_rest_of_the_length_does():
    """Many caps on one length are that length, up to what may happen between two of them."""
    record = lognormals(300, 0.8, 0.7)[0]
    caps, one, rest = np.linspace(0, 3000, 301)[1:], Lengths(record), Lengths(record, 505.0)
    menu = ca.Menu([caps], [one.utility(caps)], expected=[one.cost(caps)], deviation=[one.deviation(caps)])
    left = menu.after(505.0)
    further = np.array([105.0, 405, 1495, 2495])[:, None]
    assert left.cost(further, EXPECTED)[:, 0] == pytest.approx([rest.integral(b) for b in further[:, 0]], rel=0.01)
    varies = [np.sqrt(rest.integral(b, 2) - rest.integral(b) ** 2) for b in further[:, 0]]
    assert left.deviation(further)[:, 0] == pytest.approx(varies, rel=0.02)
    assert (left.cost(further, EXPECTED) <= further).all()


@pytest.mark.parametrize("curves", [COLUMNS["log-normal"][0], COLUMNS["surge, running"][0], ca.Menu(**MENU)])
def test_another_accounting_is_refused(curves):
    for ask in (lambda: curves.cost(1.0, "mean"), lambda: curves.reservation_price("mean")):
        with pytest.raises(ca.InvalidArgument, match="accounting"):
            ask()


@pytest.mark.parametrize("accounting", ["reserved", EXPECTED])
@pytest.mark.parametrize(("rate", "call"), [(None, None), (0.3, None), (None, 2.0), (2.5, 0.7)])
def test_the_largest_cap_within_a_charge_is_the_largest(accounting, rate, call):
    rng = np.random.default_rng(5)
    curves = ca.concatenate([
        ca.LognormalArrival([3, 12, 30, 0.4, 25], [0.5, 1.5, 0.02, 1.0, 6], 0.7),
        ca.CumulativeSurge([0, 10, 20], [4, 6, 0.05], 0.5),
    ])  # fmt: skip
    columns = [None if v is None else np.full(8, v) * np.linspace(0.5, 1.5, 8) for v in (rate, call)]
    side, most = Charged(curves, accounting, *columns), np.array([200.0, 60, 31, 9, 80, 80, 150, 21])
    caps = np.arange(201.0)[:, None] * np.ones(8)
    charges = side.charge(caps)
    for _ in range(40):
        pool = rng.uniform(0, 1.3, 8) * charges.max(axis=0)
        if rng.random() < 0.3:  # exactly what a cap is charged
            pool = charges[rng.integers(0, 60), np.arange(8)]
        found = side.cap_within(pool, most)
        best = np.where((charges <= pool) & (caps <= most), caps, 0.0).max(axis=0)
        paid = side.charge(found)
        assert (found == np.floor(found)).all()
        assert (paid <= pool).all()
        assert (found <= most).all()
        # At the end of a curve a further cap may cost nothing that counts; one that costs is not missed.
        np.testing.assert_allclose(paid, side.charge(best), rtol=1e-3)


def test_charges_are_rate_times_cost_and_a_call_for_who_is_funded():
    curves, lengths = COLUMNS["mixed"]
    rate, call = np.linspace(0.1, 2, 6), np.array([3.0, 0, 1, 1, 2, 5])
    side = Charged(curves, EXPECTED, rate, call)
    caps = quantiles(lengths, (0.2, 0.7))
    caps[0, 2] = 0.0
    due = rate * np.stack([[o.integral(b) if b else 0.0 for b in caps[:, k]] for k, o in enumerate(lengths)], axis=1)
    np.testing.assert_allclose(side.charge(caps), due + np.where(caps > 0, call, 0.0), rtol=1e-8)
    np.testing.assert_allclose(side.deviation(caps), rate * curves.deviation(caps), rtol=1e-12)
    np.testing.assert_allclose(side.worst(caps), rate * caps + np.where(caps > 0, call, 0.0), rtol=1e-12)
    assert not Charged(curves, "reserved", rate).deviation(caps).any()
    np.testing.assert_allclose(side.efficiency(caps[1]), curves.hazard_value(caps[1]) / rate, rtol=1e-12)
    np.testing.assert_array_equal(side.on_branch(0.01), curves.inverse_hazard(0.01 * rate))
    assert side.starts_with_a_call(np.array([0.0, 0, 0, 5, 0, 0])).tolist() == [True, False, True, False, True, True]
    few = side.take(np.array([4, 1]))
    np.testing.assert_array_equal(few.charge(caps[:, [4, 1]]), side.charge(caps)[:, [4, 1]])
    assert not side.plain
    assert not Charged(curves, EXPECTED).plain
    assert Charged(curves).plain
    assert Charged(curves).charge(caps) is caps


def test_the_steepest_chord_is_that_of_a_grid_search():
    """From a floor, to a stretch of caps, with a rate and a call."""
    rng = np.random.default_rng(8)
    records = [*lognormals([20, 300, 40, 40], [1.2, 0.6, 2.5, 0.1]), *surges([20, 0], [10, 40])]
    curves, rate, call = strategies.build(records), rng.uniform(0.2, 2, 6), np.array([0.0, 5, 40, 0, 0, 9])
    for with_call in (None, call):
        side = Charged(curves, EXPECTED, rate, with_call)
        for origin in (np.zeros(6), np.array([0.0, 30, 90, 10, 15, 60])):
            stop = np.minimum(curves.ceiling, 900.0)
            start = np.clip(curves.hazard_peak, origin, stop)
            slope, end = steepest_chord(side, origin, curves.utility(origin), start, stop)
            grid = origin + np.linspace(0, 1, 20_001)[1:, None] * (stop - origin)
            run, rise = side.charge(grid) - side.charge(origin), curves.utility(grid) - curves.utility(origin)
            best = np.where(run > 1e-12, rise / np.where(run > 1e-12, run, 1.0), 0.0)
            np.testing.assert_allclose(slope, best.max(axis=0), rtol=3e-3)
            assert (slope >= best.max(axis=0) * (1 - 1e-6)).all()
            assert ((end >= start) & (end <= stop)).all()


def test_a_call_is_paid_by_the_first_token_of_a_running_query_too():
    """Past the peak of its hazard the best first token is the next one, unless it has to pay for a call."""
    record, spent = lognormals(100, 1.0)[0], 300.0
    curves, one = strategies.build([record]).after(spent), Lengths(record, spent)
    assert curves.hazard_peak == 0
    caps = np.linspace(0, curves.ceiling[0], 200_001)[1:]
    zero = np.zeros(1)
    free, called = (steepest_chord(Charged(curves, EXPECTED, None, call), zero, zero, zero, curves.ceiling)
                    for call in (None, np.array([40.0])))  # fmt: skip
    assert free[0][0] == pytest.approx(one.hazard_value(0.0), rel=1e-9)
    assert called[0][0] == pytest.approx((one.utility(caps) / (one.cost(caps) + 40.0)).max(), rel=1e-6)
    assert free[1][0] == 0
    assert called[1][0] > 0
    assert steepest_chord(Charged(curves, EXPECTED), zero, zero, zero, zero)[0] == 0  # nowhere to go


@pytest.mark.parametrize(
    ("curve", "law"),
    [
        (ca.LognormalArrival(900, 0.4, 0.7), stats.lognorm(0.4, scale=900)),
        (ca.LognormalArrival(900, 1.3, 0.7), stats.lognorm(1.3, scale=900)),
        (ca.CumulativeSurge(300, 200, 0.7), stats.gamma(2, loc=300, scale=200)),
    ],
)
def test_the_third_moment_is_that_of_a_stopped_length(curve, law):
    for cap in (250.0, 600.0, 1500.0, 8000.0):
        raw = [quad(lambda t, k=k: k * t ** (k - 1) * law.sf(t), 0, cap, limit=200)[0] for k in (1, 2, 3)]
        third = raw[2] - 3 * raw[1] * raw[0] + 2 * raw[0] ** 3
        assert curve.third_moment(cap)[0] == pytest.approx(third, rel=1e-6, abs=1e-6 * cap**3)
        both = ca.concatenate([curve, ca.Menu([[5]], [[0.1]])])
        assert both.third_moment(cap).tolist() == [curve.third_moment(cap)[0], 0]
