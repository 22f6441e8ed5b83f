"""Every policy and stream is described."""

from __future__ import annotations

from pathlib import Path

import benchmarks
from benchmarks.policies import POLICIES
from benchmarks.report.names import NOTES
from benchmarks.streams import STREAMS


def test_every_policy_and_stream_is_described():
    assert NOTES.keys() == POLICIES.keys()
    assert all(stream.note for stream in STREAMS.values())
    readme = (Path(benchmarks.__file__).parents[1] / "README.md").read_text()
    assert f"compares {len(POLICIES)} policies on ten simulated streams" in readme
    assert len(STREAMS) == 10
