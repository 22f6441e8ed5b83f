"""Benchmarks of the package: policies compared, captured gain, effort levels, speed."""

import os

# One thread for linear algebra, set before numpy is loaded: more of them get in the way of several processes, and the
# order in which they add would not be the same everywhere. What is set already stays.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
