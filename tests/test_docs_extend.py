"""The how-tos of docs/extend: their files are written into a copy, their commands are run there."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "extend").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE = re.compile(
    r"(?:# |\{# )([\w/.]+)(?:, (at the end|in (\w+)|below the line of (\w+)))?(?: #\})?"
)


@pytest.fixture
def copy(tmp_path):
    """A copy of the package and its tests, to write into."""
    for name in ("src", "conf", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "constraints.txt", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def inside(text, variable, addition):
    """Add to the tuple or list that a module assigns to a variable."""
    for node in ast.parse(text).body:
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        if any(isinstance(target, ast.Name) and target.id == variable for target in targets):
            lines = text.splitlines(keepends=True)
            row, column = node.value.end_lineno - 1, node.value.end_col_offset - 1
            before, after = lines[row][:column], lines[row][column:]
            comma = "" if "".join([*lines[:row], before]).rstrip().endswith(",") else ", "
            added = f"{before}{comma}{addition if not before else addition.rstrip()}{after}"
            return "".join([*lines[:row], added, *lines[row + 1 :]])
    raise AssertionError(f"nothing is called {variable}")


def below(text, word, addition):
    """Add after the only line that begins with a word."""
    lines = text.splitlines(keepends=True)
    (place,) = (i for i, line in enumerate(lines) if line.split()[:1] == [word])
    return "".join([*lines[: place + 1], addition, *lines[place + 1 :]])


def write(folder, block):
    """Write a block to the place that its first line names."""
    first, _, rest = block.partition("\n")
    place = PLACE.fullmatch(first)
    assert place, f"the first line must name the file: {first}"
    path, how, variable, word = place.groups()
    file = folder / path
    assert file.exists() == bool(how), f"{path} is to be {'changed' if how else 'made'}"
    if how is None:
        file.write_text(rest, encoding="utf-8")
        return
    text = file.read_text(encoding="utf-8")
    if variable:
        text = inside(text, variable, rest)
    elif word:
        text = below(text, word, rest)
    else:
        text += rest
    file.write_text(text, encoding="utf-8")


def run(folder, commands):
    """Run shell commands as a reader would, in the copy; what they print."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(folder / "src"), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert found.returncode == 0, found.stdout
    return found.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_how_to_works_as_it_is_written(page, copy):
    printed = ""
    n_runs = n_files = 0
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "bash":
            if not n_runs:
                run(copy, "ruff check src tests && ruff format --check src tests")
            printed = run(copy, block)
            n_runs += 1
        elif language == "text":
            for line in block.splitlines():
                assert line.strip() in printed
        else:
            write(copy, block)
            n_files += 1
    assert n_runs
    assert n_files


def test_the_five_how_tos_are_there():
    assert [page.stem for page in PAGES] == ["dataset", "measure", "model", "section", "verb"]
