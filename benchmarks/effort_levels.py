"""Which effort level each question gets, where one model was run at several: menus against one level and mixing.

    python -m benchmarks.effort_levels --rollouts PATH [PATH ...]

Configurations are named `model` or `model setting`; those of one model on the same questions are its levels. Every
level is fitted by itself on half of the samples (`ca.fit`, log-normal); a question's menu has one option per level:
its solvability, its mean length and the length's deviation. `ca.allocate` then chooses under expected accounting
without a margin (overrun 0.5), and the chosen level is run on the other half. Both directions, their mean.

ours      share right, and tokens really used as a share of the budget
single    the best level that all questions can have, whose real mean use fits the budget
mixing    the best random mix of two levels, one of which may be `not asked`, at the mean use that was really ours
oracle    the same allocator on the scoring samples' own shares and mean lengths
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import clear_alloc as ca
from benchmarks.captured_gain import configurations
from benchmarks.scoring import Columns, Split, split_by_parity

BUDGETS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0)  # of the mean tokens of the dearest level
MIXED = 0.24  # one more budget: where mixing gets so much right
COLUMNS = ("tokens/question", "ours", "spent", "single", "mixing", "oracle")

Array = npt.NDArray[np.float64]


class Held(NamedTuple):
    """Scoring samples: mean tokens and share right of each question at each level, shape (questions, levels)."""

    tokens: Array
    right: Array

    def run(self, choice: npt.NDArray[np.intp]) -> tuple[float, float]:
        """Mean tokens used and share right if every question is run at its chosen level; -1 is not asked."""
        rows, asked = np.arange(len(choice)), choice >= 0
        tokens, right = (np.where(asked, column[rows, choice], 0.0).mean() for column in self)
        return float(tokens), float(right)

    def single(self, budget: float) -> float:
        """Share right of the best level whose mean use fits a budget per question; 0 if none does."""
        fits = self.tokens.mean(axis=0) <= budget
        return float(np.where(fits, self.right.mean(axis=0), 0.0).max())

    def mixing(self, budget: float) -> float:
        """Share right of the best random mix of two levels at a mean use of at most `budget`."""
        means = zip(self.tokens.mean(axis=0), self.right.mean(axis=0), strict=True)
        levels = sorted([(0.0, 0.0), *means])
        best = max(right for tokens, right in levels if tokens <= budget)
        for (low, less), (high, more) in combinations(levels, 2):
            if low <= budget < high:
                best = max(best, less + (more - less) * (budget - low) / (high - low))
        return float(best)


def models(path: Path) -> dict[str, dict[str, Columns]]:
    """Rollouts by model and level, cheapest level first; models run at one level only are left out."""
    found: dict[str, dict[str, Columns]] = {}
    for name, rollouts in configurations(path):
        model, _, level = name.partition(" ")
        found.setdefault(model, {})[level or "plain"] = rollouts
    several = {model: levels for model, levels in found.items() if len(levels) > 1}
    for model, levels in several.items():
        several[model] = dict(sorted(levels.items(), key=lambda item: item[1]["tokens"].mean()))
    return several


def held_of(splits: list[Split], questions: list[str]) -> Held:
    """The scoring samples' means."""
    row_of = {question: row for row, question in enumerate(questions)}
    columns = []
    for split in splits:
        rows = np.array([row_of[question] for question in split.scoring["query_id"].tolist()])
        samples = np.bincount(rows)
        columns.append([np.bincount(rows, split.scoring[name]) / samples for name in ("tokens", "correct")])
    return Held(*np.stack(columns, axis=-1))


def compared(splits: list[Split], budgets: list[float]) -> Array:
    """One row per budget per question, its columns those of COLUMNS."""
    fits = {f"level {place}": ca.fit(split.fitting) for place, split in enumerate(splits)}
    menu, questions, _ = ca.menu_of_levels(fits)
    held = held_of(splits, questions)
    hindsight, table = ca.Menu(held.tokens, held.right), []
    for budget in budgets:
        ours, oracle = (
            ca.allocate(known, budget * len(questions), accounting="expected", overrun=0.5).choice
            for known in (menu, hindsight)
        )
        used, accuracy = held.run(ours)
        others = [held.single(budget), held.mixing(used), held.run(oracle)[1]]
        table.append([budget, accuracy, used / budget, *others])
    return np.array(table)


def budgets_of(levels: dict[str, Columns]) -> list[float]:
    """Tokens per question: shares of the dearest level's mean, and where mixing gets MIXED right."""
    every = Held(*(np.array([[r[name].mean() for r in levels.values()]]) for name in ("tokens", "correct")))
    dearest = every.tokens.max()
    grid = np.linspace(0.0, dearest, 20_001)
    mixed = grid[np.searchsorted([every.mixing(budget) for budget in grid], MIXED)]
    return sorted([*(share * dearest for share in BUDGETS), float(mixed)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rollouts", type=Path, nargs="+", required=True)
    for path in parser.parse_args().rollouts:
        for model, levels in models(path).items():
            odd = [split_by_parity(rollouts) for rollouts in levels.values()]
            budgets = budgets_of(levels)
            table = np.mean([compared(odd, budgets), compared([s.swapped() for s in odd], budgets)], axis=0)
            print(f"{path.stem}: {model}, {len(odd[0].ids)} questions")
            for level, rollouts in levels.items():
                tokens, right = rollouts["tokens"].mean(), rollouts["correct"].mean()
                print(f"  {level}: {right:.3f} right at {tokens:,.0f} tokens")
            print("".join(f"{column:>16}" if not place else f"{column:>9}" for place, column in enumerate(COLUMNS)))
            for row in table:
                print(f"{row[0]:16,.0f}" + "".join(f"{value:9.3f}" for value in row[1:]))
            print()


if __name__ == "__main__":
    main()
