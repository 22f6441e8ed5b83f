"""The tests mirror the package: each module has a test file of its name in the folder of its package."""

from __future__ import annotations

import ast
from pathlib import Path

from support.package_tree import INSIDE, PACKAGE

TESTS = Path(__file__).parents[1]
# Modules that have no test file yet. A module with one has to leave the list, which shrinks to nothing.
MISSING = {
    "cli/entry",
    "cli/reading",
    "cli/reports",
    "cli/show",
    "cli/tables",
    "columns/ids",
    "curves/charged",
    "curves/cumulative_surge",
    "curves/envelope",
    "curves/lognormal",
    "curves/menu",
    "curves/mixed",
    "curves/shifted_surge",
    "curves/special/lambert_w",
    "curves/tangent",
    "errors",
    "files/atomic",
    "files/caps",
    "files/curve_file",
    "files/group_file",
    "files/judged",
    "files/rollouts",
    "files/unique_ids",
    "fit/families",
    "fit/models/arrival_shape",
    "fit/models/beta_binomial",
    "fit/models/censored_quadrature",
    "fit/models/lognormal_em",
    "fit/models/paper_histogram",
    "fit/report",
    "fit/scores",
    "importers/anthropic_batch",
    "importers/batches",
    "importers/lm_eval",
    "importers/openai_batch",
    "importers/registry",
    "importers/table",
    "schema/bulk",
    "schema/kinds",
    "schema/refusing",
    "schema/rows",
    "selection/folds",
    "selection/holdout",
    "support/lazy",
    "support/optional",
    "support/parallel",
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
