"""What a call costs before its first answer token, and menus of models that pay it."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import milp
from support.refusals import refused

import clear_alloc as ca

NAN, INF = float("nan"), float("inf")


def test_what_a_call_costs():
    assert ca.call_cost(1000, 3e-6) == pytest.approx(3e-3)
    assert ca.call_cost([1000, 3000], [1.0, 2.0], 500, 0.5).tolist() == [750, 5250]
    assert ca.call_cost([1000, 3000], 2.0, [0, 1000]).tolist() == [2000, 6000]
    assert ca.call_cost([1000, 3000], 2.0, [1000, 3000], 0.0).tolist() == [0, 0]
    assert ca.call_cost([[1000], [3000]], [1.0, 2.0], [[100], [0]], [0, 0]).tolist() == [[900, 1800], [3000, 6000]]
    assert ca.call_cost([], 2.0).tolist() == []


@pytest.mark.parametrize(
    ("given", "argument", "row", "value"),
    [
        (([100, -1], 1), "prompt_tokens", 1, -1.0),
        ((NAN, 1), "prompt_tokens", None, NAN),
        ((["a", 1], 1), "prompt_tokens", 0, "a"),
        ((None, 1), "prompt_tokens", None, None),
        ((100, -1e-6), "prompt_rate", None, -1e-6),
        (([1, 2], [1, INF]), "prompt_rate", 1, INF),
        ((100, "1"), "prompt_rate", None, "1"),
        (([100, 100], 1, [0, 101]), "cached_tokens", 1, 101.0),
        ((100, 1, 101), "cached_tokens", None, 101.0),
        ((100, 1, -1), "cached_tokens", None, -1.0),
        (([[5, 6], [7, 8]], 1, [[0, 0], [0, 9]]), "cached_tokens", 1, 9.0),
        (([[5, 6], [7, -8]], 1), "prompt_tokens", 1, -8.0),
        ((100, 1, 50, [0.5, -1]), "cached_rate", 1, -1.0),
        (([1, 2], [1, 2, 3]), "prompt_tokens", None, "one of shapes (2,), (3,), (), (3,)"),
        (([[1], [1, 2]], 1), "prompt_tokens", None, [[1], [1, 2]]),
    ],
)
def test_bad_calls(given, argument, row, value):
    with pytest.raises(ca.InvalidArgument) as caught:
        ca.call_cost(*given)
    refused(caught, argument, row, value, "")


def test_a_menu_of_models_with_cached_prompts():
    """Every budget against trying all combinations."""
    rng = np.random.default_rng(14)
    n, small, large = 4, 0.4e-6, 10e-6
    prompt, cached = rng.integers(200, 9000, n), rng.integers(0, 200, n)
    costs = [[1000, 4000, 800, 3000]] * n  # two caps of a small model, two of a large one
    values = [np.sort(rng.uniform(0, 1, 4))[[1, 2, 0, 3]].tolist() for _ in range(n)]
    rates = [[small, small, large, large]] * n
    cheap, dear = (ca.call_cost(prompt, new, cached, old) for new, old in ((0.1e-6, 0.01e-6), (2.5e-6, 1.25e-6)))
    calls = np.column_stack([cheap, cheap, dear, dear]).tolist()
    by_hand = [[r * c + (p - k) * new + k * old for r, c, new, old in zip(
        rates[0], costs[0], [0.1e-6] * 2 + [2.5e-6] * 2, [0.01e-6] * 2 + [1.25e-6] * 2, strict=True)]
        for p, k in zip(prompt.tolist(), cached.tolist(), strict=True)]  # fmt: skip
    lists = [[milp.Choice(0, 0.0, 0.0), *(milp.Choice(c, paid, v) for c, paid, v in
        zip(costs[0], by_hand[row], values[row], strict=True))] for row in range(n)]  # fmt: skip
    seen = set()
    for budget in np.geomspace(4e-4, 0.4, 15):
        result = ca.allocate(ca.Menu(costs, values), budget, rate=rates, call=calls)
        result.audit()
        assert result.utility == pytest.approx(milp.best_by_trial(lists, budget), rel=1e-9)
        paid = [0.0 if j < 0 else by_hand[row][j] for row, j in enumerate(result.choice.tolist())]
        assert result.charges.tolist() == pytest.approx(paid, rel=1e-12)
        seen |= set(result.choice.tolist())
    assert seen >= {-1, 0, 1, 3}
