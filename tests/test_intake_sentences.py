"""What a table is said to hold, and what to type about it, for tables with awkward names."""

import re
import shlex

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from smalldata.datasets.options import TableOptions
from smalldata.datasets.table import load
from smalldata.errors import DataError

NAMES = ["OS (months)", "1,2-diol", "Animal no.", "it's"]
_KEY = re.compile(r"'?dataset\.(\w+)=")


def load_table(path, **options):
    return load(TableOptions(path=str(path), **{"target": "Group", **options}))


def findings_of(path, **options):
    return load_table(path, **options).findings


def refusal_of(path, **options):
    with pytest.raises(DataError) as caught:
        load_table(path, **options)
    return str(caught.value)


def plain(value):
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return str(getattr(value, "text", value))


def commands_of(text):
    """The value of each option that a sentence shows, as a shell and Hydra read it."""
    found = []
    for match in _KEY.finditer(text):
        lexer = shlex.shlex(text[match.start() :], posix=True, punctuation_chars=",;)")
        lexer.commenters, lexer.whitespace_split = "", True
        word = lexer.get_token().rstrip(".")
        override = OverridesParser.create().parse_override(word)
        found.append((match[1], plain(override.value())))
    return found


def write(path, columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def groups(n):
    return ["case" if row % 2 else "control" for row in range(n)]


def values(n, seed=0):
    return np.random.default_rng(seed).normal(size=n).round(3)


@pytest.mark.parametrize("name", NAMES)
def test_a_suspected_leak_of_any_name_is_dropped_by_the_shown_command(name, tmp_path):
    n = 40
    leak = values(n) + 10 * np.arange(n) % 20
    file = write(
        tmp_path / "t.csv",
        {"id": [f"s{row}" for row in range(n)], "Group": groups(n), name: leak, "a": values(n, 1)},
    )
    (finding,) = [each for each in findings_of(file) if each.code == "SD021"]
    assert commands_of(finding.remedy) == [("drop", [name])]


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_and_a_constant_of_any_name_are_dropped_by_the_shown_command(name, tmp_path):
    n = 40
    columns = {"id": [f"s{row}" for row in range(n)], "Group": groups(n), "a": values(n)}
    for code, column in (("SD025", columns["a"]), ("SD022", [1.5] * n)):
        file = write(tmp_path / "t.csv", {**columns, name: column})
        (finding,) = [each for each in findings_of(file) if each.code == code]
        assert commands_of(finding.remedy) == [("drop", [name])]


def test_animals_and_survival_times_are_named_by_the_shown_command(tmp_path):
    n = 40
    ids = {"id": [f"s{row}" for row in range(n)]}
    animals = {"Animal no.": [row // 2 + 1 for row in range(n)], "a": values(n)}
    file = write(tmp_path / "t.csv", {**ids, "Group": groups(n), **animals})
    (finding,) = [each for each in findings_of(file) if each.code == "SD008"]
    assert ("groups", "Animal no.") in commands_of(finding.remedy)
    times = {"OS (months)": np.abs(values(n)), "a": values(n, 1)}
    file = write(tmp_path / "u.csv", {**ids, "Status": [row % 2 for row in range(n)], **times})
    (finding,) = [each for each in findings_of(file, target="Status") if each.code == "SD028"]
    assert commands_of(finding.remedy) == [("drop", ["OS (months)"])]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cell", ["a,b", "1.2.3", "it's"])
def test_text_among_the_numbers_of_any_column_is_settled_by_the_shown_command(name, cell, tmp_path):
    n = 20
    cells = [*map(str, values(n - 1)), cell]
    file = write(
        tmp_path / "t.csv",
        {"id": [f"s{row}" for row in range(n)], "Group": groups(n), name: cells, "a": values(n, 1)},
    )
    found = commands_of(refusal_of(file))
    assert ("categorical", [name]) in found
    assert ("missing", [cell]) in found
    for key, value in found:
        load_table(file, **{key: tuple(value)})
