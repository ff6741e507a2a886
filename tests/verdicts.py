"""Ten comparisons with a known truth, and what their first screen says: ``verdicts.txt``.

``python tests/verdicts.py`` writes that file again. Read every line of it before you commit it: a
sentence must follow from the numbers below it, and must not contradict the truth above it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri

from smalldata.comparison.comparison import compare
from smalldata.measures.registry import score_prediction
from smalldata.report.comparison_page.overview import ComparisonSummary, summarize_comparison
from smalldata.report.comparison_page.verdict import say_comparison
from smalldata.report.plain import format_interval, format_number, format_p
from smalldata.report.sections.difference_words import say_odds
from smalldata.resampling.splitting import make_folds
from smalldata.results.comparison import Comparison
from smalldata.results.folds import FoldResult, Prediction
from smalldata.results.record import RunRecord
from smalldata.task import Dataset, Task, TaskKind, make_task

FILE = Path(__file__).with_name("verdicts.txt")
N_SPLITS, N_REPEATS = 5, 5


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The true AUC of each model on ``n`` samples.

    ``alike`` is the share of the noise that the models have in common.
    """

    name: str
    n: int
    linear: float
    knn: float
    mlp: float
    alike: float = 0.6

    @property
    def truth(self) -> dict[str, float]:
        """AUC of each model, by name."""
        return {"linear": self.linear, "knn": self.knn, "mlp": self.mlp, "dummy": 0.5}


SCENARIOS = (
    Scenario(name="no signal, few samples", n=40, linear=0.5, knn=0.5, mlp=0.5),
    Scenario(name="no signal, many samples", n=500, linear=0.5, knn=0.5, mlp=0.5),
    Scenario(name="weak signal, deep equal, few samples", n=40, linear=0.65, knn=0.6, mlp=0.65),
    Scenario(name="weak signal, deep ahead, many samples", n=500, linear=0.65, knn=0.6, mlp=0.72),
    Scenario(name="weak signal, deep behind, many samples", n=500, linear=0.65, knn=0.6, mlp=0.58),
    Scenario(name="strong signal, deep ahead, few samples", n=40, linear=0.85, knn=0.8, mlp=0.95),
    Scenario(name="strong signal, deep ahead, many samples", n=500, linear=0.85, knn=0.8, mlp=0.9),
    Scenario(name="strong signal, deep behind, few samples", n=40, linear=0.9, knn=0.8, mlp=0.75),
    Scenario(name="strong signal, deep behind, many samples", n=500, linear=0.9, knn=0.85, mlp=0.8),
    Scenario(
        name="strong signal, deep equal, many samples",
        n=1000,
        linear=0.9,
        knn=0.85,
        mlp=0.9,
        alike=0.99,
    ),
)


def make_comparison(scenario: Scenario, *, seed: int = 0) -> tuple[Comparison, ComparisonSummary]:
    """Draw the predictions of a scenario and compare the models.

    The margin of a model is its strength times the class, noise of the row that all models share,
    noise of the row in this repeat, and noise of the fold, as another training set brings it.
    """
    rng = np.random.default_rng(seed)
    task = _task(scenario.n, rng)
    y = task.y
    folds = [
        (repeat, fold, test)
        for repeat in range(N_REPEATS)
        for fold, (_, test) in enumerate(make_folds(y, N_SPLITS, stratify=True, seed=repeat))
    ]
    common = rng.normal(size=scenario.n)
    records = []
    for model, auc in scenario.truth.items():
        strength = ndtri(auc) / np.sqrt(2)
        own = rng.normal(size=scenario.n)
        results = []
        for repeat, fold, rows in folds:
            fresh = 0.7 * own[rows] + np.sqrt(1 - 0.49) * rng.normal(size=len(rows))
            noise = np.sqrt(scenario.alike) * common[rows] + np.sqrt(1 - scenario.alike) * fresh
            margin = 2 * (strength * (2 * y[rows] - 1) + noise)
            if model == "dummy":
                margin = np.zeros(len(rows))
            p = expit(margin)
            prediction = Prediction(
                row=rows,
                y=y[rows],
                label=(p > 0.5).astype(np.int64),
                probabilities=np.column_stack([1 - p, p]),
                margin=margin[:, None],
            )
            results.append(
                FoldResult(
                    repeat=repeat,
                    fold=fold,
                    status="ok",
                    seed=0,
                    n_train=scenario.n - len(rows),
                    prediction=prediction,
                    scores=score_prediction(prediction, kind=task.kind, classes=task.classes),
                )
            )
        records.append(_record(task, model, tuple(results)))
    comparison = compare(records)
    return comparison, summarize_comparison(comparison, records, task)


def _task(n: int, rng: np.random.Generator) -> Task:
    X = pd.DataFrame(rng.normal(size=(n, 20)), columns=[f"gene_{j}" for j in range(20)])
    y = np.array(["control", "case"], dtype=object)[rng.permutation(np.arange(n) % 2)]
    ids = np.array([f"s{i}" for i in range(n)], dtype=object)
    dataset = Dataset(
        name="toy", X=X, y=y, sample_ids=ids, kind=TaskKind.BINARY, target="y", positive="case"
    )
    return make_task(dataset)


def _record(task: Task, model: str, folds: tuple[FoldResult, ...]) -> RunRecord:
    kind = {"mlp": "smalldata.models.networks.mlp.MLP"}.get(model, f"smalldata.models.{model}")
    return RunRecord(
        dataset="toy",
        cv="rep5x5",
        model=model,
        kind=task.kind,
        classes=task.classes,
        measure="roc_auc",
        target="y",
        n_samples=task.n_samples,
        n_features=task.n_features,
        splits_key="f" * 64,
        test_train_ratio=1 / (N_SPLITS - 1),
        n_planned=len(folds),
        identity={"learner": {"_target_": kind, "name": model}},
        folds=folds,
    )


def write_verdict(scenario: Scenario) -> str:
    """Write the truth of a scenario, the sentences on it, and the numbers they follow from."""
    _, summary = make_comparison(scenario)
    words = say_comparison(summary)
    truth = ", ".join(f"{model} {auc:.2f}" for model, auc in scenario.truth.items())
    lines = [f"## {scenario.name}", f"truth, {scenario.n} samples: {truth}", ""]
    lines += [*words.leader, *words.baselines, *words.doubts, ""]
    for cell in summary.cells:
        score = cell.scores["roc_auc"]
        interval = format_interval(score.low, score.high)
        lines.append(f"{cell.rank} {cell.label} {format_number(score.mean)} ({interval})")
    for test in summary.tests:
        detectable = format_number(test.detectable)
        lines.append(
            f"{test.first} - {test.second}: {format_number(test.difference)} "
            f"({format_interval(test.low, test.high)}), {format_p(test.p_holm)}; {say_odds(test)}; "
            f"{test.word}; would have shown {detectable}"
        )
    return "\n".join(lines)


def write_verdicts() -> str:
    """Write all of them."""
    return "\n\n".join(write_verdict(scenario) for scenario in SCENARIOS) + "\n"


if __name__ == "__main__":
    FILE.write_text(write_verdicts())
