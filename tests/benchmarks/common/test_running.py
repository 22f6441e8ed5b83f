"""Whatever raises becomes a row; who stops a run is obeyed."""

from __future__ import annotations

import pytest

from benchmarks.common.running import attempted, error_line


def test_an_error_is_a_line_of_its_own_without_folders():
    def fail():
        raise ValueError("no /shelf/books/x.npy,\n nor 'C:\\Shelf\\y.npy' but 3/4 of https://example.org/a/b")

    assert attempted(fail, str.upper) == ("VALUEERROR: NO X.NPY, NOR 'Y.NPY' BUT 3/4 OF HTTPS://EXAMPLE.ORG/A/B")
    assert attempted(lambda: 3, str.upper) == 3
    assert error_line(KeyError()) == "KeyError: "


def test_a_stop_from_outside_passes():
    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempted(stopped, str)
