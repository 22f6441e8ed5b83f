"""Pages: one Markdown text from one template, with its pictures in a folder of its name beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clear_alloc.files import replacing


def rendered(template: Path, **sections: Any) -> str:
    """The text; what conditions leave out of the template leaves no gap behind. Raises for a section not given."""
    engine = Environment(  # noqa: S701 - Markdown; foreign text is escaped where it comes in
        loader=FileSystemLoader(template.parent), trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    text = engine.get_template(template.name).render(**sections)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)).strip("\n") + "\n"


def write_page(page: Path, pictures: Mapping[str, bytes], text: Callable[[str], str]) -> list[Path]:
    """The page and its pictures, PNGs by name. text : makes the page, given where pictures are linked to.

    Returns what was written, the page last.
    """
    written = put_pictures(page.parent / page.stem, pictures)
    return [*written, put(page, text(f"{page.stem}/").encode())]


def put_pictures(folder: Path, pictures: Mapping[str, bytes]) -> list[Path]:
    """PNGs in a folder, which is made where it isn't there."""
    folder.mkdir(parents=True, exist_ok=True)
    return [put(folder / f"{name}.png", picture) for name, picture in pictures.items()]


def put(path: Path, content: bytes) -> Path:
    """A file, in one step."""
    with replacing(path) as stream:
        stream.write(content)
    return path
