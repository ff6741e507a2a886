"""Further files of each kind of joining, through the command line and from Python.

Ids as laboratories, R, spreadsheets and pipelines write them; what agrees, what is left out.
"""

import gzip
import re

import numpy as np
import pytest
import yaml

from members import CLASSES, GENES, VALUES, N, text, workbook
from smalldata.__main__ import main
from smalldata.datasets import load_dataset

TARGET = "dataset.target=class"
BACK = range(N - 1, -1, -1)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    """Write files, run the command line dry on them; gives its status and what it prints."""

    def command(files, *overrides):
        for name, content in files.values():
            (folder / name).write_bytes(content)
        words = ["model=dummy", "cv.n_splits=2", "dataset=table", f"dataset.path={path_of(files)}"]
        status = main([*words, TARGET, *overrides, "dry_run=true"])
        printed = "".join(capsys.readouterr())
        assert "Traceback" not in printed
        if status:
            assert len(printed.strip().splitlines()) == 1, printed
        return status, printed

    return command


def path_of(files):
    return "{" + ",".join(f"{block}:{name}" for block, (name, _) in files.items()) + "}"


def read(files, *overrides):
    """Read the files that `run` wrote, with its overrides."""
    pairs = [each.removeprefix("dataset.").split("=", 1) for each in overrides]
    options = {key: yaml.safe_load(re.sub(r":(?=[\w\"])", ": ", value)) for key, value in pairs}
    path = {block: name for block, (name, _) in files.items()}
    return load_dataset("table", path=path, target="class", **options)


def matrix(ids, *, name="sample", turned=False, order=range(N), names=GENES, separator=","):
    rows = [[name, *names], *([ids[i], *VALUES[i]] for i in order)]
    return text(zip(*rows, strict=True) if turned else rows, separator)


def clinical(ids, *, name="sample", order=BACK, more=(), separator=","):
    """A table of samples, in another order than the matrix."""
    rows = [[name, "class", *(column for column, _ in more)]]
    rows += [[ids[i], CLASSES[i], *(cells[i] for _, cells in more)] for i in order]
    return text(rows, separator)


def assert_joined(dataset, ids=None, rows=range(N)):
    """Each value stands beside its label, under an id of one of the files."""
    found = dataset.sample_ids.tolist()
    assert sorted(found) == sorted(ids[i] for i in rows)
    for i in rows:
        row = found.index(ids[i])
        assert dataset.y[row] == CLASSES[i]
        np.testing.assert_allclose(dataset.X[GENES].to_numpy(float)[row], VALUES[i])


# ------------------------------------------------------------------------------- ids named by file

