"""One row per policy and budget, failures too: what is in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """Where a row was made.

    experiment : scarcity, paper, noise, spending, peers or replay. stream : or the configuration that is replayed.
    seed : of the draw; of a replay, 0 where odd samples are fitted and 1 where even ones are. queries : how many.
    level : the budget as a share of the uncapped use or, of the paper's experiment, in tokens per query. noise :
    error of the predicted lengths, 0.5 for 50 %. policy : its name. charged : what its budget counts, reserved caps
    or expected use. budget : token, for all queries.
    """

    experiment: str
    stream: str
    seed: int
    queries: int
    level: float
    noise: float
    policy: str
    charged: str
    budget: int


@dataclass(frozen=True)
class Row(Setting):
    """What came of it; None where there is nothing to tell, and everywhere if the policy raised `error`.

    accuracy : share right of the scoring samples. granted, burned : token per query, caps and what samples use under
    them. abandoned : share of queries without tokens. promised : share right by the policy's own estimate. price :
    value per token. gap : its certificate, share right. uncapped : token per query, if nothing is stopped. fullest :
    the largest share of its budget that a window burned; most streams have one window.
    """

    accuracy: float | None = None
    granted: float | None = None
    burned: float | None = None
    abandoned: float | None = None
    promised: float | None = None
    price: float | None = None
    gap: float | None = None
    uncapped: float | None = None
    fullest: float | None = None
    error: str | None = None
