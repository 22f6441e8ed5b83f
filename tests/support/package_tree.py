"""The modules of the package and what each imports, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import clear_alloc as ca

PACKAGE = Path(ca.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
INSIDE = [path for path in MODULES if path not in (PACKAGE / "__init__.py", PACKAGE / "__main__.py")]


def name_of(path):
    """The dotted name of a module or package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


def room_of(path):
    """The part of the package that a file stands in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    """Modules of the package that a module imports, each with whether the import is deferred into a function."""
    tree = ast.parse(path.read_text())
    top = set(tree.body) | {node for guard in tree.body if isinstance(guard, ast.If) for node in guard.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in NAMES else node.module for name in inner]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from ((name, node not in top) for name in names if name.split(".")[0] == "clear_alloc")
