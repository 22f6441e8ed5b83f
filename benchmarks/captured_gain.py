"""How much of the oracle's gain over a uniform cap the fitted curves capture, on samples that the fit has not seen.

    python -m benchmarks.captured_gain [--rollouts PATH] [--family NAME ...]

Captured gain = (accuracy - uniform) / (oracle - uniform), reserved accounting, mean over budgets; the oracle is the
same allocator on the scoring samples' own arrivals. A file with a column `config` is scored configuration by
configuration. Odd samples are fitted, even ones score; --swap turns that round.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import clear_alloc as ca
from benchmarks.main_job import ROLLOUTS
from benchmarks.scoring import Columns, Split, held_out_accuracy, hindsight_curves, split_by_parity

BUDGETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75)  # of the mean tokens of an uncapped run
FAMILIES = ("lognormal", "cumulative_surge", "shifted_surge", "empirical")


def configurations(path: Path) -> Iterator[tuple[str, Columns]]:
    """Each configuration's rollouts as columns."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    columns = {name: table[name].to_numpy() for name in ("query_id", "sample", "tokens", "correct", "cap")}
    columns["cap"] = columns["cap"].astype(float)  # a column of nulls comes without numbers
    names = table["config"].to_numpy() if "config" in table.column_names else np.full(len(table), path.stem)
    for name in dict.fromkeys(names.tolist()):
        yield name, {key: column[names == name] for key, column in columns.items()}


def captured(split: Split, curves: ca.Curves, ids: list[str], budget: int) -> tuple[float, float, float]:
    """Accuracy of our caps, of one cap for all and of the oracle's caps."""
    uniform = np.full(len(ids), budget // len(ids))
    oracle = ca.allocate(hindsight_curves(split, ids), budget).tokens
    ours = ca.allocate(curves, budget).tokens
    return tuple(held_out_accuracy(split, ids, caps) for caps in (ours, uniform, oracle))


def gain_of(rollouts: Columns, family: str, swap: bool) -> float:
    """Mean captured gain over the budgets; NaN where the oracle gains nothing at any of them."""
    split = split_by_parity(rollouts)
    if swap:
        split = Split(split.scoring, split.fitting, split.ids)
    fitted = ca.fit(split.fitting, family=family)
    used = rollouts["tokens"].mean() * len(fitted.ids)
    gains = []
    for share in BUDGETS:
        ours, uniform, oracle = captured(split, fitted.curves, fitted.ids, int(share * used))
        if oracle > uniform:
            gains.append((ours - uniform) / (oracle - uniform))
    return float(np.mean(gains)) if gains else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rollouts", type=Path, default=ROLLOUTS)
    parser.add_argument("--family", nargs="+", default=FAMILIES)
    parser.add_argument("--swap", action="store_true", help="fit on the even samples, score on the odd ones")
    chosen = parser.parse_args()
    data = dict(configurations(chosen.rollouts))
    width = max(len(name) for name in [*data, "mean"])
    print(" " * width, *(f"{family:>17}" for family in chosen.family))
    table = []
    for name, rollouts in data.items():
        table.append([gain_of(rollouts, family, chosen.swap) for family in chosen.family])
        print(f"{name:<{width}}", *(f"{gain:17.3f}" for gain in table[-1]), flush=True)
    print(f"{'mean':<{width}}", *(f"{gain:17.3f}" for gain in np.nanmean(table, axis=0)))


if __name__ == "__main__":
    main()
