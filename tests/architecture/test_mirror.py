"""The tests mirror the package: each module has a test file of its name in the folder of its package."""

from __future__ import annotations

import ast
from pathlib import Path

from support.package_tree import INSIDE, PACKAGE

TESTS = Path(__file__).parents[1]
# Modules that have no test file yet. A module with one has to leave the list, which shrinks to nothing.
MISSING = {
    "fit/scores",
    "plots/calibration_plot",
    "plots/curve_plot",
    "plots/drawing",
    "plots/frontier_plot",
    "plots/traces",
    "support/optional",
}


def mirror_of(path):
    return TESTS / path.relative_to(PACKAGE).with_name(f"test_{path.name}")


def has_code(path):
    """Whether a module does anything; names of types and lists of words have nothing to be tested."""
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(path.read_text()).body)


MODULES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix(): path
    for path in INSIDE
    if path.stem != "__init__" and has_code(path)
}


def test_every_module_has_its_test_file():
    untested = {name for name, path in MODULES.items() if not mirror_of(path).exists()}
    assert not untested - MISSING, "write tests/<package>/test_<module>.py for these"
    assert not MISSING - untested, "these have a test file now or are gone: take them off the list MISSING"
