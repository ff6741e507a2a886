"""What a table is said to hold, and what to type about it, for tables with awkward names."""

import re
import shlex

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from smalldata import look
from smalldata.__main__ import main
from smalldata.datasets.options import TableOptions
from smalldata.datasets.table import load
from smalldata.errors import ConfigError, DataError

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
    if isinstance(value, dict):
        return {plain(key): plain(entry) for key, entry in value.items()}
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
    for name in ("Animal no.", "mouse, by litter"):
        animals = {"a": values(n), name: [row // 2 + 1 for row in range(n)]}
        file = write(tmp_path / "t.csv", {**ids, "Group": groups(n), **animals})
        (finding,) = [each for each in findings_of(file) if each.code == "SD008"]
        assert ("groups", name) in commands_of(finding.remedy)
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


def table_with(path, **columns):
    """Write a table of 40 rows with some columns beside two of numbers."""
    n = 40
    ids = {"id": [f"s{row}" for row in range(n)], "Group": groups(n)}
    return write(path, {**ids, "a": values(n), **columns, "b": values(n, 1)})


def of_code(findings, code):
    return [each for each in findings if each.code == code]


@pytest.mark.parametrize(
    "cells",
    [
        [f"{60 + row}.5 kg" for row in range(40)],
        [f"{20 + row} y" for row in range(40)],
        [f"{80 + row} mg/dl" for row in range(40)],
        [f"0.{10 + row} ± 0.1" for row in range(40)],
    ],
)
def test_numbers_with_a_unit_in_the_cell_are_told(cells, tmp_path):
    findings = findings_of(table_with(tmp_path / "t.csv", **{"it's": cells}))
    (finding,) = of_code(findings, "SD045")
    assert "write only the number" in finding.remedy
    assert commands_of(finding.remedy) == [("categorical", ["it's"])]
    assert not of_code(findings, "SD027")
    confirmed = findings_of(tmp_path / "t.csv", categorical=("it's",))
    assert not of_code(confirmed, "SD045")


def test_numbers_among_as_many_words_are_told_with_the_words(tmp_path):
    cells = [f"{row}.25" if row % 5 < 2 else "not seen" for row in range(40)]
    file = table_with(tmp_path / "t.csv", load=cells)
    (finding,) = of_code(findings_of(file), "SD045")
    assert commands_of(finding.remedy) == [("missing", ["not seen"]), ("categorical", ["load"])]
    assert "load" in load_table(file, missing=("not seen",)).X.select_dtypes("number")


def test_doses_grades_and_codes_are_not_numbers_as_text(tmp_path):
    columns = {
        "dose": [("0 mg", "5 mg", "10 mg", "20 mg", "40 mg")[row % 5] for row in range(40)],
        "grade": [
            ("1", "2", "3", "unknown", "unknown", "unknown", "n.s.")[row % 7] for row in range(40)
        ],
        "site": [("Ulm 1", "Ulm 2", "Bonn")[row % 3] for row in range(40)],
    }
    codes = {each.code for each in findings_of(table_with(tmp_path / "t.csv", **columns))}
    assert not codes & {"SD045", "SD046", "SD047", "SD048"}


def test_how_samples_were_handled_is_told_with_the_batch(tmp_path):
    order = np.random.default_rng(3).permutation(40) + 1
    columns = {"Run order": order, "Freezer box": [f"B{row // 5}" for row in range(40)]}
    (finding,) = of_code(findings_of(table_with(tmp_path / "t.csv", **columns)), "SD046")
    assert commands_of(finding.remedy) == [
        ("drop", ["Run order", "Freezer box"]),
        ("batch", "Freezer box"),
    ]


def test_remarks_are_told_by_their_name_or_by_their_words(tmp_path):
    words = ["red", "blue", "cold", "warm", "thawed", "late", "early"]
    texts = [f"was {words[row % 7]} and {words[row // 7]}" if row % 3 else "" for row in range(40)]
    columns = {
        "seen": texts,
        "Bemerkung": ["hemolytic" if row % 9 == 0 else "" for row in range(40)],
    }
    (finding,) = of_code(findings_of(table_with(tmp_path / "t.csv", **columns)), "SD047")
    assert commands_of(finding.remedy) == [("drop", ["seen", "Bemerkung"])]


def test_months_and_days_without_signs_and_of_a_spreadsheet_are_told(tmp_path):
    days = pd.date_range("2021-01-05", periods=40, freq="9D")
    columns = {
        "Month": days.strftime("%b %Y"),
        "drawn": days.strftime("%Y%m%d"),
        "Date": (days - pd.Timestamp("1899-12-30")).days,
        "intensity": np.arange(20_210_000, 20_210_040) * 1.0 + 7,
        "year": days.year,
    }
    (finding,) = of_code(findings_of(table_with(tmp_path / "t.csv", **columns)), "SD048")
    assert commands_of(finding.remedy) == [("drop", ["Month", "drawn", "Date"])]


@pytest.mark.parametrize(
    ("target", "positive"),
    [
        ("Group (1=disease, 2=healthy)", "1"),
        ("group [1: healthy; 2: disease]", "2"),
        ("status 1=dead, 2 = alive", "1"),
        ("status 1=dead 2=alive", "1"),
        ("Diagnosis (case = 1 / control = 2)", "1"),
        ("Group (2=case)", "2"),
        ("side (1=left, 2=right)", "2"),
    ],
)
def test_a_legend_in_the_name_of_the_target_tells_the_positive_class(target, positive, tmp_path):
    codes = [str(row % 2 + 1) for row in range(40)]
    file = write(tmp_path / "t.csv", {target: codes, "a": values(40), "b": values(40, 1)})
    dataset = load_table(file, target=target)
    assert dataset.positive == positive
    assert not any("is a guess" in message for message in dataset.messages)


def spectra(n_measured):
    """Rows of 12 samples by 6 wavelengths."""
    return {
        "sample": [f"S{row // 6}" for row in range(72)],
        "Group": [("case", "control")[row // 6 % 2] for row in range(72)],
        "wavelength (nm)": [400 + 10 * (row % 6) for row in range(72)],
        **{f"absorbance {number}": values(72, number) for number in range(n_measured)},
    }


def test_one_row_for_each_wavelength_is_offered_as_long(tmp_path):
    file = write(tmp_path / "t.csv", spectra(1))
    options = dict(commands_of(refusal_of(file)))
    assert options["long"] == {"id": "sample", "name": "wavelength (nm)", "value": "absorbance 0"}
    dataset = load_table(file, long=options["long"])
    assert dataset.X.shape == (12, 6)


def test_visits_with_several_values_are_not_offered_as_long(tmp_path):
    assert "long" not in dict(commands_of(refusal_of(write(tmp_path / "t.csv", spectra(2)))))


def test_a_missing_count_costs_no_sample_of_feature_counts(tmp_path):
    header = ["Geneid", "Chr", "Start", "End", "Strand", "Length", *(f"S{n}.bam" for n in range(8))]
    rows = [
        [f"ENSG{row:05}", "1", "5", "9", "+", "5", *(str(row * 8 + n) for n in range(8))]
        for row in range(30)
    ]
    rows[3][8] = "NA"
    text = "\n".join("\t".join(row) for row in [header, *rows])
    (tmp_path / "counts.txt").write_text("# Program:featureCounts v2.0.1\n" + text + "\n")
    write(tmp_path / "m.csv", {"id": [f"S{n}" for n in range(8)], "Group": groups(8)})
    paths = {"rna": str(tmp_path / "counts.txt"), "meta": str(tmp_path / "m.csv")}
    dataset = load(TableOptions(path=paths, target="Group"))
    assert dataset.X.shape == (8, 30)
    assert dataset.X.isna().sum().sum() == 1


def test_an_unknown_annotation_of_diann_is_not_a_run(tmp_path):
    header = ["Protein.Group", "Protein.Names", "Genes", "First.Protein.Description", "New.Score"]
    header += [f"/d/S{n}.raw" for n in range(8)]
    rows = [
        [f"P{row}", f"N{row}", f"G{row}", "x", "0.5", *map(str, values(8, row))]
        for row in range(20)
    ]
    text = "\n".join("\t".join(row) for row in [header, *rows])
    (tmp_path / "pg.tsv").write_text(text + "\n")
    write(tmp_path / "m.csv", {"id": [f"S{n}" for n in range(8)], "Group": groups(8)})
    paths = {"p": str(tmp_path / "pg.tsv"), "meta": str(tmp_path / "m.csv")}
    dataset = load(TableOptions(path=paths, target="Group"))
    assert dataset.X.shape == (8, 20)
    (finding,) = of_code(dataset.findings, "SD016")
    assert "New.Score" in finding.evidence
    with pytest.raises(ConfigError, match="samples stand in columns"):
        load(TableOptions(path=paths, target="Group", transpose=False))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a picture"),
        (b"\n<!DOCTYPE html><html><head><title>Sign in</title></head></html>", "a web page"),
        (
            b"PK\x03\x04" + b"\0" * 26 + b"mimetypeapplication/vnd.oasis.opendocument.x",
            "OpenOffice",
        ),
    ],
)
def test_what_is_no_table_is_refused_by_what_it_is(content, what, tmp_path):
    (tmp_path / "t.csv").write_bytes(content)
    assert what in refusal_of(tmp_path / "t.csv")


def test_look_names_a_folder_and_blanks_around_the_sign(tmp_path, capsys):
    file = table_with(tmp_path / "t.csv")
    assert main(["look", str(tmp_path), "dataset.target=Group"]) == 2
    assert "is a folder (with t.csv)" in capsys.readouterr().err
    for words in (["look", str(file)], ["model=dummy", "dataset=table", f"dataset.path={file}"]):
        assert main([*words, "dataset.target", "=", "Group"]) == 2
        assert "no blanks around =: dataset.target=VALUE" in capsys.readouterr().err


def test_look_says_that_no_folds_can_be_made(tmp_path):
    columns = {"id": [f"s{row}" for row in range(20)], "a": values(20), "b": values(20, 1)}
    typo = write(tmp_path / "t.csv", {**columns, "Group": [*groups(19), "Csae"]})
    (finding,) = of_code(look(load_table(typo)).findings, "SD049")
    assert "'Csae' is in a single row" in finding.evidence
    tiny = write(tmp_path / "u.csv", pd.DataFrame({**columns, "Group": groups(20)}).iloc[:4])
    (finding,) = of_code(look(load_table(tiny)).findings, "SD049")
    assert "(4)" in finding.evidence
    fine = write(tmp_path / "v.csv", {**columns, "Group": groups(20)})
    assert not of_code(look(load_table(fine)).findings, "SD049")


def test_a_comma_among_points_is_named_with_its_column_and_row(tmp_path):
    file = table_with(tmp_path / "t.csv", c=[*map(str, values(39, 2)), "12,5"])
    message = refusal_of(file)
    assert "'12,5' ('c' in line 41)" in message
    assert "(0," not in message
