"""The plan of the house: what every package and module says of itself and lets others use."""

import ast
import importlib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
READERS = [
    path
    for folder in ("src", "tests", "benchmarks", "scripts", "docs")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".md")
]
PACKAGES = sorted(path.parent for path in SOURCES if path.name == "__init__.py")


def _module(folder: Path) -> str:
    return ".".join(folder.relative_to(ROOT / "src").parts)


def names_used(text: str) -> tuple[set[tuple[str, str]], set[str]]:
    """Pairs (module, name) that a file imports, and the attributes it reads."""
    imported: set[tuple[str, str]] = set()
    attributes: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported |= {(node.module, alias.name) for alias in node.names}
        if isinstance(node, ast.Attribute):
            attributes.add(node.attr)
    return imported, attributes


@cache
def names_used_in(path: Path) -> tuple[set[tuple[str, str]], set[str]]:
    return names_used(path.read_text(encoding="utf-8"))


def unused_exports(
    exported: set[str], module: str, files: list[tuple[set[tuple[str, str]], set[str]]]
) -> set[str]:
    """Names in ``__all__`` that no other file imports from the package."""
    return {
        name
        for name in exported
        if not any((module, name) in imported or name in read for imported, read in files)
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_every_module_says_what_it_owns(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert text


@pytest.mark.parametrize("folder", PACKAGES, ids=_module)
def test_a_package_states_its_step_in_the_line(folder):
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert len(text.splitlines()) >= 3
    whole = ("smalldata", "hydra_plugins.smalldata_optuna")
    assert "step in the line" in text.lower() or _module(folder) in whole


@pytest.mark.parametrize("folder", PACKAGES, ids=_module)
def test_a_package_exports_no_name_that_nobody_uses(folder):
    name = _module(folder)
    exported = set(getattr(importlib.import_module(name), "__all__", ()))
    files = [
        names_used_in(path)
        for path in READERS
        if path.suffix == ".py" and path != folder / "__init__.py"
    ]
    assert name == "smalldata" or unused_exports(exported, name, files) == set()


def test_an_export_that_nobody_uses_is_found():
    file = names_used("from pkg import used\nimport pkg\npkg.read\n")
    assert unused_exports({"used", "read", "idle"}, "pkg", [file]) == {"idle"}
