"""Writes the tables of README.md and docs/methods.md from the files of this folder.

python benchmarks/verdict/tables.py
"""

import re
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
METHODS = HERE.parents[1] / "docs" / "methods.md"
TITLES = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "balanced_accuracy": "balanced accuracy",
    "mcc": "MCC",
    "f1": "F1",
    "log_loss": "log loss",
    "brier": "Brier score",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R2",
    "spearman": "Spearman",
}


def coverage() -> str:
    """Return lowest, median and highest coverage and type I error of each cv and measure."""
    found = pd.read_csv(HERE / "coverage.csv")
    lines = [
        "| folds | measure | worlds | intervals hold: least | median | most | Nadeau & Bengio: "
        "least | median | halves differ: most | noise beats dummy: most |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (cv, measure), part in found.groupby(["cv", "measure"], sort=False):
        old = part["held_nadeau_bengio"]
        chance = part["rejected_against_dummy"].max()
        cells = [
            cv,
            TITLES[measure],
            str(len(part)),
            *(f"{part['held'].quantile(q):.3f}" for q in (0, 0.5, 1)),
            *(f"{old.quantile(q):.3f}" if old.notna().any() else "–" for q in (0, 0.5)),
            f"{part['rejected'].max():.3f}",
            "–" if pd.isna(chance) else f"{chance:.3f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def choice() -> str:
    """Return the bias of the best score, before and after the correction."""
    found = pd.read_csv(HERE / "choice.csv")
    what = {
        ("ridge", 1, 1.0): "one model",
        ("ridge", 3, 1.0): "three equal models, own features",
        ("ridge", 3, 0.7): "three models of different merit, own features",
        ("mixed", 3, 1.0): "two ridges and a knn, same features",
    }
    lines = [
        "| models | measure | truth | bias of the best | after the correction | standard error | "
        "interval holds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found.itertuples():
        cells = [
            what[row.learner, row.models, row.weaker],
            TITLES[row.measure],
            f"{row.truth:.3f}",
            f"{row.bias_uncorrected:+.4f}",
            f"{row.bias:+.4f}",
            f"{row.error_of_bias:.4f}",
            f"{row.held:.3f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sentences() -> str:
    """Return the shares of pages with a false word."""
    found = pd.read_csv(HERE / "sentences.csv")
    lines = [
        "| page of four models | true ROC AUC | false *clearly better* | false *practically "
        "equal* | pairs clear | equal | cannot be told apart |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found.itertuples():
        shares = (row.false_clear, row.false_equal, row.clear, row.equal, row.unclear)
        cells = [row.world, row.truth, *(f"{100 * share:.1f} %" for share in shares)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def permuted() -> str:
    """Return how often p-values of permuted labels are small where there is no signal."""
    found = pd.read_csv(HERE / "permutation_p.csv")
    return _plain(found)


def null_importances() -> str:
    """Return how often a noise feature is marked."""
    return _plain(pd.read_csv(HERE / "null_importances.csv"))


def _plain(found: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(found.columns) + " |", "|---" * len(found.columns) + "|"]
    for row in found.itertuples(index=False):
        cells = [f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def insert(path: Path, name: str, table: str) -> None:
    """Replace the table after a marker."""
    text = path.read_text(encoding="utf-8")
    pattern = rf"(<!-- {name} -->\n)(?:\n?\|[^\n]*\n)*"
    path.write_text(re.sub(pattern, lambda found: found[1] + table + "\n", text), encoding="utf-8")


def main() -> None:
    """Write every table."""
    insert(METHODS, "coverage", coverage())
    insert(HERE / "README.md", "coverage", coverage())
    insert(HERE / "README.md", "choice", choice())
    insert(HERE / "README.md", "sentences", sentences())
    insert(HERE / "README.md", "permuted", permuted())
    insert(HERE / "README.md", "null", null_importances())


if __name__ == "__main__":
    main()
