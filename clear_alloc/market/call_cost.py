"""What a call costs before its first answer token."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clear_alloc.columns.validate import as_given, at_least
from clear_alloc.curves import Array
from clear_alloc.errors import InvalidArgument

__all__ = ["call_cost"]


def call_cost(
    prompt_tokens: npt.ArrayLike,
    prompt_rate: npt.ArrayLike,
    cached_tokens: npt.ArrayLike = 0,
    cached_rate: npt.ArrayLike | None = None,
) -> Array:
    """What a call costs before its first answer token: its prompt, and what of it is read from a cache, at its rate.

    prompt_tokens : token, cached ones included, (n,) or scalar. prompt_rate, cached_rate : money per token.
    cached_tokens : token, at most prompt_tokens; priced at `cached_rate`, by default as the others. O(n).

    >>> import clear_alloc as ca
    >>> ca.call_cost([1000, 3000], 3e-6, cached_tokens=[0, 2000], cached_rate=0.3e-6)
    array([0.003 , 0.0036])
    """
    given = {
        "prompt_tokens": prompt_tokens,
        "prompt_rate": prompt_rate,
        "cached_tokens": cached_tokens,
        "cached_rate": prompt_rate if cached_rate is None else cached_rate,
    }
    amounts = [_amounts(argument, values) for argument, values in given.items()]
    try:
        prompt, rate, cached, low = np.broadcast_arrays(*amounts)
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in amounts)
        allowed = "as long as the other arguments, or a scalar"
        raise InvalidArgument("prompt_tokens", f"one of shapes {shapes}", allowed, "pass one per query") from None
    above = np.argwhere(cached > prompt)
    if len(above):
        value, row = cached[tuple(above[0])], int(above[0][0]) if prompt.ndim else None
        remedy = "cached tokens are part of the prompt"
        raise InvalidArgument("cached_tokens", value, "0 to prompt_tokens", remedy, row)
    cost: Array = (prompt - cached) * rate + cached * low
    return cost


def _amounts(argument: str, values: npt.ArrayLike) -> Array:
    """Numbers >= 0 in an array of any shape."""
    try:
        raw = as_given(values)
    except ValueError as error:
        raise InvalidArgument(argument, values, "numbers, one per query", "pass a flat list") from error
    try:
        return at_least(argument, raw.ravel(), 0.0, "tokens or money per token").reshape(raw.shape)
    except InvalidArgument as error:
        row = None if error.row is None or not raw.ndim else error.row * len(raw) // raw.size
        raise InvalidArgument(argument, error.value, error.allowed, error.remedy, row) from None
