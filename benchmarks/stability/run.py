"""Do intervals of stability hold on fresh tables? Writes ``results.csv`` and the README's table.

Each table has two classes of normal rows, some features shifted; every training fold takes the ten
features of largest |t|. The stability of a cell's tables differs from table to table; an interval
should hold its mean in 95 of 100 tables.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.statistics.rank_stability import OVERLAP, nogueira, top_k_sets

FOLDER = Path(__file__).parent
N_TABLES = 1000
TOP = 10
CELLS = [
    # n_samples, n_features, n_real, effect, n_splits, n_repeats
    (60, 60, 8, 1.0, 5, 5),
    (60, 200, 8, 0.8, 5, 5),
    (150, 60, 10, 0.5, 5, 5),
    (200, 40, 12, 0.4, 5, 5),
    (80, 1000, 10, 1.0, 5, 5),
    (60, 60, 0, 0.0, 5, 5),
    (60, 60, 8, 1.0, 5, 1),
    (60, 60, 8, 1.0, 3, 5),
    (60, 60, 8, 1.0, 3, 2),
    (100, 500, 15, 0.7, 10, 1),
    (300, 100, 8, 0.5, 10, 1),
    (100, 100, 8, 0.7, 10, 5),
]


def draw_sets(
    rng: np.random.Generator,
    n: int,
    n_features: int,
    n_real: int,
    effect: float,
    n_splits: int,
    n_repeats: int,
) -> NDArray[np.bool_]:
    """Draw a table and return the features that each of its training folds takes."""
    y = rng.permutation(np.arange(n) % 2)
    X = rng.normal(size=(n, n_features))
    X[:, :n_real] += np.outer(y - 0.5, np.linspace(0.5 * effect, 1.2 * effect, n_real))
    scores = []
    for _ in range(n_repeats):
        order = rng.permutation(n)
        for fold in range(n_splits):
            kept = np.delete(order, np.s_[fold::n_splits])
            a, b = X[kept[y[kept] == 1]], X[kept[y[kept] == 0]]
            spread = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
            scores.append(np.abs(a.mean(axis=0) - b.mean(axis=0)) / spread)
    return top_k_sets(np.array(scores), TOP)


def run_cell(cell: tuple[int, int, int, float, int, int]) -> dict[str, object]:
    """Return how often each interval holds the mean stability of a cell."""
    n, n_features, n_real, _, n_splits, n_repeats = cell
    rng = np.random.default_rng(0)
    sets = [draw_sets(rng, *cell) for _ in range(N_TABLES)]
    row: dict[str, object] = {
        "table": f"{n} x {n_features}, {n_real} real",
        "folds": f"{n_splits} x {n_repeats}",
    }
    forms = {"independent": 0.0, "n_test / n_train": 1 / (n_splits - 1), "used": OVERLAP}
    for name, overlap in forms.items():
        found = np.array([nogueira(one, overlap=overlap) for one in sets])
        truth = found[:, 0].mean()
        row |= {"mean": round(truth, 3), "sd": round(float(found[:, 0].std()), 3)}
        row[name] = round(float(np.mean((found[:, 1] <= truth) & (truth <= found[:, 2]))), 3)
    return row


def main() -> None:
    """Simulate all cells and write the files."""
    frame = pd.DataFrame([run_cell(cell) for cell in CELLS])
    frame.to_csv(FOLDER / "results.csv", index=False)
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * len(frame.columns)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in frame.itertuples(index=False)]
    readme = FOLDER / "README.md"
    before, _, rest = readme.read_text().partition("<!-- table -->\n")
    after = rest.partition("<!-- /table -->")[2]
    table = "\n".join(lines)
    readme.write_text(f"{before}<!-- table -->\n{table}\n<!-- /table -->{after}")


if __name__ == "__main__":
    main()
