"""Why a query got what it got."""

from __future__ import annotations

import numpy as np
from support import strategies

import clear_alloc as ca
from clear_alloc.allocation.reasons import Reason, reasons_of

GOOD = ca.ShiftedSurge([100, 200, 300], 50, 0.5)


MENU = ca.Menu([[0, 80, 600], [80, 600], [600]], [[0.1, 0.2, 0.9], [0.3, 0.8], [0.5]])


def test_every_reason():
    surge = ca.ShiftedSurge([100, 100, 100, 100, 9000], 50, [0.9, 0.5, 0.01, 0.5, 0.9], weight=[1, 1, 1, 0, 1])
    result = ca.allocate(surge, 299)
    assert [reason.name for reason in result.reasons] == ["FUNDED", "FUNDED", "PRICED_OUT", "WORTHLESS", "TOO_DEAR"]
    twins = ca.allocate(ca.Menu([[100]] * 3, [[0.5]] * 3), 250)
    assert sorted(reason.name for reason in twins.reasons) == ["FUNDED", "FUNDED", "PRICED_OUT"]
    # The first is worth most per token, but what it leaves is too little for either of the others.
    left = ca.allocate(ca.Menu([[100], [60], [90]], [[1.0], [0.58], [0.85]]), 150)
    assert [reason.name for reason in left.reasons] == ["CROWDED_OUT", "FUNDED", "FUNDED"]
    assert {reason.name for reason in ca.uniform(MENU, 3).reasons} == {"FUNDED", "NOT_CHOSEN"}
    assert left.to_dict()["reasons"] == ["crowded_out", "funded", "funded"]
    assert ca.Reason.TOO_DEAR.value.startswith("even the whole budget")
    # Too dear is what no useful cap would fit, not what the best one costs or what is worth nothing.
    late = ca.allocate(ca.ShiftedSurge([100, 100], [50, 2000], [0.9, 0.3]), 180)
    assert [reason.name for reason in late.reasons] == ["FUNDED", "PRICED_OUT"]
    idle = ca.allocate(ca.Menu([[10, 9000], [100]], [[0.0, 0.9], [0.5]]), 300)
    assert [reason.name for reason in idle.reasons] == ["TOO_DEAR", "FUNDED"]
    outside = ca.allocate(GOOD, 900, levels=[{0, 50}, {0, (10, 150)}, None])
    assert [reason.name for reason in outside.reasons] == ["WORTHLESS", "WORTHLESS", "FUNDED"]


def test_a_reason_is_the_first_that_applies():
    """Funded before all; no known price before worthless; worthless before too dear; too dear before priced out."""
    curves = ca.ShiftedSurge([100, 100, 100, 9_000, 100], 50, [0.9, 0.9, 0.1, 0.9, 0.9], weight=[1, 0, 1, 1, 1])
    market = strategies.market_of(curves)
    funded = np.array([True, False, False, False, False])
    price = float(np.median(market.entry_prices))
    at = np.full(5, price)
    named = [reason.name for reason in reasons_of(market, 300.0, at, funded)]
    assert named == ["FUNDED", "WORTHLESS", "PRICED_OUT", "TOO_DEAR", "CROWDED_OUT"]
    assert reasons_of(market, None, at, funded)[3] is not Reason.TOO_DEAR  # nothing is scarce at a price
    unknown = reasons_of(market, 300.0, np.full(5, np.nan), funded)
    assert [reason.name for reason in unknown] == ["FUNDED", *["NOT_CHOSEN"] * 4]
    own = np.where(np.arange(5) == 4, 9.0, 0.0)  # each query's own price counts
    assert [reason.name for reason in reasons_of(market, 1e6, own, ~np.ones(5, dtype=bool))][4] == "PRICED_OUT"
    assert len({reason.value for reason in Reason}) == len(Reason) == 6
