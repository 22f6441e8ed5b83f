"""Expected accounting by scipy: the lengths of a query and the best caps. Nothing here imports clear_alloc."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse, stats
from scipy.integrate import fixed_quad
from scipy.optimize import Bounds, LinearConstraint, milp


class Lengths:
    """One query's lengths as scipy sees them, given that `spent` tokens have not finished it."""

    def __init__(self, record, spent=0.0):
        self.top, self.spent, family = record["weight"] * record["solvability"], spent, record["family"]
        if family == "lognormal":
            self.dist = stats.lognorm(record["spread"], scale=record["median"])
            # Lengths weighted by their size, and by its square, are log-normal again.
            s, m = record["spread"], record["median"]
            self.sized = [stats.lognorm(s, scale=m * np.exp(k * s * s)).cdf for k in (1, 2)] if s < 15 else None
            self.moments = [m**k * np.exp(0.5 * k * k * s * s) for k in (1, 2)] if s < 15 else None
        else:
            t, s = record["threshold"], record["width"]
            self.dist = stats.gamma(2, loc=t, scale=s)
            one, two = stats.gamma(3, loc=t, scale=s).cdf, stats.gamma(4, loc=t, scale=s).cdf
            self.sized = [lambda b: (t * self.dist.cdf(b) + 2 * s * one(b)) / (t + 2 * s),
                          lambda b: (t * t * self.dist.cdf(b) + 4 * t * s * one(b) + 6 * s * s * two(b))
                          / (t * t + 4 * t * s + 6 * s * s)]  # fmt: skip
            self.moments = [t + 2 * s, t * t + 4 * t * s + 6 * s * s]
        self.alive = self.dist.sf(spent)

    def length_survival(self, t):
        return self.dist.sf(self.spent + t) / self.alive

    def utility(self, t):
        return self.top * (1.0 - self.length_survival(t)) if self.spent else self.top * self.dist.cdf(t)

    def hazard_value(self, t):
        return self.top * np.exp(self.dist.logpdf(self.spent + t) - self.dist.logsf(self.spent + t))

    def integral(self, b, k=1):
        """E min(length, b)^k by quadrature of the survival function, over u = log(b/t)."""
        ends = self.dist.isf([1 - 1e-12, 1 - 1e-6, 0.99, 0.9, 0.5, 0.1, 0.01, 1e-6, 1e-12]) - self.spent
        cuts = np.log(b / ends[(ends > b * 1e-15) & (ends < b)])
        # The substitution is for wide curves; a narrow stretch at the end of a long one wants its own pieces.
        edges = [0.0, *sorted(cuts), max(40.0, cuts.max(initial=0.0) + 40.0)]
        inside = lambda u: k * b**k * np.exp(-k * u) * self.length_survival(b * np.exp(-u))  # noqa: E731
        parts = [fixed_quad(inside, x, y, n=100)[0] for x, y in itertools.pairwise(edges)]
        return sum(parts)

    def cost(self, b):
        """The same for k = 1 in closed form, for grids."""
        whole = lambda x: self.moments[0] * self.sized[0](x) + x * self.dist.sf(x)  # noqa: E731
        return (whole(self.spent + b) - (whole(self.spent) if self.spent else 0.0)) / self.alive

    def deviation(self, b):
        square = self.moments[1] * self.sized[1](b) + b * b * self.dist.sf(b)
        return np.sqrt(np.maximum(square - self.cost(b) ** 2, 0.0))


def tables(records, most):
    """Utility, expected cost and deviation of every whole cap up to `most`, (n, most + 1) each, from scipy.stats."""
    caps, lengths = np.arange(most + 1.0), [Lengths(r) for r in records]
    asked = (Lengths.utility, Lengths.cost, Lengths.deviation)
    return [np.stack([ask(one, caps) for one in lengths]) for ask in asked]


def best_of(worth, cost, budget):
    """The optimum over all whole caps, by integer programming."""
    n, k = worth.shape
    one_each = sparse.kron(sparse.eye(n), np.ones((1, k)))
    rules = LinearConstraint(sparse.vstack([one_each, sparse.csr_matrix(cost.reshape(1, -1))]),
                             np.append(np.ones(n), 0.0), np.append(np.ones(n), budget))  # fmt: skip
    found = milp(-worth.ravel(), constraints=rules, integrality=np.ones(n * k), bounds=Bounds(0, 1),
                 options={"mip_rel_gap": 1e-7})  # fmt: skip
    return -found.fun


def checked(result, records, most, budget):
    """Every promise of an allocation, recomputed by scipy."""
    result.audit()
    worth, cost, deviation = tables(records, most)
    rows = np.arange(len(records))
    assert result.utility == pytest.approx(worth[rows, result.tokens].sum(), rel=1e-9)
    assert result.spent == pytest.approx(cost[rows, result.tokens].sum(), rel=1e-9, abs=1e-12)
    varies = np.sqrt((deviation[rows, result.tokens] ** 2).sum())
    assert result.deviation == pytest.approx(varies, rel=1e-5, abs=1e-6 * most)
    assert result.spent + result.margin <= budget * (1 + 1e-12)
    assert result.upper_bound >= result.utility
    return worth, cost, deviation
