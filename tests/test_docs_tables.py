"""The pages of docs/tables: their files are written, their commands run, their output is shown."""

import re
import shlex
from pathlib import Path

import pytest

from smalldata.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "tables").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PENDING: set[str] = set()
"""Pages whose format cannot be read yet."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_what_its_commands_print(page, tmp_path, monkeypatch, capsys):
    if page.stem in PENDING:
        pytest.xfail("the format cannot be read yet")
    monkeypatch.chdir(tmp_path)
    n_commands = 0
    for kind, name, content in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "text":
            Path(name).write_text(content, encoding="utf-8", newline="")
        elif kind == "python":
            exec(content, {})
        elif kind == "console":
            command, *shown = content.splitlines()
            words = shlex.split(command.removeprefix("$ python -m smalldata "))
            status = main(words)
            told = capsys.readouterr()
            printed = told.out + told.err
            assert status == (2 if page.stem == "refused" else 0), printed
            assert shown
            assert [line for line in shown if line not in printed] == [], printed
            n_commands += 1
    assert n_commands


def test_the_first_page_leads_to_every_page():
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    assert [page.stem for page in PAGES if f"(tables/{page.name})" not in text] == []


def test_the_first_page_names_every_setting():
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    yaml = (ROOT / "conf" / "dataset" / "table.yaml").read_text(encoding="utf-8")
    keys = set(re.findall(r"^([a-z]\w*):", yaml, re.MULTILINE))
    absent = {key for key in keys - {"path"} if f"dataset.{key}" not in text}
    assert absent == set()
