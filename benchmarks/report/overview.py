"""What was run, how far it is the full run, and what failed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmarks.common.markdown import listed, one_line, table
from benchmarks.experiments import EXPERIMENTS
from benchmarks.main_job import ROLLOUTS
from benchmarks.policies import POLICIES
from benchmarks.report.names import NOTES
from benchmarks.report.results import Results
from benchmarks.streams import STREAMS
from benchmarks.streams.named import FITTING

_HEAD = ("experiment", "streams", "budgets", "seeds", "queries", "policies", "rows", "failures")


def ran(results: Results) -> dict[str, Any]:
    """Where the rows come from and how many there are."""
    names = list(dict.fromkeys(row.experiment for row in results.rows))
    replayed = [stream for stream in results.streams("replay") if stream != ROLLOUTS.stem]
    notes = [(name, stream.note) for name, stream in STREAMS.items() if name in {row.stream for row in results.rows}]
    return {
        **{
            key: one_line(str(results.where.get(key) or "unknown"))
            for key in ("commit", "code", "machine", "versions")
        },
        "dirty": bool(results.where.get("dirty")),
        "rows": len(results.rows),
        "table": table(_HEAD, [_experiment(results, name) for name in names]),
        "reduced": any(_reduced(results, name) for name in names if name in EXPERIMENTS),
        "missing": listed(name for name in EXPERIMENTS if name not in names),
        "streams": table(("stream", "what it is"), notes, left=2),
        "command": "python -m benchmarks run" + (" --rollouts FILE" if replayed else ""),
        "learnt": FITTING,
        "one_seed": results.seeds("scarcity", "paper") == 1,
    }


def _experiment(results: Results, name: str) -> list[str]:
    """How much of the experiment was run, of how much there is."""
    rows = [row for row in results.rows if row.experiment == name]
    plan = EXPERIMENTS.get(name)
    got = [len({getattr(row, what) for row in rows}) for what in ("stream", "level", "seed", "policy")]
    whole = [len(plan.streams), len(plan.levels), plan.seeds, len(plan.policies)] if plan else got
    parts = [f"{mine} of {every}" if mine < every else f"{mine}" for mine, every in zip(got, whole, strict=True)]
    queries = listed(str(count) for count in sorted({row.queries for row in rows}))
    failures = sum(row.error is not None for row in rows)
    return [one_line(name), *parts[:3], queries, parts[3], f"{len(rows):,}", f"{failures:,}"]


def _reduced(results: Results, name: str) -> bool:
    rows, plan = [row for row in results.rows if row.experiment == name], EXPERIMENTS[name]
    return len({row.seed for row in rows}) < plan.seeds or len({row.level for row in rows}) < len(plan.levels)


def policies(results: Results) -> str:
    """Those that were run, in a sentence each."""
    names = list(dict.fromkeys(row.policy for row in results.rows))
    order = [name for name in POLICIES if name in names] + [name for name in names if name not in POLICIES]
    charged = {row.policy: row.charged for row in results.rows}
    return table(
        ("policy", "charged", "what it does"), [(name, charged[name], NOTES.get(name, "")) for name in order], left=3
    )


def failed(results: Results) -> str:
    """Rows with an error, by policy and message; empty if there are none."""
    counts = Counter((row.policy, row.experiment, row.error or "") for row in results.failures)
    rows = [
        [one_line(policy), experiment, str(count), one_line(text)]
        for (policy, experiment, text), count in counts.items()
    ]
    return table(("policy", "experiment", "rows", "message"), rows, left=2, prose=True) if rows else ""