TUBES = [f"T-{7 * n % 100:02d}" for n in range(1, N + 1)]
PERSONS = [f"pat {n}" for n in range(1, N + 1)]
NAMED = {
    "another column of the sheet": (
        {
            "rna": ("rna.csv", matrix(TUBES, name="aliquot")),
            "sheet": ("s.csv", clinical(PERSONS, name="patient", more=[("tube no.", TUBES)])),
        },
        ['dataset.id={rna:aliquot,sheet:"tube no."}'],
    ),
    "tabs, gz, and only one that needs it": (
        {
            "otu": ("otu.tsv.gz", gzip.compress(matrix(TUBES, name="Group", separator="\t"))),
            "meta": (
                "meta.txt",
                clinical(
                    [f"{n}" for n in range(N)], name="id", more=[("run", TUBES)], separator="\t"
                ),
            ),
        },
        ["dataset.id={meta:run}"],
    ),
    "features in rows": (
        {
            "prot": ("p.csv", matrix(TUBES, name="protein", turned=True)),
            "who": ("w.csv", clinical(PERSONS, name="Who", more=[("Tube", TUBES)], separator=";")),
        },
        ["dataset.id={who:Tube}", "dataset.transpose=[prot]"],
    ),
    "a workbook": (
        {
            "rna": ("rna.csv", matrix(TUBES)),
            "sheet": (
                "s.xlsx",
                workbook(
                    {"S": [["nr", "class", "key"], *zip(range(N), CLASSES, TUBES, strict=True)]}
                ),
            ),
        },
        ["dataset.id={sheet:key}"],
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_ids_are_named_for_each_file(run, name):
    files, overrides = NAMED[name]
    status, printed = run(files, *overrides)
    assert status == 0, printed
    assert f"read {N} x 5 " in printed
    assert_joined(read(files, *overrides), TUBES)


# -------------------------------------------------------------------------- ids spelled differently

PLAIN = [f"{n:02d}" for n in range(1, N + 1)]
NUMBERS = [str(n) for n in range(95, 95 + N)]
WORDS = ["ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine", "yew"]
WORDS = [*WORDS, "alder"]


def both(one, other, over=PLAIN):
    return [one.format(x) for x in over], [other.format(x) for x in over]


SPELLED = {
    "make.names, blanks and brackets": (*both("Sample.{}..a.", "Sample {} (a)"), "punctuation"),
    "make.names, slashes": (*both("HC.{}.V1", "HC/{}/V1"), "punctuation"),
    "make.names, barcodes": (*both("TCGA.{}.01A", "TCGA-{}-01A", WORDS), "punctuation"),
    "leading X of numbers": (*both("X{}", "{}", NUMBERS), "a leading X"),
    "leading X and punctuation": (*both("X{}.T", "{}-T", NUMBERS), "a leading X"),
    "leading X of dates": (*both("X2020.01.{}", "2020-01-{}"), "a leading X"),
    "zeros of numbers": ([f"{n:04d}" for n in range(5, 17)], [*map(str, range(5, 17))], "zeros"),
    "zeros after letters": (
        [f"KO{n:03d}" for n in range(N)],
        [f"KO{n}" for n in range(N)],
        "zeros",
    ),
    "zeros inside": (
        [f"P-{n:02d}-B" for n in range(5, 5 + N)],
        [f"P-{n}-B" for n in range(5, 5 + N)],
        "zeros",
    ),
    "case": (*both("Wt_{}", "WT_{}"), "case"),
    "case of words": (WORDS, [word.title() for word in WORDS], "case"),
    "case of hexadecimal": (*both("a{}fe", "A{}FE"), "case"),
    ".0 of a spreadsheet": (
        [*(f"{n}.0" for n in range(101, 100 + N)), "x7"],
        [*map(str, range(101, 100 + N)), "x7"],
        "'.0'",
    ),
    "a beginning": (*both("GSE77_{}", "{}", WORDS), "begin or end"),
    "an end of a file": (*both("{}", "{}_S1_L001.sorted.bam", WORDS), "begin or end"),
    "a beginning with numbers": (*both("subject-{}", "{}", NUMBERS), "begin or end"),
    "beginnings and ends of both": (*both("rna_{}_rep", "{}.prot", WORDS), "begin or end"),
    "a path": (*both("aln/{}.bam", "{}", WORDS), "begin or end"),
    "all at once": (*both("Counts.X{}.t", "{}-T", NUMBERS), "begin or end"),
    "blanks": (*both("DM {}", "DM{}"), "punctuation"),
}


@pytest.mark.parametrize("turned", [False, True], ids=["samples in rows", "in columns"])
@pytest.mark.parametrize("name", SPELLED)
def test_ids_spelled_differently_are_offered_and_joined_when_asked(run, name, turned):
    one, other, ignored = SPELLED[name]
    files = {
        "rna": ("rna.csv", matrix(one, turned=turned)),
        "sheet": ("sheet.csv", clinical(other)),
    }
    transpose = f"dataset.transpose={'[rna]' if turned else 'false'}"
    status, printed = run(files, transpose)
    n_exact = len(set(one) & set(other))
    assert status == (2 if 2 * n_exact < N else 0), printed
    assert f"{n_exact} of {N} ids agree" in printed
    assert f"{N} do when" in printed
    assert ignored in printed
    assert "dataset.join_ids=loose" in printed
    status, printed = run(files, transpose, "dataset.join_ids=loose")
    assert status == 0, printed
    assert_joined(read(files, transpose, "dataset.join_ids=loose"), one)


MERGING = {
    "case": ([*WORDS[:-1], "Ash"], [*map(str.upper, WORDS[:-1]), "x"]),
    "zeros": ([*NUMBERS[:-1], "095"], [*(f"00{n}" for n in NUMBERS[:-1]), "7"]),
    "punctuation": (["a-1", "a.1", *WORDS[:10]], ["a_1", "a 1", *WORDS[:2], *PLAIN[:8]]),
    "a leading X": (["X7", "7", *(f"X{n}" for n in NUMBERS[:10])], ["7", *NUMBERS[:10], "z"]),
}


@pytest.mark.parametrize("name", MERGING)
def test_loose_never_merges_two_ids(run, name):
    one, other = MERGING[name]
    files = {"rna": ("rna.csv", matrix(one)), "sheet": ("sheet.csv", clinical(other))}
    status, printed = run(files, "dataset.transpose=false", "dataset.join_ids=loose")
    if status == 0:  # then what is written alike is joined, and nothing else
        dataset = read(files, "dataset.join_ids=loose", "dataset.transpose=false")
        assert set(dataset.sample_ids) <= set(one) & set(other)
    else:
        assert "rename one of them" in printed or "dataset." in printed


# --------------------------------------------------------------------------------- what is left out

LEFT_OUT = {
    "of the matrix": (PERSONS, PERSONS[:9], ["3 of 12 samples of rna.csv", "'pat 10'"]),
    "of the sheet": (PERSONS[:10], PERSONS, ["2 of 12 samples of sheet.csv", "'pat 11'"]),
    "of both": (
        PERSONS[:10],
        [*PERSONS[:8], *WORDS[:3]],
        ["2 of 10 samples of rna.csv", "3 of 11 samples of sheet.csv", "'ash'"],
    ),
}


@pytest.mark.parametrize("turned", [False, True], ids=["samples in rows", "in columns"])
@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_is_listed_in_both_directions(run, name, turned):
    one, other, told = LEFT_OUT[name]
    order = range(len(one))[::-1]  # the first sample is left out
    files = {
        "rna": ("rna.csv", matrix(one, order=order, turned=turned)),
        "sheet": ("sheet.csv", clinical(other, order=range(len(other)))),
    }
    status, printed = run(files)
    assert status == 0, printed
    assert [words for words in told if words not in printed] == [], printed
    rows = range(len(set(one) & set(other)))
    assert_joined(read(files), PERSONS, rows)


@pytest.mark.parametrize(
    ("n_matrix", "n_sheet", "told"),
    [
        (12, 5, "7 of 12 samples of rna.csv"),
        (4, 12, "8 of 12 samples of sheet.csv"),
        (12, 4, "8 of 12 samples of rna.csv"),
    ],
)
def test_more_than_half_left_out_is_refused_unless_confirmed(run, n_matrix, n_sheet, told):
    files = {
        "rna": ("rna.csv", matrix(PERSONS, order=range(n_matrix))),
        "sheet": ("sheet.csv", clinical(PERSONS, order=range(n_sheet))),
    }
    status, printed = run(files)
    assert status == 2
    assert told in printed
    assert "dataset.join_how=part" in printed
    assert run(files, "dataset.join_how=part")[0] == 0
    dataset = read(files, "dataset.join_how=part")
    assert_joined(dataset, PERSONS, range(min(n_matrix, n_sheet)))


# --------------------------------------------------------------------------- repeated feature names

REPEATED = ["HLA-A", "HLA-A", "TUBB", "TUBB", "CRP"]
PAIRS = [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("way", ["mean", "max", "first", "number"])
@pytest.mark.parametrize("kind", ["columns", "rows", "workbook"])
def test_repeated_names_of_features(run, kind, way):
    values = ("rna.csv", matrix(PERSONS, names=REPEATED, turned=kind == "rows"))
    if kind == "workbook":
        rows = [["id", *REPEATED], *([s, *VALUES[i].tolist()] for i, s in enumerate(PERSONS))]
        values = ("rna.xlsx", workbook({"A": rows}))
    files = {"rna": values, "sheet": ("sheet.csv", clinical(PERSONS))}
    turned = ["dataset.transpose=[rna]"] if kind == "rows" else []
    status, printed = run(files, *turned)
    assert status == 2
    assert "'HLA-A', 'TUBB'" in printed
    assert "dataset.duplicates=" in printed
    asked = [*turned, f"dataset.duplicates={way}"]
    status, printed = run(files, *asked)
    assert status == 0, printed
    dataset = read(files, *asked)
    merge = {"mean": np.mean, "max": np.max, "first": lambda v, axis: v[:, 0]}
    expected = (
        VALUES
        if way == "number"
        else np.stack([merge[way](VALUES[:, own], axis=1) for own in PAIRS], axis=1)
    )
    order = [dataset.sample_ids.tolist().index(entry) for entry in PERSONS]
    np.testing.assert_allclose(dataset.X.to_numpy(float)[order], expected)
