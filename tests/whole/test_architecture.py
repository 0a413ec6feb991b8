"""The structure of the package: its packages, the imports between them, and its public face."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import harness
from harness import errors
from tests.support.locations import ROOT

MOST_IMPORTS = 150
MOST_MODULES_AT_THE_TOP = 16
LONGEST_FILE = 355  # lines: about 300, and rows of facts may be a few more


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for file in (ROOT / "harness").rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@cache
def imports() -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports, inside functions too."""
    files = modules()
    found: dict[str, set[str]] = {}
    for name, file in files.items():
        found[name] = set()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            targets: list[str] = []
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                targets = [f"{node.module}.{alias.name}" for alias in node.names]
            for target in targets:
                while target not in files and "." in target:
                    target = target.rpartition(".")[0]
                if target in files:
                    found[name].add(target)
    return found


def package(module: str) -> str:
    """The package, or the module at the top, that a module is in."""
    return [*module.split("."), "__init__"][1]


def imports_between_packages() -> set[tuple[str, str]]:
    pairs = {(package(a), package(b)) for a, targets in imports().items() for b in targets}
    return {(a, b) for a, b in pairs if a != b and "__init__" not in (a, b)}


def test_few_imports_cross_between_packages() -> None:
    assert len(imports_between_packages()) <= MOST_IMPORTS


def test_neither_packages_nor_modules_import_each_other_in_a_circle() -> None:
    by_package: dict[str, set[str]] = defaultdict(set)
    for importer, imported in imports_between_packages():
        by_package[importer].add(imported)
    inside = {name: targets - {"harness", name} for name, targets in imports().items()}
    for graph in (by_package, inside):
        TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_top_of_the_package_is_small() -> None:
    assert len([*(ROOT / "harness").glob("*.py")]) <= MOST_MODULES_AT_THE_TOP


def test_no_file_is_long() -> None:
    long = {
        str(file): lines
        for file in modules().values()
        if (lines := len(file.read_text("utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_the_public_face_is_what_all_says() -> None:
    kinds = {name for name, kind in vars(errors).items() if _is_error(kind)}
    others = {"run", "load_results", "Record", "COLUMNS", "__version__"}
    assert set(harness.__all__) == kinds | others
    assert {name: getattr(harness, name) for name in kinds} == {n: vars(errors)[n] for n in kinds}
    assert harness.__version__.split(".")[0].isdigit()
    assert {column.name for column in harness.COLUMNS} >= {"score", "cell_key"}
    assert {*harness.__all__} <= {*dir(harness)}


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, errors.GlueBenchError)


def test_the_package_is_typed() -> None:
    assert (ROOT / "harness" / "py.typed").is_file()
