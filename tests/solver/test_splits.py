"""Splits that need no price: one cap for all, or caps in proportion, as large as the budget allows."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from support import strategies
from support.smooth_cases import LIMITS, case_of

import clear_alloc as ca
from clear_alloc.solver.chance.margin import margin_of
from clear_alloc.solver.chance.margin_search import solve_with_margin
from clear_alloc.solver.primal.solution import charge_per_query, floor_solution, total_charge
from clear_alloc.solver.splits import proportional_solution, solution_within, uniform_solution

SPLITS = (uniform_solution, proportional_solution)
every_split = pytest.mark.parametrize("split", SPLITS, ids=lambda split: split.__name__)


def test_a_uniform_split_pays_for_what_a_floor_makes_a_menu_buy():
    menu = ca.Menu([[1.2, 5], [0, 40, 90]], [[0.3, 0.9], [0.8, 0.2, 1.0]])
    market = strategies.market_of(menu, [1, 3])
    grant = uniform_solution(market, 42.0)
    assert charge_per_query(market, grant).tolist() == [2, 40]


@every_split
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_a_split_fits_the_budget_and_a_larger_scale_does_not(split, limits):
    curves, terms, _ = case_of(strategies.LOGNORMAL, limits, 40)
    market = strategies.market_of(curves, **terms)
    share = np.ones(40) if split is uniform_solution else curves.emergence / curves.emergence.max()
    full = total_charge(market, solution_within(market, np.full(40, 2.0**53)))

    def spent(scale):
        """What a scale is charged; where a cap is charged as it is, used or not, ceilings not passed on."""
        limits = np.floor(share * scale)
        if market.plain and not market.least.any():
            return limits.sum()
        if market.plain:
            return np.clip(limits, market.least, market.caps.high).sum()
        return total_charge(market, solution_within(market, limits))

    for part in (0.05, 0.3, 0.7):
        pool = float(np.floor(market.total_floor + part * (full - market.total_floor)))
        (caps,) = split(market, pool).decisions
        assert total_charge(market, split(market, pool)) <= pool
        # Every cap is that of one common scale, within floors and ceilings.
        free = (caps > market.divisible.least) & (caps < market.divisible.last_whole)
        scale = ((caps + 1.0) / share)[free].min(initial=np.inf)
        assert (caps / share)[free].max(initial=0.0) <= scale * (1 + 1e-9)
        if np.isfinite(scale):
            assert spent(1.05 * scale + 1.0 / share.min()) > pool


@every_split
def test_a_split_leaves_room_for_its_margin(split):
    curves, terms, _ = case_of(strategies.LOGNORMAL, LIMITS["expected rates"], 60)
    market = strategies.market_of(curves, **terms)
    pool = 20_000.0
    held = [solve_with_margin(market, pool, z, partial(split, market), split(market, pool)) for z in (0.0, 1.0, 2.5)]
    for z_score, solution in zip((0.0, 1.0, 2.5), held, strict=True):
        assert total_charge(market, solution) + margin_of(market, solution, z_score) <= pool
    assert held[0].utility > held[1].utility >= held[2].utility  # what caps cost at worst bounds a margin


@every_split
def test_nobody_and_nothing_are_no_trouble(split):
    nobody = strategies.market_of(ca.LognormalArrival([], [], []))
    assert split(nobody, 50.0).utility == 0.0
    market = strategies.market_of(ca.LognormalArrival([100.0, 200.0], 0.5, 0.5), 7)
    assert split(market, 14.0).decisions[0].tolist() == floor_solution(market).decisions[0].tolist() == [7, 7]


def test_limits_grant_the_largest_feasible_caps_that_are_worth_more():
    curves = ca.concatenate([ca.ShiftedSurge([100.0, 100.0], 50, 0.5), ca.Menu([[30, 60]], [[0.3, 0.2]])])
    market = strategies.market_of(curves, levels=[None, {0, (120, 140)}, None])
    for limits, caps, option in (
        ([90, 119, 29], [90, 0], -1),
        ([400, 130, 59], [150, 130], 0),
        ([120, 400, 60], [120, 140], 0),  # the dearer option is worth less
    ):
        smooth, menus = solution_within(market, np.array(limits, dtype=float)).decisions
        assert (smooth.tolist(), menus.tolist()) == (caps, [option])
