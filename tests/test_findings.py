"""Findings: their codes are documented and made, and a run prints at most six of them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from smalldata.__main__ import main
from smalldata.cli import screen
from smalldata.findings import KINDS, N_SHOWN, Finding, shown_findings

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
CODE = "".join(
    path.read_text(encoding="utf-8")
    for folder in ("datasets", "run")
    for path in (ROOT / "src" / "smalldata" / folder).rglob("*.py")
)


def test_every_code_is_documented_once_with_its_level():
    rows = dict(re.findall(r"^\| (SD\d{3})( \(note\))? \|", PAGE, re.MULTILINE))
    assert list(rows) == list(KINDS)
    assert len(re.findall(r"^\| SD\d{3}", PAGE, re.MULTILINE)) == len(KINDS)
    for code, kind in KINDS.items():
        assert bool(rows[code]) == (kind.level == "note"), code


def test_every_code_is_made_somewhere():
    made = set(re.findall(r"\"(SD\d{3})\"", CODE))
    assert set(KINDS) - made == {"SD001"}, "ids that repeat are refused"
    assert made <= set(KINDS)


def test_an_unknown_code_is_refused():
    with pytest.raises(ValueError, match="code must be one of SD001"):
        Finding(code="SD999", what="x")


def test_six_lines_at_most_warnings_first():
    notes = [Finding(code="SD022", what=f"note {i}") for i in range(4)]
    warnings = [Finding(code=code, what="look") for code in ("SD026", "SD021", "SD005")]
    shown = shown_findings([*notes, *warnings])
    codes = [line[-6:-1] for line in shown[:5]]
    assert codes == ["SD005", "SD021", "SD026", "SD022", "SD022"]
    assert shown[5] == "2 more findings: see them with `python -m smalldata look`"
    assert len(shown) == N_SHOWN
    assert len(shown_findings([*notes, *warnings[:2]])) == N_SHOWN
    assert all("more findings" not in line for line in shown_findings([*notes, *warnings[:2]]))


def test_a_run_a_dry_run_and_a_look_tell_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 5)), columns=["TP53", "CD4", "IL6", "AKT1", "1-Sep"])
    frame["flat"] = 0
    frame["class_code"] = np.arange(40) % 2
    frame["class"] = np.where(np.arange(40) % 2, "case", "control")
    frame.to_csv("t.csv", index=False)
    words = ["dataset=table", "dataset.path=t.csv", "dataset.target=class"]
    run = [*words, "model=dummy", "cv=kfold", "cv.n_splits=2", "n_jobs=1", "explain=none"]
    codes = {}
    for name, command in {
        "run": run,
        "dry": [*run, "dry_run=true"],
        "look": ["look", *words],
    }.items():
        assert main(command) == 0
        out, err = capsys.readouterr()
        shown = out if name == "look" else err
        codes[name] = re.findall(r"SD\d{3}", shown)
        if name == "run":
            (report,) = tmp_path.rglob("report.html")
            page = report.read_text(encoding="utf-8")
        screen.reporter.cache_clear()
    assert codes["run"] == codes["dry"] == codes["look"] == ["SD020", "SD021", "SD026", "SD022"]
    assert all(code in page for code in codes["run"])
