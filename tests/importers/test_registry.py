"""The importers by name."""

from __future__ import annotations

import pytest

import clear_alloc as ca
from clear_alloc import files
from clear_alloc.importers import IMPORTERS


def test_every_importer_has_one_result_and_refuses_foreign_options(tmp_path):
    assert set(IMPORTERS) == {"table", "inspect", "lm-eval", "openai-batch", "anthropic-batch"}
    path = tmp_path / "t.csv"
    files.write_columns(path, {"query_id": ["a"], "tokens": [1], "correct": [1]})
    assert isinstance(IMPORTERS["table"](path, {}), files.RolloutTable)
    with pytest.raises(
        ca.InvalidArgument, match="the option is 'scores'; allowed: options of this importer: columns"
    ):
        IMPORTERS["table"](path, {"scores": "x"})
    with pytest.raises(ca.InvalidArgument, match="option cap is 'many'; allowed: a number"):
        IMPORTERS["openai-batch"](path, {"scores": "x", "cap": "many"})
    with pytest.raises(ca.InvalidArgument, match="scores is None"):
        IMPORTERS["anthropic-batch"](path, {})
