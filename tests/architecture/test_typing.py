"""README's own calls, typed as a user types them, pass the strict checkers."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import clear_alloc as ca

PACKAGE = Path(ca.__file__).parent
SCRIPT = '''
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

import clear_alloc as ca

rollouts: dict[str, list[Any]] = {"query_id": ["a"] * 4, "tokens": [310, 290, 350, 330], "correct": [1, 1, 1, 0]}
fitted = ca.fit(rollouts)
result = ca.allocate(fitted.curves, budget=2500, ids=fitted.ids)
caps: npt.NDArray[np.int64] = result.tokens
result.audit()

queries = [
    ca.Query(id="easy", family="shifted_surge", threshold=900, width=250, peak=0.8),
    ca.Query(id="hard", family="lognormal", median=6000, spread=0.5, solvability=0.4),
]
family: Literal["shifted_surge", "cumulative_surge", "lognormal", "menu"] = queries[0].family
ca.allocate(queries, 2650)
ca.allocate([ca.Query(id="effort", family="menu", costs=[200, 1500], values=[0.3, 0.7])], 2650, max_tokens=8000)
ca.allocate(tuple(queries), budget=2650)


class Request:
    """A query of the user's own, whose family nobody may change."""

    @property
    def family(self) -> str:
        return "shifted_surge"

    def curve_parameters(self) -> dict[str, Any]:
        return {"threshold": 900.0, "width": 250.0, "peak": 0.8}


def tokens_of(requests: Sequence[Request], budget: float) -> list[int]:
    return [int(cap) for cap in ca.allocate(requests, budget).tokens]


print(tokens_of([Request()], 2650), caps, family)
'''


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "basedpyright", "pyright"])
def test_a_typed_script_of_a_user_passes(tmp_path, checker):
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    (tmp_path / "script.py").write_text(SCRIPT)
    words = {"mypy": ["--strict", "--cache-dir", str(tmp_path / "cache")], "basedpyright": ["--level", "error"]}
    # The checkers read the package beside the script, as they read an installed one.
    (tmp_path / PACKAGE.name).symlink_to(PACKAGE)
    run = [sys.executable, "-m", checker, *words.get(checker, []), "script.py"]
    shown = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert shown.returncode == 0, shown.stdout + shown.stderr


def test_the_script_runs():
    names: dict[str, object] = {}
    exec(compile(SCRIPT, "script.py", "exec"), names)  # noqa: S102 - our own text
    assert "ca" in names
