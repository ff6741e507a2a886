"""Nothing that reaches the screen can steer the terminal, wherever its text comes from."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

import smalldata
from smalldata.cli.main import main
from smalldata.comparison.comparison import compare
from smalldata.evaluation.outer_loop import evaluate
from smalldata.models.dummy import Dummy
from smalldata.report import print_comparison
from smalldata.resampling.strategies import make_splits
from smalldata.run.progress import Reporter
from smalldata.runtime.console import open_console, printable
from toys import binary_toy

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("case\tor\ncontrol β µ", "case\tor\ncontrol β µ"),
        ("\x1b[2Jcase", "\\x1b[2Jcase"),
        ("\x9b31mcase", "\\x9b31mcase"),
        ("\x00\x07\r\x7f", "\\x00\\x07\\r\\x7f"),
        ("\u202eesac", "\\u202eesac"),
        ("\ud800", "\\ud800"),
    ],
)
def test_printable_escapes_what_steers_a_terminal_and_nothing_else(text, shown):
    assert printable(text) == shown


def test_a_console_keeps_its_own_colours_and_escapes_those_of_text():
    out = io.StringIO()
    console = open_console(file=out, force_terminal=True, color_system="standard", width=60)
    table = Table()
    table.add_column("\x1b[2Jname")
    table.add_row("\x1b[31mcase")
    console.print("\x1b[2Jsentence", style="yellow", markup=False)
    console.print(table)
    with console.status("\x1b[2Jwaiting"):
        pass
    text = out.getvalue()
    assert "\x1b[33m\\x1b[2Jsentence\x1b[0m" in text
    assert "\x1b[2J" not in text
    assert "\x1b[31m" not in text


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_reporter_prints_names_of_any_source(is_terminal, capsys):
    reporter = Reporter()
    if is_terminal:
        reporter.console = open_console(stderr=True, force_terminal=True, soft_wrap=True)
    reporter.say("target: \x1b[2Joutcome")
    reporter.warn("class \x1b]0;case")
    assert list(reporter.follow(range(2), title="\x1b[2Jsvm", total=2)) == [0, 1]
    text = capsys.readouterr().err
    assert "target: \\x1b[2Joutcome" in text
    assert "\\x1b]0;case" in text
    assert "\x1b[2J" not in text
    assert "\x1b]0" not in text


@pytest.mark.parametrize("force_terminal", [False, True])
def test_the_table_of_a_stored_comparison_prints_names_of_any_source(force_terminal):
    task = binary_toy()
    record = evaluate(task, Dummy(), make_splits(task, "holdout"), model="\x1b[2Jdummy", n_jobs=1)
    comparison = compare([record])
    comparison = replace(
        comparison,
        target="\x1b[2Joutcome",
        notes=("\x1b[2Ja note",),
        rows=tuple(
            replace(row, status="failed", reason="\x1b[2Ja reason", rank=None)
            for row in comparison.rows
        ),
    )
    out = io.StringIO()
    print_comparison(comparison, Console(file=out, force_terminal=force_terminal, width=200))
    text = COLOURS.sub("", out.getvalue())
    assert "\x1b" not in text
    for name in ("dummy", "outcome", "a note", "a reason"):
        assert f"\\x1b[2J{name}" in text


def test_every_console_that_writes_is_made_in_one_place():
    source = Path(smalldata.__file__).parent
    elsewhere = [
        f"{path.name}: {line.strip()}"
        for path in source.rglob("*.py")
        if path.name != "console.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bConsole\((?!quiet=True\))", line)
    ]
    assert elsewhere == []


def test_an_error_prints_names_of_any_source(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["summary", "\x1b[2J=1"]) == 2
    assert main(["compare", "\x1b[2Jfolder"]) == 2
    assert main(["datasets", "\x1b[2J"]) == 2
    text = capsys.readouterr()
    assert "\\x1b[2Jfolder" in text.err
    assert "\x1b" not in text.err + text.out
