"""Options as the market charges them."""

from __future__ import annotations

import pytest

import clear_alloc as ca


@pytest.mark.parametrize("policy", [ca.allocate, ca.exact, ca.uniform, ca.proportional], ids=lambda p: p.__name__)
def test_no_token_is_paid_for_nothing(policy):
    """Of equally good options the cheapest; no option at all where none is worth anything."""
    menu = ca.Menu([[9, 5], [5, 9], [4], [0, 5], [3, 8]], [[0.5, 0.5], [0.5, 0.5], [0.0], [0.3, 0.3], [0.2, 0.1]])
    result = policy(menu, 100)
    result.audit()
    assert result.tokens.tolist() == [5, 5, 0, 0, 3]
    assert result.choice.tolist() == [1, 0, -1, 0, 0]
    assert result.funded.tolist() == [True, True, False, True, True]
