"""The result of an allocation: caps, the price that explains them, a certificate and an audit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from clear_alloc.allocation.arrow_export import arrow_table
from clear_alloc.allocation.audit import PRICED, audit
from clear_alloc.allocation.reasons import Reason, reasons_of
from clear_alloc.columns.constant import exact_total
from clear_alloc.curves import Accounting, Array
from clear_alloc.market.problem import MONEY_RTOL, Problem
from clear_alloc.solver.chance.margin import deviation_of, margin_of
from clear_alloc.solver.dual import DualBound
from clear_alloc.solver.pricing.clearing import Clearing, Status
from clear_alloc.solver.primal.solution import Solution, charge_per_query, choice_of, funded_of, total_charge
from clear_alloc.support.types import Bool

__all__ = ["Allocation", "allocation_of"]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Allocation:
    """Caps for n queries under one budget, with their certificate.

    Budget units are tokens, or the unit of `rate` and `call` (money).

    Attributes
    ----------
    tokens : int64, shape (n,)
        The cap of each query, token. For a menu, the cost of an option, rounded up; a mean length, and no cap,
        where `capped` is False.
    funded : bool, shape (n,)
        Queries that get tokens or, for menus, an option; the others are insolvent and get their fallback, if any.
    price : float
        The dual price, value per budget unit: lowest price seen at which demand fits the budget; what one more
        unit would buy. NaN where a baseline knows no price.
    utility : float
        Sum of the curves' values at `tokens`, value.
    upper_bound : float
        No allocation charged at most budget - margin is worth more, value.
    budget, spent : float
        Budget units available and charged: caps in full or, under expected accounting, what they should burn.
    deviation, margin : float
        Standard deviation of what the caps will cost in the end, and what is held back for it, budget units; 0 under
        reserved accounting.
    status : Status
        How the price was found; its value is the message.
    choice : int64, shape (n,), or None
        For menus: index, in the caller's list, of the option bought, -1 for none and for other families. Where caps
        are charged as they are, the best option that the cap covers. None without menus.
    """

    tokens: npt.NDArray[np.int64]
    funded: Bool
    price: float
    utility: float
    upper_bound: float
    budget: float
    spent: float
    deviation: float
    margin: float
    status: Status
    choice: npt.NDArray[np.int64] | None
    policy: str
    _problem: Problem
    _solution: Solution
    _bound: DualBound

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def parts(self) -> tuple[Problem, Solution, DualBound]:
        """What the result was made of, for audits."""
        return self._problem, self._solution, self._bound

    @property
    def ids(self) -> tuple[Any, ...] | None:
        """The caller's names of the queries, in order, or None. A column is listed at the first call. O(n)."""
        names = self._problem.names
        return None if names is None else names.listed

    @property
    def gap(self) -> float:
        """upper_bound - utility, value: no more than this is lost to the optimum. Never negative."""
        return self.upper_bound - self.utility

    @property
    def accounting(self) -> Accounting:
        """What caps are charged: `reserved` or `expected`."""
        return self._problem.market.tariff.accounting

    @property
    def charges(self) -> Array:
        """What each query is charged, shape (n,), budget units. O(n)."""
        return self._problem.unit * charge_per_query(self._problem.market, self._solution)

    @property
    def capped(self) -> Bool:
        """Whether `tokens` is a cap to send to an engine, (n,): not where an option costs its mean length. O(n)."""
        choice = np.full(len(self), -1) if self.choice is None else self.choice
        capped: Bool = self._problem.market.curves.capped | (choice < 0)
        return capped

    @property
    def reasons(self) -> list[Reason]:
        """Why each query got what it got, n of them. O(n)."""
        problem, prices = self._problem, self._bound.own_prices
        if prices is None:
            prices = np.full(len(self), self.price * problem.unit)
        pool = None if self.status is Status.PRICED else self._pool
        return reasons_of(problem.market, pool, prices, self.funded)

    @property
    def _pool(self) -> float:
        """Budget units of the market that could be charged."""
        pool = self._problem.pool
        if not np.isfinite(pool):
            pool = total_charge(self._problem.market, self._solution)
        return pool - self.margin / self._problem.unit

    def audit(self) -> None:
        """Recompute every promise from the curves and the tokens; raise AuditFailed at the first broken one. O(n)."""
        audit(self, self._problem, self._solution, self._bound, self._pool)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and strings, ready for JSON; NaN becomes None."""
        return {
            **self._about(),
            "ids": None if self.ids is None else list(self.ids),
            "tokens": self.tokens.tolist(),
            "charges": self.charges.tolist(),
            "funded": self.funded.tolist(),
            "reasons": [reason.name.lower() for reason in self.reasons],
            "choice": None if self.choice is None else self.choice.tolist(),
            "capped": self.capped.tolist(),
        }

    def _about(self) -> dict[str, Any]:
        """What holds for all queries."""
        return {
            "policy": self.policy,
            "status": self.status.name.lower(),
            "message": self.status.value,
            "budget": self.budget,
            "spent": self.spent,
            "unit": self.unit,
            "accounting": self.accounting,
            "deviation": self.deviation,
            "margin": self.margin,
            "price": None if np.isnan(self.price) else self.price,
            "utility": self.utility,
            "upper_bound": self.upper_bound,
            "gap": self.gap,
        }

    def to_arrow(self) -> Any:
        """A pyarrow table, one row per query; `polars.DataFrame(result)` and `pyarrow.table(result)` read it too.

        Columns: `query_id` if there are ids, `tokens` (int64), `funded` (bool), `choice` (int64) where there are
        menus, and `charge` (float64, budget units). Numbers share their memory with the arrays. What holds for all
        rows is JSON in the metadata of its schema, under `clear_alloc`. NotSupported without pyarrow. O(n).
        """
        columns = {"tokens": self.tokens, "funded": self.funded, "choice": self.choice, "charge": self.charges}
        said = {name: values for name, values in columns.items() if values is not None}
        known = self._about()
        about = {name: known[name] for name in ("price", "utility", "upper_bound", "budget", "spent", "status")}
        return arrow_table(self._problem.names, said, about)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A stream of the table of `to_arrow`, by the Arrow PyCapsule protocol."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    @property
    def unit(self) -> str:
        """What the budget is counted in: `token`, or `unit` of `rate` and `call`."""
        return "token" if self._problem.market.tariff.counted_in == "tokens" else "unit"

    @property
    def _uncapped_words(self) -> str:
        count = len(self) - int(self.capped.sum())
        return f"; {count:,} of the tokens are mean lengths, not caps" if count else ""

    def __repr__(self) -> str:
        unit = self.unit
        return (
            f"<Allocation ({self.policy}): {int(self.funded.sum()):,} of {len(self):,} queries funded, "
            f"{self.spent:,.15g} of {self.budget:,.15g} {unit}s, price {self.price:.4g}/{unit}, "
            f"utility {self.utility:.6g}, gap {self.gap:.2g}{self._uncapped_words}>"
        )


def allocation_of(
    problem: Problem, policy: str, solution: Solution, clearing: Clearing, bound: DualBound
) -> Allocation:
    """The public result of a solution, in the caller's order of queries. O(n)."""
    market, unit = problem.market, problem.unit
    tokens = market.decided(lambda demand, column: demand.tokens(column), solution.decisions).astype(np.int64)
    spent = float(exact_total(tokens) if market.plain else total_charge(market, solution))
    held = problem.z_score > 0.0 and np.isfinite(problem.pool)
    margin = margin_of(market, solution, problem.z_score) if held else 0.0
    deviation = deviation_of(market, solution) if market.tariff.accounting == "expected" else 0.0
    charged = _in_budget_units(spent, unit, problem.budget)
    return Allocation(
        tokens=tokens,
        funded=funded_of(market, solution),
        price=clearing.price / unit if policy in PRICED else float("nan"),
        utility=solution.utility,
        upper_bound=max(bound.value, solution.utility),  # rounding must not put a bound below what was reached
        budget=problem.budget if np.isfinite(problem.budget) else charged,
        spent=charged,
        deviation=deviation * unit,
        margin=margin * unit,
        status=clearing.status,
        choice=choice_of(market, solution) if market.has_menus else None,
        policy=policy,
        _problem=problem,
        _solution=solution,
        _bound=bound,
    )


def _in_budget_units(spent: float, unit: float, budget: float) -> float:
    """What was charged, as decimals multiply, and never a rounding beyond the budget."""
    charged = spent if unit == 1.0 else float(Decimal(repr(spent)) * Decimal(repr(unit)))
    return budget if budget < charged <= budget * (1.0 + 2.0 * MONEY_RTOL) else charged
