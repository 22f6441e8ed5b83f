"""Shifting and stretching a curve moves its caps and does nothing else to its shape."""

from __future__ import annotations

import numpy as np
import pytest

import clear_alloc as ca

Y = np.concatenate([[-1.0], np.arange(0, 80) / 64, np.arange(2.0, 40.0)])[:, None]  # exact under powers of two
every_family = pytest.mark.parametrize("family", [ca.ShiftedSurge, ca.CumulativeSurge])


@every_family
def test_every_curve_is_its_family_s_shape(family):
    threshold, width = np.array([64.0, 1024, 2**30]), np.array([0.5, 16, 2.0**20])
    curves, shape = family(threshold, width, 0.75, [1, 2, 4]), family(0, 1, 0.75)
    caps, height = threshold + width * Y, np.array([1, 2, 4])
    np.testing.assert_allclose(curves.utility(caps), height * shape.utility(Y), rtol=1e-14)
    np.testing.assert_allclose(curves.marginal(caps), height / width * shape.marginal(Y), rtol=1e-14)
    np.testing.assert_allclose(curves.answer_survival(caps), shape.answer_survival(Y) * np.ones(3), rtol=1e-14)
    np.testing.assert_allclose(curves.ceiling, threshold + width * shape.ceiling, rtol=1e-15)
    np.testing.assert_allclose(curves.concave_from, threshold + width * shape.concave_from, rtol=1e-15)
    price = 0.1 * np.array([1.0, 0.3, 1e-3])[:, None]
    found = (curves.inverse_marginal(price * height / width) - threshold) / width
    np.testing.assert_allclose(found, shape.inverse_marginal(price) * np.ones(3), rtol=1e-8)
    np.testing.assert_array_equal(curves.emergence, threshold)


@every_family
def test_an_answer_leaves_the_curve_and_the_caps_as_they_were(family):
    """The shapes work in the arrays that they are given: none of them may be the caller's or a cached one."""
    curves, caps = family([10.0, 20.0], [5.0, 8.0], 0.5), np.array([12.0, 90.0])
    asks = (curves.utility, curves.marginal, curves.answer_survival, curves.inverse_marginal)
    first = [curves.break_even.copy(), curves.reservation_price().copy(), *(ask(caps).copy() for ask in asks)]
    again = [curves.break_even, curves.reservation_price(), *(ask(caps) for ask in asks)]
    assert caps.tolist() == [12.0, 90.0]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


@every_family
@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ((-1, 5, 0.5), r"threshold\[0\] is -1.0"),
        ((0, 0, 0.5), r"width\[0\] is 0.0"),
        ((2.0**40, 1e-9, 0.5), r"width\[0\] is 1e-09"),
        ((0, 5, [0.5, 1.5]), r"(peak|solvability)\[1\] is 1.5"),
        ((0, 5, 0), r"(peak|solvability)\[0\] is 0.0"),
    ],
)
def test_what_is_no_curve_is_refused(family, columns, error):
    with pytest.raises(ca.InvalidArgument, match=error):
        family(*columns)
