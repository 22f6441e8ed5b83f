"""Moments of a censored median are the integrals that they stand for."""

import numpy as np
import pytest
from scipy import integrate, stats

from clear_alloc.fit.models.censored_quadrature import Caps, censored_moments


@pytest.mark.parametrize(
    ("mean", "precision", "spread", "caps", "times"),
    [
        (0.0, 4.0, 0.2, [0.1], [1]),
        (0.0, 2.0, 0.2, [1.5], [8]),
        (0.0, 0.5, 0.05, [2.0, 2.5], [3, 40]),
        (0.0, 100.0, 0.3, [-1.0, 0.0, 0.2], [1, 2, 3]),
        (0.0, 1.0, 0.1, [6.0], [1]),
    ],
)
def test_censored_moments_are_the_integrals(mean, precision, spread, caps, times):
    grid = np.linspace(-12.0, 20.0, 320_001)
    logs = stats.norm.logpdf(grid, mean, precision**-0.5)
    logs += sum(t * stats.norm.logsf((c - grid) / spread) for c, t in zip(caps, times, strict=True))
    density = np.exp(logs - logs.max())
    mass, first_moment = integrate.trapezoid([density, grid * density], grid)
    true_centre = first_moment / mass
    deviation = np.sqrt(integrate.trapezoid((grid - true_centre) ** 2 * density, grid) / mass)
    owner = np.zeros(len(caps), dtype=np.intp)
    first = np.zeros(1, dtype=np.intp)
    given_caps = Caps(first, first, owner, np.asarray(caps), np.asarray(times, dtype=float))
    event, centre, variance = (
        float(v[0, 0]) for v in censored_moments(*(np.full((1, 1), x) for x in (mean, precision, spread)), given_caps)
    )
    assert event == pytest.approx(np.log(mass) + logs.max(), abs=0.01)
    assert centre == pytest.approx(true_centre, abs=0.02 * deviation)
    assert np.sqrt(variance) == pytest.approx(deviation, rel=0.02)
