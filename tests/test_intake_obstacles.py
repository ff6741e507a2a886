"""A refusal says all that stands in the way of a table, so that the second try reads it."""

import shlex

import pytest

from smalldata.__main__ import main
from smalldata.datasets import load_dataset
from smalldata.errors import DataError

N = 16


def rows(*, ids=None, labels=("case", "control"), cells=("<LOD", "3.5*")):
    ids = [f"S{i}" for i in range(N)] if ids is None else ids
    body = [[name, f"{i}.5", f"{(i * 7) % 5}.25", labels[i % 2]] for i, name in enumerate(ids)]
    for row, cell in enumerate(cells):
        body[row][1] = cell
    return [["sample", "a", "b", "y"], *body]


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def save(table, name="my.csv"):
        (tmp_path / name).write_text("".join(",".join(row) + "\n" for row in table))

    return save


def test_what_comes_after_a_refusal_is_told_with_it_and_opens_at_once(write, capsys):
    table = rows(labels=("case", "control"))
    table[3][3] = "Case"
    table[5][3] = ""
    write(table)
    words = ["model=dummy", "dataset=table", "dataset.path=my.csv", "dataset.target=y"]
    assert main([*words, "dry_run=true"]) == 2
    (said,) = capsys.readouterr().err.strip().splitlines()
    place = [said.index(part) for part in ("must have a target", "one spelling", "numbers only")]
    assert place == sorted(place)
    assert main([*words, *shlex.split(said.split("All at once: ")[1]), "dry_run=true"]) == 0
    assert "read 15 x 2" in capsys.readouterr().err


def test_ids_that_repeat_and_do_not_join_are_told_together(write):
    ids = [f"P-{i // 2:03d}" for i in range(N)]
    write([row[:3] for row in rows(ids=ids, cells=())])
    write([["id", "y"], *([f"P{i:03d}", "no" if i % 2 else "yes"] for i in range(8))], "sheet.csv")
    files = {"x": "my.csv", "sheet": "sheet.csv"}
    with pytest.raises(DataError) as caught:
        load_dataset("table", path=files, target="y")
    said = str(caught.value)
    assert said.startswith("sample ids must be unique")
    assert "Then the files must share sample ids" in said
    assert said.endswith("All at once: dataset.replicates=mean dataset.join_ids=loose")


def test_a_single_refusal_stands_alone(write):
    write(rows(cells=("<LOD",)))
    with pytest.raises(DataError) as caught:
        load_dataset("table", path="my.csv", target="y")
    assert " Then " not in str(caught.value)
    assert "All at once" not in str(caught.value)


def test_an_obstacle_that_no_option_gets_over_ends_the_list(write):
    table = rows(cells=())
    table[4][3] = ""
    for row in table[1:]:
        row[3] = row[3] and "case"
    write(table)
    with pytest.raises(DataError, match=r"must have a target.* Then .*must vary") as caught:
        load_dataset("table", path="my.csv", target="y")
    assert "All at once" not in str(caught.value)
