"""What is run: experiments, cut into cases that can be run in any order, each a stream and a seed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import paper
from benchmarks.batch import Batch, Caps, Known
from benchmarks.captured_gain import configurations
from benchmarks.common.running import attempted
from benchmarks.policies import LADDER, POLICIES, installed
from benchmarks.rows import Row, Setting
from benchmarks.scoring import Split, held_out_accuracy, held_out_use, split_by_parity
from benchmarks.streams import STREAMS, rollouts_of

QUERIES = 500
FEW = 100  # queries where a peer's time grows with their cube
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)  # of the tokens of uncapped runs
ERRORS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)  # of predicted lengths: a factor of 1 + error at one standard deviation

LOTS = 1_001  # beside the seed: not what streams use, nor policies

_SLOW = ("SLSQP", "price-contour")
_TOLD = ("ours, knowing its error", "ours, expected, knowing its error")
# A margin takes time, and `chosen` tries it dozens of times: an experiment of their own, with fewer seeds.
_DEAR = ("ours, expected, cumulative surge", "ours, expected, empirical", "ours, expected, chosen")
_PEERS = ("uniform", "greedy marginal", "best value first", "SLSQP", "price-contour", "ours", "oracle")


class Experiment(NamedTuple):
    """levels : budgets, as `Setting.level`. seeds, queries : of the full run."""

    levels: tuple[float, ...]
    policies: tuple[str, ...]
    streams: tuple[str, ...]
    seeds: int = 20
    queries: int = QUERIES
    errors: tuple[float, ...] = (0.0,)


EXPERIMENTS = {
    "scarcity": Experiment(
        SHARES, tuple(name for name in POLICIES if name not in (*_SLOW, *_TOLD, *_DEAR)), tuple(STREAMS)
    ),
    "paper": Experiment(
        tuple(map(float, paper.BUDGETS)),
        ("uniform", *LADDER, "CLEAR, best width in hindsight", "ours, chosen", "oracle", "oracle, expected"),
        paper.STREAMS,
    ),
    "noise": Experiment(
        (0.1, 0.3),
        (
            "uniform",
            "proportional",
            "tier router",
            "cutoff plus pad",
            "CLEAR",
            "CLEAR, best width in hindsight",
            "ours",
            *_TOLD,
            "oracle",
        ),
        paper.STREAMS,
        errors=ERRORS,
    ),
    "spending": Experiment(
        (0.1, 0.3, 0.75),
        (
            "uniform, unused returned",
            "ours, expected",
            *_DEAR,
            "oracle, expected",
        ),
        tuple(name for name in STREAMS if name != "Bursty"),  # whose windows are each a budget: ten times the time
        seeds=5,
    ),
    "peers": Experiment((0.05, 0.1, 0.2, 0.5), _PEERS, paper.STREAMS, seeds=5, queries=FEW),
    "replay": Experiment(SHARES, tuple(name for name in POLICIES if name not in (*_SLOW, *_TOLD)), (), seeds=2),
}


class Case(NamedTuple):
    """One stream and seed of an experiment. levels : budgets to run. rollouts : the file that is replayed."""

    experiment: str
    stream: str
    seed: int
    levels: tuple[float, ...]
    rollouts: str | None = None

    @property
    def name(self) -> str:
        """Good for a file's name."""
        plain = "".join(letter if letter.isalnum() else "_" for letter in self.stream)
        return f"{self.experiment}-{plain}-{self.seed:03d}"


class Drawn(NamedTuple):
    """A case's queries: the rollouts, and the window each query falls in, (n,)."""

    split: Split
    window: np.ndarray


def cases_of(name: str, seeds: int | None, levels: tuple[float, ...] | None, rollouts: Path) -> Iterator[Case]:
    """The cases of an experiment; by default with the full run's seeds and budgets. Replays have two seeds."""
    plan = EXPERIMENTS[name]
    streams = tuple(dict(configurations(rollouts))) if name == "replay" else plan.streams
    asked = plan.seeds if seeds is None else seeds
    for stream in streams:
        for seed in range(asked if name != "replay" else min(asked, plan.seeds)):
            chosen = plan.levels if levels is None else tuple(level for level in plan.levels if level in levels)
            yield Case(name, stream, seed, chosen or plan.levels, str(rollouts) if name == "replay" else None)


