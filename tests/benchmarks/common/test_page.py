"""A page is its template filled in, and its pictures lie beside it."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from benchmarks.common.page import rendered, write_page


def test_what_a_condition_leaves_out_leaves_no_gap(tmp_path):
    template = tmp_path / "page.md.j2"
    template.write_text("\n# {{ title }}  \n\n{% if told %}\n{{ told }}\n\n{% endif %}\n\n\nThe end.\n\n")
    assert rendered(template, title="A", told="") == "# A\n\nThe end.\n"
    assert rendered(template, title="A", told="So.") == "# A\n\nSo.\n\nThe end.\n"
    with pytest.raises(UndefinedError, match="told"):
        rendered(template, title="A")


def test_pictures_lie_in_a_folder_of_the_page_s_name(tmp_path):
    page = tmp_path / "docs here" / "results.md"
    written = write_page(page, {"one": b"1", "two": b"2"}, lambda folder: f"![]({folder}one.png)")
    assert page.read_text() == "![](results/one.png)"
    assert written == [page.with_suffix("") / "one.png", page.with_suffix("") / "two.png", page]
    assert [path.read_bytes() for path in written[:2]] == [b"1", b"2"]
