"""From a market and a pool to caps: price, round, repair, certify."""
