"""Every policy in a sentence: what it does, never how well."""

from __future__ import annotations

__all__ = ["NOTES"]

NOTES = {
    "uniform": "one cap for everybody",
    "proportional": "caps in proportion to the query's median length",
    "random order": "queries in random order, each with what nine in ten of its completions need, while it lasts",
    "tier router": "five tiers by median length, a fixed cap each, scaled to the budget",
    "greedy marginal": "the next small block of tokens to whoever gains most by it, again and again",
    "cutoff plus pad": "shortest first, each its threshold and one pad for all, tuned on the fitted curves",
    "CLEAR": "the paper's method; our thresholds, one height and one width for all, tuned on learning samples",
    "CLEAR, hump as marginal": "the same with the paper's hump read as the slope of the utility",
    "CLEAR, paper's fit": "CLEAR with the paper's least squares on histograms of lengths, as far as it is known",
    "CLEAR, best width in hindsight": "the same with the width that scores best on the very samples that score it",
    "best value first": "each query at the cap where a token buys most on average, the best value first",
    "CLEAR + repair": "CLEAR's curves, allocated by this package: the funded set repaired, leftovers spent",
    "CLEAR + repair + shape": "log-normal curves with a median and a spread per query, one solvability for all",
    "ours": "log-normal curves with a solvability of each query's own",
    "ours, chosen": "the curve family, or uniform, that does best on fitting samples set aside; the headline policy",
    "ours, shifted surge": "ours with the paper's curve, each query its own",
    "ours, cumulative surge": "ours with the integral of the paper's curve",
    "ours, empirical": "ours with the observed arrivals themselves as curves",
    "ours, knowing its error": "ours, told how far off predictions are",
    "oracle": "the same allocator on the very samples that score: nobody can know them",
    "uniform, unused returned": "one cap for everybody, unused tokens handed on until all are spent, in hindsight",
    "ours, expected": "ours, charged expected use",
    "ours, expected, cumulative surge": "its cumulative surge, charged expected use",
    "ours, expected, empirical": "its empirical curves, charged expected use",
    "ours, expected, chosen": "ours, chosen, charged expected use; given less where samples set aside overspent",
    "ours, expected, knowing its error": "told how far off predictions are, charged expected use",
    "oracle, expected": "the oracle, charged the use that really happens",
    "SLSQP": "scipy's general optimiser on the same curves, from a uniform start",
    "price-contour": "a pricing library: 40 caps per query, one Lagrange multiplier",
}
