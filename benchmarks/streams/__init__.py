"""Simulated queries: pools calibrated to the paper's figures, and the streams made of them."""

from benchmarks.streams.named import MIXTURES, POOLS, STREAMS, Arrivals, Stream, rollouts_of

__all__ = ["MIXTURES", "POOLS", "STREAMS", "Arrivals", "Stream", "rollouts_of"]
