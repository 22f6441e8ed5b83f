"""Rollouts set aside, scored one after another: what `choose` is held against."""

from functools import cache

import numpy as np

import clear_alloc as ca


@cache
def table(seed, queries=6, most=6, weights=False, stopped=False):
    """Rollouts in mixed order; the last query has one, the others two to `most`."""
    rng = np.random.default_rng(seed)
    times = rng.integers(2, most + 1, queries)
    times[-1] = 1
    query = rng.permutation(np.repeat(np.arange(queries), times))
    scale, chance = np.exp(rng.normal(6.0, 0.7, queries)), rng.uniform(0.3, 1.0, queries)
    length = np.ceil(scale[query] * np.exp(rng.normal(0.0, 0.4, len(query))))
    right = rng.random(len(query)) < chance[query]
    columns = {"query_id": [f"q{number}" for number in query], "tokens": length, "correct": right}
    if weights:
        columns["weight"] = rng.uniform(0.5, 3.0, queries)[query]
    if stopped:
        cap = np.where(
            rng.random(len(query)) < 0.5, np.ceil(scale[query] * rng.uniform(0.7, 2.0, len(query))), np.nan
        )
        hit = length > np.where(np.isnan(cap), np.inf, cap)
        columns |= {"tokens": np.where(hit, cap, length), "correct": right & ~hit, "cap": cap}
    return {name: np.asarray(column) for name, column in columns.items()}


def memoryless(seed, queries=200, each=8, chance=0.7):
    """Queries that are all alike, with exponential lengths: no family of curves has that shape."""
    rng = np.random.default_rng(seed)
    tokens = np.ceil(rng.exponential(1000.0, queries * each))
    query = np.repeat(np.arange(queries), each)
    return {"query_id": query, "tokens": tokens, "correct": rng.random(len(query)) < chance}


def use(columns):
    return float(np.bincount(np.unique(columns["query_id"], return_inverse=True)[1], columns["tokens"]).sum())


def ordered(columns):
    return list(dict.fromkeys(columns["query_id"].tolist()))


FITS = {}


def fit_on(columns, kept, family):
    """`ca.fit` on some rows; every table is kept, so that it has its id for good."""
    key = id(columns), tuple(kept), family
    if key not in FITS:
        FITS[key] = columns, ca.fit({name: values[list(kept)] for name, values in columns.items()}, family)
    return FITS[key][1]


def hand_dealt(columns, folds):
    """Row numbers of each fold, one rollout at a time."""
    rows = {}
    for row, query in enumerate(columns["query_id"].tolist()):
        rows.setdefault(query, []).append(row)
    dealt = [[] for _ in range(folds)]
    for own in rows.values():
        for rank, row in enumerate(own):
            if len(own) > 1:
                dealt[rank % folds].append(row)
    return [fold for fold in dealt if fold] or [[]]


def scored_by_hand(columns, name, first, budget, folds, queries, rate=1.0, call=0.0, **terms):
    """Value, charge, rollouts and margin of one candidate, one set-aside rollout after another."""
    family, act = (first, ca.uniform) if name == "uniform" else (name, ca.allocate)
    ids, dealt = ordered(columns), hand_dealt(columns, folds)
    price = {"rate": rate, "call": call} if (rate, call) != (1.0, 0.0) else {}
    right, charges, granted = ({q: [] for q in queries} for _ in range(3))
    margins = []
    for fold in dealt:
        kept = [row for row in range(len(columns["tokens"])) if row not in set(fold)]
        fitted = fit_on(columns, kept, family)
        assert set(fitted.ids) == set(ids)
        curves = fitted.curves[[fitted.ids.index(q) for q in queries]]
        result = act(curves, budget, **price, **terms)
        margins.append(result.margin)
        caps = dict(zip(queries, result.tokens.tolist(), strict=True))
        for q, charge in zip(queries, result.charges.tolist(), strict=True):
            granted[q].append(charge)
        for row in fold:
            q, tokens = columns["query_id"][row].item(), columns["tokens"][row]
            if q in caps:
                right[q].append(bool(columns["correct"][row]) and tokens <= caps[q])
                burned = min(tokens, caps[q])
                charges[q].append(rate * burned + (call if caps[q] > 0 else 0.0))
    weight = dict(
        zip(columns["query_id"].tolist(), columns.get("weight", np.ones(len(columns["tokens"]))), strict=True)
    )
    value = sum(weight[q] * sum(right[q]) / len(right[q]) for q in queries if right[q])
    expected = terms.get("accounting") == "expected"
    charged = sum(np.mean(charges[q] if expected and charges[q] else granted[q]) for q in queries)
    return value, charged, sum(map(len, right.values())), np.mean(margins)


def kept_rows(columns, folds):
    every = np.arange(len(columns["tokens"]))
    return [np.setdiff1d(every, fold).tolist() for fold in hand_dealt(columns, folds)]
