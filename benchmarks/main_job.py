"""The main job: real rollouts -> curves -> one price -> caps, scored on rollouts that the fit has not seen.

    python -m benchmarks.main_job

Prints one table and writes out/allocation.jsonl and out/curves.png.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import clear_alloc as ca
from benchmarks.scoring import Split, held_out_accuracy, hindsight_curves, split_by_parity
from clear_alloc.files import write_caps
from clear_alloc.plots import plot_curves

HERE = Path(__file__).resolve().parent.parent
ROLLOUTS = HERE / "data" / "gemma3-270m.parquet"
OUT = HERE / "out"

BUDGETS = {"scarce": 0.2, "middle": 0.5, "ample": 1.0, "lavish": 2.0}  # shares of the tokens used when uncapped
SHOWN = "scarce"  # the budget whose caps and plot are written
POLICIES: dict[str, Callable[..., ca.Allocation]] = {
    "uniform": ca.uniform,
    "cutoff plus pad": ca.cutoff_plus_pad,
    "clear_alloc": ca.allocate,
}


def load(path: Path = ROLLOUTS) -> dict[str, np.ndarray]:
    """The rollouts as columns; the hit cap is kept, so that a stopped rollout is never counted as a length."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["query_id", "sample", "tokens", "correct", "cap"])
    return {name: table[name].to_numpy() for name in table.column_names}


def rows_of(split: Split, fitted: ca.Fitted, share: float, regime: str) -> list[list[str]]:
    """One table row per policy at one budget, the oracle last."""
    n = len(fitted.ids)
    budget = int(share * split.scoring["tokens"].mean() * n)
    results = {name: policy(fitted.curves, budget, ids=fitted.ids) for name, policy in POLICIES.items()}
    results["oracle"] = ca.allocate(hindsight_curves(split, fitted.ids), budget, ids=fitted.ids)
    rows = []
    for name, result in results.items():
        result.audit()
        accuracy = held_out_accuracy(split, fitted.ids, result.tokens)
        known = name != "oracle"
        rows.append(
            [
                f"{regime} ({share:.0%})",
                f"{budget / n:.1f}",
                name,
                f"{accuracy:.3f}",
                f"{result.utility / n:.3f}" if known else "",
                f"{result.spent / n:.1f}",
                f"{result.funded.mean():.0%}",
                "" if np.isnan(result.price) else f"{result.price:.5f}",
                f"{result.gap:.1e}",
            ]
        )
    return rows


def table_lines(header: list[str], rows: list[list[str]]) -> list[str]:
    """The table line by line; README shows the same lines."""
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]
    lines = []
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = zip(row, widths, strict=True)
        aligned = [cell.ljust(w) if k in (0, 2) else cell.rjust(w) for k, (cell, w) in enumerate(cells)]
        lines.append("  ".join(aligned).rstrip())
        if row[2] == "oracle":
            lines.append("")
    return lines


HEADER = [
    "budget (of uncapped use)",
    "tokens/query",
    "policy",
    "accuracy",
    "predicted",
    "granted/query",
    "funded",
    "price/token",
    "gap",
]


def table() -> tuple[list[str], Split, ca.Fitted]:
    """The lines of the table, and what they were made from."""
    split = split_by_parity(load())
    fitted = ca.fit(split.fitting)
    rows = [row for regime, share in BUDGETS.items() for row in rows_of(split, fitted, share, regime)]
    return table_lines(HEADER, rows), split, fitted


def main() -> None:
    lines, split, fitted = table()
    used, n = split.scoring["tokens"].mean(), len(fitted.ids)
    print(f"{n} questions, Gemma 3 270M; curves from 8 rollouts each, accuracy from 8 others.")
    print(f"Uncapped, a question uses {used:.1f} tokens and {split.scoring['correct'].mean():.3f} are right.\n")
    print("\n".join(lines))
    OUT.mkdir(exist_ok=True)
    shown = ca.allocate(fitted.curves, int(BUDGETS[SHOWN] * used * n), ids=fitted.ids)
    write_caps(OUT / "allocation.jsonl", shown, fitted.ids)
    plot_curves(fitted.curves, shown, OUT / "curves.png")
    print("accuracy: held-out share right within the cap; predicted: the fitted curves' own promise;")
    print(f"gap: at most this many right answers, of {n}, are lost to the best caps for these curves.")
    print(f"wrote out/allocation.jsonl and out/curves.png (the {SHOWN} budget)")


if __name__ == "__main__":
    main()
