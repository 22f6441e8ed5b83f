"""scipy's SLSQP on the shares of a budget, as optimisers of marketing budgets use it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import LinearConstraint, minimize

Array = npt.NDArray[np.float64]


def best_shares(loss: Callable[[Array], float], slope: Callable[[Array], Array], n: int) -> tuple[Array, bool]:
    """Shares (n,) >= 0 of at most n together that make `loss` small, and whether the solver was content.

    From a uniform start. O(n^3) a step.
    """
    limit = LinearConstraint(np.ones((1, n)), -np.inf, n)
    found = minimize(
        loss, np.ones(n), jac=slope, bounds=[(0.0, float(n))] * n, constraints=limit, method="SLSQP",
        options={"maxiter": 200},
    )  # fmt: skip
    shares = np.clip(found.x, 0.0, None)
    shares *= min(1.0, n / max(float(shares.sum()), 1e-300))  # its constraint holds to a tolerance only
    return shares, bool(found.success)
