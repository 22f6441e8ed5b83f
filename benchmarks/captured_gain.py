"""How much of the oracle's gain over a uniform cap the fitted curves capture, on samples that the fit has not seen.

    python -m benchmarks.captured_gain [--rollouts PATH] [--family NAME ...] [--accounting reserved|expected] [--swap]

Captured gain = (accuracy - uniform) / (oracle - uniform), mean over the budgets at which the oracle gains anything;
the oracle is the same allocator on the scoring samples' own arrivals. Spent = tokens that the scoring samples burn
under our caps, as a share of the budget, mean over budgets. Reserved accounting charges a cap in full. Expected
accounting charges what is expected to be burned under it, without a margin (overrun 0.5); uniform is then the largest
common cap under which the scoring samples burn no more than the budget. A file with a column `config` is scored
configuration by configuration. Odd samples are fitted, even ones score; --swap turns that round.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

import clear_alloc as ca
from benchmarks.main_job import ROLLOUTS
from benchmarks.scoring import (
    Columns,
    Split,
    held_out_accuracy,
    held_out_use,
    hindsight_curves,
    split_by_parity,
    uniform_cap,
)

BUDGETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75)  # of the mean tokens of an uncapped run
FAMILIES = ("lognormal", "cumulative_surge", "shifted_surge", "empirical")
KNOWS_LENGTHS = ("lognormal", "cumulative_surge", "empirical")
LEAST = 0.01  # of the oracle's accuracy: where uniform is nearer, the ratio says nothing
FEW = 10  # right answers of a configuration: fewer make a captured gain of chance alone


class Outcome(NamedTuple):
    """Held-out accuracies at one budget, and the tokens burned under our caps as a share of it."""

    ours: float
    uniform: float
    oracle: float
    spent: float

    @property
    def gain(self) -> float:
        """Captured gain; NaN where the oracle gains next to nothing."""
        return captured(self.ours, self.uniform, self.oracle)


def captured(accuracy: float, uniform: float, oracle: float) -> float:
    """Share of the oracle's gain over uniform; NaN where that is next to nothing."""
    possible = oracle - uniform
    return (accuracy - uniform) / possible if possible > LEAST * oracle else float("nan")


def configurations(path: Path) -> Iterator[tuple[str, Columns]]:
    """Each configuration's rollouts as columns."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    columns = {name: table[name].to_numpy() for name in ("query_id", "sample", "tokens", "correct", "cap")}
    columns["cap"] = columns["cap"].astype(float)  # a column of nulls comes without numbers
    names = table["config"].to_numpy() if "config" in table.column_names else np.full(len(table), path.stem)
    for name in dict.fromkeys(names.tolist()):
        yield name, {key: column[names == name] for key, column in columns.items()}


def outcome_of(split: Split, curves: ca.Curves, ids: list[str], budget: int, accounting: str) -> Outcome:
    """Our caps, one cap for all and the oracle's caps, scored at one budget."""

    def allocated(known: ca.Curves) -> np.ndarray:
        return ca.allocate(known, budget, accounting=accounting, overrun=0.5).tokens

    ours = allocated(curves)
    every = (ours, uniform_cap(split, ids, budget, accounting), allocated(hindsight_curves(split, ids)))
    burned = held_out_use(split, ids, ours) * len(ids)
    return Outcome(*(held_out_accuracy(split, ids, caps) for caps in every), burned / budget)


def outcomes(rollouts: Columns, family: str, accounting: str, swap: bool) -> list[Outcome]:
    """One family on one configuration, budget by budget."""
    split = split_by_parity(rollouts)
    if swap:
        split = split.swapped()
    fitted = ca.fit(split.fitting, family=family)
    used = rollouts["tokens"].mean() * len(fitted.ids)
    return [outcome_of(split, fitted.curves, fitted.ids, int(share * used), accounting) for share in BUDGETS]


def figures(found: list[Outcome]) -> tuple[float, float]:
    """Captured gain, NaN where the oracle gains at no budget, and tokens spent, each the mean over budgets."""
    gains = [outcome.gain for outcome in found if not np.isnan(outcome.gain)]
    return float(np.mean(gains)) if gains else float("nan"), float(np.mean([outcome.spent for outcome in found]))


def shown(name: str, width: int, row: np.ndarray) -> str:
    """One line of the table: gain and spent for each family."""
    return " ".join([f"{name:<{width}}", *(f"{gain:12.3f}{spent:7.3f}" for gain, spent in row)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rollouts", type=Path, default=ROLLOUTS)
    parser.add_argument("--family", nargs="+", choices=FAMILIES)
    parser.add_argument("--accounting", choices=("reserved", "expected"), default="reserved")
    parser.add_argument("--swap", action="store_true", help="fit on the even samples, score on the odd ones")
    chosen = parser.parse_args()
    families = chosen.family or (FAMILIES if chosen.accounting == "reserved" else KNOWS_LENGTHS)
    data = dict(configurations(chosen.rollouts))
    few = {name for name, rollouts in data.items() if rollouts["correct"].sum() < FEW}
    means = {"mean": set(), f"mean, {FEW} right or more": few} if few else {"mean": set()}
    width = max(len(name) for name in [*data, *means])
    print(" " * width, *(f"{family:>19}" for family in families))
    print(" " * width, *(f"{'gain':>12}{'spent':>7}" for _ in families))
    table = {}
    for name, rollouts in data.items():
        found = [figures(outcomes(rollouts, family, chosen.accounting, chosen.swap)) for family in families]
        table[name] = np.array(found)
        print(shown(name, width, table[name]), flush=True)
    for name, without in means.items():
        print(shown(name, width, np.nanmean([row for key, row in table.items() if key not in without], axis=0)))


if __name__ == "__main__":
    main()
