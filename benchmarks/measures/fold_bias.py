"""Bias of the mean over folds of m test rows, for measures that are not means over rows.

``python -m benchmarks.measures.fold_bias`` prints, per measure and m, the mean score of 4,000
folds minus the score of the same predictions over all rows. The predictions are independent of the
folds, so everything but 0 is the size of the fold. Errors: normal, and Student's t with 5 degrees
of freedom, in standard deviations of the target.
"""

import numpy as np

from smalldata.measures.registry import find_measure
from smalldata.results.folds import Prediction
from smalldata.task import TaskKind

SIZES = (2, 3, 5, 8, 12, 20, 40, 80)
N_FOLDS = 4_000
KINDS = {"mcc": TaskKind.BINARY, "f1": TaskKind.BINARY, "average_precision": TaskKind.BINARY}


def values(rng: np.random.Generator, n: int, *, r2: float, heavy: bool) -> Prediction:
    """Return targets of variance 1 and predictions that account for ``r2`` of it."""
    noise = rng.standard_t(5, n) / np.sqrt(5 / 3) if heavy else rng.normal(size=n)
    value = np.sqrt(r2) * rng.normal(size=n)
    return Prediction(row=np.arange(n), y=value + np.sqrt(1 - r2) * noise, value=value)


def labels(rng: np.random.Generator, n: int, m: int, *, share: float, right: float) -> Prediction:
    """Return folds of m rows with the same number of positives each, at least one of either."""
    n_positive = min(max(1, round(share * m)), m - 1)
    y = np.tile(np.arange(m) < n_positive, n // m).astype(np.int64)
    label = np.where(rng.uniform(size=len(y)) < right, y, 1 - y)
    score = rng.normal(size=len(y)) + 2 * (right - 0.5) * 2 * y
    return Prediction(
        row=np.arange(len(y)),
        y=y,
        label=label,
        probabilities=np.column_stack([1 - score, score]),
    )


def bias(name: str, prediction: Prediction, m: int) -> float:
    """Return the mean over the folds that have a score, minus the score of all rows."""
    kind = KINDS.get(name, TaskKind.REGRESSION)
    measure, classes = find_measure(name, kind), ("control", "case")
    n = len(prediction.y) // m * m
    found = []
    for rows in np.arange(n).reshape(-1, m):
        parts = {
            part: None if getattr(prediction, part) is None else getattr(prediction, part)[rows]
            for part in ("label", "probabilities", "value")
        }
        fold = Prediction(row=rows, y=prediction.y[rows], **parts)
        score = measure.score(fold, classes=classes).value
        if score is not None:
            found.append(score)
    whole = measure.score(prediction, classes=classes).value
    assert whole is not None
    return float(np.mean(found)) - whole


def main() -> None:
    """Print one line per measure and setting."""
    rng = np.random.default_rng(0)
    print(f"{'measure':20s}{'setting':24s}" + "".join(f"{m:>9d}" for m in SIZES))
    for name in ("rmse", "r2", "spearman"):
        for r2 in (0.2, 0.7):
            for heavy in (False, True):
                line = [bias(name, values(rng, m * N_FOLDS, r2=r2, heavy=heavy), m) for m in SIZES]
                setting = f"R2 {r2}, {'t5' if heavy else 'normal'}"
                print(f"{name:20s}{setting:24s}" + "".join(f"{one:9.3f}" for one in line))
    for name in ("mcc", "f1", "average_precision"):
        for share in (0.5, 0.2):
            for right in (0.6, 0.8):
                line = [
                    bias(name, labels(rng, m * N_FOLDS, m, share=share, right=right), m)
                    for m in SIZES
                ]
                setting = f"prevalence {share}, {right:.0%}"
                print(f"{name:20s}{setting:24s}" + "".join(f"{one:9.3f}" for one in line))


if __name__ == "__main__":
    main()
