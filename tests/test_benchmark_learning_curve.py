"""The benchmark of learning curves: its tables are those of its files, its sizes those it names."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from smalldata.datasets import load_dataset

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "learning_curve"


def test_readme_equals_tables_written_from_committed_rows(tmp_path):
    """Also a test of the laws and their draws: every width is computed anew."""
    copy = shutil.copytree(FOLDER, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "README.md").write_text(_without_tables(FOLDER / "README.md"), encoding="utf-8")
    subprocess.run([sys.executable, "run.py", "table"], cwd=copy, check=True, timeout=300)
    assert (copy / "README.md").read_text("utf-8") == (FOLDER / "README.md").read_text("utf-8")


def _without_tables(readme):
    lines = readme.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("|"))


def test_lower_half_of_sizes_can_predict_the_upper_half():
    found = pd.read_csv(FOLDER / "results.csv")
    for (dataset, _), rows in found.groupby(["dataset", "model"]):
        sizes = np.sort(rows["size"].to_numpy())
        assert len(sizes) == 8
        assert sizes[-1] / sizes[3] <= 4  # as far as a law is read
        if not dataset.startswith("synthetic"):
            assert len(load_dataset(dataset).X) >= 180