def drawn_for(case: Case) -> Drawn:
    """Its rollouts. All of a stream's policies and budgets see the same, in every experiment of as many queries."""
    if case.rollouts is not None:
        split = split_by_parity(dict(configurations(Path(case.rollouts)))[case.stream])
        split = split.swapped() if case.seed else split
        return Drawn(split, np.zeros(len(split.ids), dtype=np.intp))
    rng = np.random.default_rng([case.seed, list(STREAMS).index(case.stream)])
    arrivals = STREAMS[case.stream].draw(rng, EXPERIMENTS[case.experiment].queries)
    return Drawn(rollouts_of(arrivals, rng), arrivals.window)


def run_case(case: Case) -> tuple[list[Row], dict[str, float]]:
    """The case's rows, and the seconds that each policy took, which are no part of them."""
    plan, (split, window) = EXPERIMENTS[case.experiment], drawn_for(case)
    fitted, n = Known(split), len(split.ids)
    uncapped = float(split.scoring["tokens"].mean())
    rows, seconds = [], dict.fromkeys(plan.policies, 0.0)
    for error in plan.errors:
        known = disturbed(fitted, error, case.seed)
        for level in case.levels:
            budget = int(n * level * (1.0 if case.experiment == "paper" else uncapped))
            for policy in filter(installed, plan.policies):
                charged = POLICIES[policy].charged
                setting = Setting(case.experiment, case.stream, case.seed, n, level, error, policy, charged, budget)
                start = time.perf_counter()
                rows.append(run_policy(setting, known, window, uncapped))
                seconds[policy] += time.perf_counter() - start
    return rows, seconds


def disturbed(known: Known, error: float, seed: int) -> Known:
    """Predicted lengths, off by a factor of 1 + error at one standard deviation; the same for all policies."""
    if error == 0.0:
        return known
    deviation = float(np.log1p(error))
    lots = np.random.default_rng([seed, LOTS]).standard_normal(len(known))
    return known.disturbed(np.exp(deviation * lots), deviation)


def run_policy(setting: Setting, known: Known, window: np.ndarray, uncapped: float) -> Row:
    """One policy at one budget, window by window; whatever it raises becomes a row."""
    answers = attempted(
        lambda: list(answered(setting, known, window)),
        lambda error: Row(**asdict(setting), uncapped=uncapped, error=error),
    )
    return answers if isinstance(answers, Row) else _scored(setting, known, answers, uncapped)


def _scored(setting: Setting, known: Known, answers: list[tuple[np.ndarray, Caps]], uncapped: float) -> Row:
    tokens = np.zeros(len(known), dtype=np.int64)
    for rows, caps in answers:
        tokens[rows] = caps.tokens
    promised, gap = (sum(getattr(caps, name) for _, caps in answers) / len(known) for name in ("promised", "gap"))
    return Row(
        **asdict(setting),
        accuracy=held_out_accuracy(known.split, known.split.ids, tokens),
        granted=float(tokens.mean()),
        burned=held_out_use(known.split, known.split.ids, tokens),
        abandoned=float((tokens == 0).mean()),
        promised=_known(promised),
        price=_known(answers[0][1].price) if len(answers) == 1 else None,
        gap=_known(gap),
        uncapped=uncapped,
        fullest=_fullest(setting, known, answers),
    )


def _fullest(setting: Setting, known: Known, answers: list[tuple[np.ndarray, Caps]]) -> float | None:
    budget = setting.budget // len(answers)
    if not budget:
        return None
    splits = ((Batch(known, rows).split, caps) for rows, caps in answers)
    return max(held_out_use(split, split.ids, caps.tokens) * len(split.ids) / budget for split, caps in splits)


def answered(setting: Setting, known: Known, window: np.ndarray) -> Iterator[tuple[np.ndarray, Caps]]:
    """Rows and caps of each window, judged: whole, none negative and, where caps are charged, within the budget."""
    act, windows = POLICIES[setting.policy].act, np.unique(window)
    budget = setting.budget // len(windows)
    for number in windows:
        rows = np.flatnonzero(window == number)
        caps = act(Batch(known, rows, setting.seed), budget)
        if caps.tokens.shape != rows.shape or caps.tokens.dtype != np.int64 or (caps.tokens < 0).any():
            raise ValueError(f"caps of {caps.tokens.shape} {caps.tokens.dtype}, allowed: {rows.shape} int64, >= 0")
        if setting.charged == "reserved" and caps.tokens.sum() > budget:
            raise ValueError(f"caps of {caps.tokens.sum():,} tokens under a budget of {budget:,}")
        yield rows, caps


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
