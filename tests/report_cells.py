"""Small real cells for the report tests: scikit-learn models, cross-validated and explained
exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from smalldata.comparison.tuning_summary import CellTrials
from smalldata.findings import Finding
from smalldata.measures.registry import score_prediction
from smalldata.report import ReportInputs
from smalldata.report.comparison_page.overview import ComparisonSummary
from smalldata.report.comparison_page.rows import ComparedCell, PairTest
from smalldata.report.sections.explanation import ExplanationSummary, RankedFeature
from smalldata.report.sections.explanation_samples import Heat, SampleValues
from smalldata.report.sections.scores import Difference, MeasureFacts
from smalldata.report.sections.task import BlockSize, ClassSize, TaskFacts
from smalldata.results.comparison import Word
from smalldata.results.evidence import Faithfulness, Interactions, NullImportances
from smalldata.results.explanation import Explanation
from smalldata.results.folds import FoldResult, Prediction
from smalldata.results.loss_curves import LossCurves
from smalldata.results.record import RunRecord
from smalldata.task import Dataset, Provenance, Task, TaskKind, make_task

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\"quoted\" 'name' & `more`",
    "a.b[0]['c']\\n${alert(3)}",
    "{{ 7 * 7 }}\u2028{% raw %}",
    "=sum(A1)",
)


def make_toy_task(
    kind: str = "binary",
    *,
    n_samples: int = 60,
    n_features: int = 12,
    n_classes: int = 3,
    blocks: int = 1,
    hostile: bool = False,
    categorical: bool = False,
    missing: bool = False,
    seed: int = 0,
) -> Task:
    """Table whose first features carry the target."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features))
    signal = 1.4 * X[:, 0] - X[:, 1] + 0.6 * X[:, 2]
    names = [f"gene_{j}" for j in range(n_features)]
    classes = (
        ["control", "impaired"] if kind == "binary" else [f"type {k}" for k in range(n_classes)]
    )
    ids = [f"S{i:03d}" for i in range(n_samples)]
    target = "outcome"
    if hostile:
        names[: len(HOSTILE)] = HOSTILE
        classes = [f"{HOSTILE[k % 5]}{k}" for k in range(len(classes))]
        ids[: len(HOSTILE)] = HOSTILE
        target = HOSTILE[0]
    frame = pd.DataFrame(X, columns=names)
    if missing:
        frame = frame.mask(rng.random(frame.shape) < 0.1)
    if categorical:
        codes = pd.Categorical.from_codes(rng.integers(0, 3, n_samples), ["e2", "e3", HOSTILE[0]])
        frame[names[1]] = pd.Series(codes)
    if kind == "regression":
        y: np.ndarray = signal + rng.normal(scale=0.5, size=n_samples)
    else:
        edges = np.quantile(signal, np.linspace(0, 1, len(classes) + 1))[1:-1]
        code = np.searchsorted(edges, signal + rng.normal(scale=0.8, size=n_samples))
        y = np.array(classes, dtype=object)[code]
    return make_task(
        Dataset(
            name=HOSTILE[0] if hostile else "toy",
            X=frame,
            y=y,
            sample_ids=np.array(ids, dtype=object),
            kind=TaskKind(kind),
            target=target,
            positive=classes[1] if kind == "binary" else None,
            feature_blocks=tuple(f"block {j * blocks // n_features}" for j in range(n_features)),
            provenance=Provenance(
                source="https://example.org/table.csv" if not hostile else HOSTILE[1],
                citation="Doe J (2020) A table. Journal 1: 2.",
                licence="CC0",
            ),
            findings=(Finding(code="SD008", what=HOSTILE[0]),) if hostile else (),
        )
    )


def numbers(task: Task) -> np.ndarray:
    """Feature table as plain numbers: codes for categories, zero for what is missing."""
    columns = [
        task.X[name].cat.codes if hasattr(task.X[name], "cat") else task.X[name] for name in task.X
    ]
    return np.nan_to_num(np.column_stack(columns).astype(float))


def make_record(
    task: Task,
    model: str = "linear",
    *,
    n_repeats: int = 2,
    n_splits: int = 4,
    fail: int = 0,
    **changes: object,
) -> RunRecord:
    """Cross-validate a scikit-learn model; the first ``fail`` folds are recorded as failed."""
    from sklearn.model_selection import RepeatedKFold

    X, y = numbers(task), task.y
    folds = []
    splitter = RepeatedKFold(n_splits=n_splits, n_repeats=n_repeats, random_state=0)
    for i, (train, test) in enumerate(splitter.split(X)):
        place = {"repeat": i // n_splits, "fold": i % n_splits, "seed": i}
        if i < fail:
            folds.append(FoldResult(**place, status="failed", reason="it did not converge <b>"))
            continue
        estimator = make_estimator(task, model).fit(X[train], y[train])
        if task.kind is TaskKind.REGRESSION:
            prediction = Prediction(row=test, y=y[test], value=estimator.predict(X[test]))
        else:
            p = estimator.predict_proba(X[test])
            prediction = Prediction(row=test, y=y[test], label=p.argmax(axis=1), probabilities=p)
        folds.append(
            FoldResult(
                **place,
                status="ok",
                n_train=len(train),
                prediction=prediction,
                scores=score_prediction(prediction, kind=task.kind, classes=task.classes),
                values={"C": 0.1 * (1 + i % 3), "penalty": "l2"},
                seconds={"tune": 0.0, "fit": 0.012, "predict": 0.001},
                notes=("early stopping was not possible",) if i == n_splits else (),
            )
        )
    settings = {
        "dataset": task.dataset.name,
        "cv": "rep5x5",
        "model": model,
        "identity": {"learner": {"name": model, "C": 1.0}, "seed": 0},
    }
    return RunRecord(
        **{
            **settings,
            "kind": task.kind,
            "classes": task.classes,
            "measure": task.measure,
            "target": task.dataset.target,
            "n_samples": task.n_samples,
            "n_features": task.n_features,
            "splits_key": "f" * 64,
            "test_train_ratio": 1 / (n_splits - 1),
            "n_planned": n_repeats * n_splits,
            "environment": {
                "python": "3.11",
                "command": f"python -m smalldata model={model} dataset=toy",
            },
            "folds": tuple(folds),
            **changes,
        }
    )


def make_estimator(task: Task, model: str):
    """A scikit-learn estimator for a model name of the table."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    classifies = task.kind is not TaskKind.REGRESSION
    if model == "dummy":
        return DummyClassifier(strategy="prior") if classifies else DummyRegressor()
    if model == "knn":
        return KNeighborsClassifier(9) if classifies else KNeighborsRegressor(9)
    weak = {"mlp": 0.02, "svm": 0.2}.get(model, 1.0)
    return LogisticRegression(C=weak, max_iter=500) if classifies else Ridge(1 / weak)


def make_explanation(
    task: Task, record: RunRecord, *, sampled: bool = False, **changes: object
) -> Explanation:
    """Exact Shapley values of a linear model, on the held-out rows of the first repeat."""
    X, y = numbers(task), task.y
    values, base, rows, folds = [], [], [], []
    for fold in record.folds:
        if fold.repeat or fold.prediction is None:
            continue
        test = fold.prediction.row
        train = np.setdiff1d(np.arange(task.n_samples), test)
        fitted = make_estimator(task, "linear").fit(X[train], y[train])
        coef = np.atleast_2d(fitted.coef_)
        values.append((X[test] - X[train].mean(axis=0))[:, :, None] * coef.T[None])
        base.append(
            np.tile(
                X[train].mean(axis=0) @ coef.T + np.atleast_1d(fitted.intercept_), (len(test), 1)
            )
        )
        rows.append(test)
        folds.append(np.full(len(test), fold.fold))
    phi = np.concatenate(values).astype(np.float32)
    row = np.concatenate(rows)
    outputs = task.classes if phi.shape[2] > 1 else (task.positive or task.dataset.target,)
    content = {
        "values": phi,
        "base_values": np.concatenate(base),
        "row": row,
        "repeat": np.zeros(len(row), dtype=np.int64),
        "fold": np.concatenate(folds),
        "feature_names": task.dataset.feature_names,
        "scale": "value" if task.kind is TaskKind.REGRESSION else "log-odds",
        "outputs": tuple(outputs),
        "additivity_error": 3e-8,
        "standard_errors": np.full(phi.shape, 0.2, dtype=np.float32) if sampled else None,
        "options": {"background": 40},
        "seconds": 0.4,
    }
    return Explanation(**{**content, **changes})


def add_evidence(
    task: Task, record: RunRecord, explanation: Explanation, n: int = 8
) -> Explanation:
    """The explanation with interactions of its first features and with scores without them.

    The numbers are made up, but for their shapes and their order: the pair of the two leading
    features is the strongest, and the leading features cost more than random ones.
    """
    rng = np.random.default_rng(0)
    importance = np.abs(explanation.values).mean(axis=(0, 2))
    leading = np.argsort(-importance, kind="stable")[:n]
    folds = np.unique(np.stack([explanation.repeat, explanation.fold], axis=1), axis=0)
    size = 0.1 * np.sqrt(np.outer(importance[leading], importance[leading]))
    drawn = rng.uniform(0.8, 1.2, (len(folds), n, n, explanation.values.shape[2]))
    magnitude = size[None, :, :, None] * (drawn + drawn.transpose(0, 2, 1, 3))
    magnitude[:, 0, 1] *= 3
    magnitude[:, 1, 0] = magnitude[:, 0, 1]
    magnitude[:, range(n), range(n)] = 0
    sizes = np.array([0, 1, 2, 5, 10, task.n_features])
    up = 1.0 if task.kind is not TaskKind.REGRESSION else -1.0
    lost = np.log1p(sizes) / np.log1p(task.n_features)
    noise = rng.normal(scale=0.01, size=(len(folds), 1))
    return replace(
        explanation,
        interactions=Interactions(
            feature=leading, magnitude=magnitude, repeat=folds[:, 0], fold=folds[:, 1]
        ),
        faithfulness=Faithfulness(
            measure=record.measure,
            n_removed=sizes,
            leading=0.9 - up * 0.4 * np.sqrt(lost) + noise,
            random=(0.9 - up * 0.4 * lost**2 + noise)[:, None, :].repeat(3, axis=1),
            repeat=folds[:, 0],
            fold=folds[:, 1],
        ),
    )


def add_losses(record: RunRecord, *, n_epochs: int = 30, held_out: bool = True) -> RunRecord:
    """The record with loss curves of two members per fold; each fold runs one epoch more."""
    folds = []
    for i, fold in enumerate(record.folds):
        if fold.status == "ok":
            steps = np.arange(n_epochs + i)[:, None] / n_epochs + np.array([[0.0, 0.1]])
            curves = LossCurves.of_members(
                0.1 + 0.6 * np.exp(-3 * steps),
                0.4 + (steps - 0.5) ** 2 if held_out else None,
                [n_epochs // 2, n_epochs // 2 - 3] if held_out else [n_epochs + i - 1] * 2,
                loss="cross-entropy in nats",
                n_planned=2 * n_epochs if held_out else n_epochs + i,
                patience=n_epochs // 3 if held_out else 0,
                guessing=0.6931472,
                schedule=("the learning rate falls to nearly 0",),
            )
            fold = replace(fold, losses=curves)
        folds.append(fold)
    return replace(record, folds=tuple(folds))


def make_null(explanation: Explanation, n: int = 19, *, share: float = 0.5) -> NullImportances:
    """Importances on permuted labels that reach a share of the largest true one."""
    observed = np.abs(explanation.values).mean(axis=(0, 2))
    values = np.random.default_rng(0).uniform(0, 0.9, (n, len(observed)))
    values[0, 0] = 1.0
    return NullImportances(
        permutation=np.arange(n), values=share * observed.max() * values, observed=observed
    )


def make_compared(model: str, rank: int | None = 1, **changes: object) -> ComparedCell:
    """A row of the table of a comparison."""
    content = {
        "hash": model,
        "model": model.split()[0],
        "label": model,
        "deep": False,
        "train_size": None,
        "href": "",
        "has_report": True,
        "rank": rank,
        "word": None,
        "status": "ok" if rank else "failed",
        "reason": "",
        "optimistic": False,
        "seconds": {},
        "scores": {},
        "versus_best": None,
    }
    return ComparedCell(**{**content, **changes})


ODDS = {
    Word.BETTER: (0.99, 0.01, 0.0),
    Word.EQUAL: (0.01, 0.97, 0.02),
    Word.UNCLEAR: (0.12, 0.48, 0.40),
    Word.WORSE: (0.0, 0.01, 0.99),
}


def make_gap(word: Word = Word.UNCLEAR, difference: float = -0.1, **changes: object) -> Difference:
    """A difference that has earned its word; its interval reaches 0.05 to both sides."""
    better, equal, worse = ODDS[word]
    content = {
        "difference": difference,
        "low": difference - 0.05,
        "high": difference + 0.05,
        "p_holm": 0.001 if word.is_clear else 0.2,
        "p_better": better,
        "p_equal": equal,
        "p_worse": worse,
        "rope": 0.01,
        "word": word,
        "detectable": 0.05,
    }
    return Difference(**{**content, **changes})


def make_test(first: str, second: str, word: Word = Word.BETTER, **changes: object) -> PairTest:
    """A test of two cells on all samples."""
    gap = make_gap(word, -0.1 if word is Word.WORSE else 0.1, **changes)
    return PairTest(**vars(gap), first=first, second=second, train_size=None, p=gap.p_holm)


MEASURE = MeasureFacts(
    name="roc_auc",
    title="ROC AUC",
    better="higher",
    guessing=0.5,
    says="",
    says_below_chance="",
    in_target_unit=False,
)


def make_comparison(*cells: ComparedCell, **changes: object) -> ComparisonSummary:
    """The page of a comparison, of which nothing else is known."""
    content = {
        "task": make_facts(),
        "dataset": "toy",
        "cv": "kfold",
        "measure": MEASURE,
        "measures": [MEASURE],
        "n_folds": 5,
        "means_over": "5 folds",
        "intervals_of": "",
        "test_name": "t-test",
        "n_models": len(cells),
        "cells": list(cells),
        "tests": [],
        "sizes": [],
        "best_corrected": None,
        "notes": (),
        "environment": [],
        "commands": [],
        "fold_scores": [],
        "curves": None,
        "agreement": None,
        "learning": None,
        "splits_key": "",
    }
    return ComparisonSummary(**{**content, **changes})


def inputs_of(task: Task, record: RunRecord, **known) -> ReportInputs:
    """What the page of one cell is made of."""
    return ReportInputs(task=task, record=record, **known)


def all_inputs(
    task: Task,
    records: Sequence[RunRecord],
    *,
    explanations: Mapping[str, Explanation] | None = None,
    trials: Mapping[str, CellTrials] | None = None,
    nulls: Mapping[str, NullImportances] | None = None,
) -> list[ReportInputs]:
    """What the page of a comparison is made of; evidence by the hash of the cell."""
    return [
        inputs_of(
            task,
            record,
            explanation=(explanations or {}).get(record.hash),
            trials=(trials or {}).get(record.hash),
            null=(nulls or {}).get(record.hash),
        )
        for record in records
    ]


def make_facts(**changes) -> TaskFacts:
    """A binary task of 200 samples in which nothing is odd."""
    facts = TaskFacts(
        kind="binary",
        target="Class",
        target_values=None,
        classes=[ClassSize(name=name, n=100, share=0.5) for name in ("c0", "c1")],
        positive="c1",
        n_samples=200,
        n_features=10,
        blocks=[BlockSize(name="rna", n=10)],
        missing=0.0,
        constant=[],
        censored=[],
        censored_by_class=[],
        n_groups=None,
        messages=[],
        warnings=[],
        provenance=[],
    )
    return replace(facts, **changes)


def make_ranked(name: str, *, share: float = 0.1, **changes) -> RankedFeature:
    """A row of the feature table."""
    row = RankedFeature(
        rank=1,
        name=name,
        block="rna",
        mean=share,
        sd=0.0,
        low=share,
        high=share,
        share=share,
        frequency=1.0,
        direction="up",
        n_missing=0,
        above=None,
    )
    return replace(row, **changes)


def make_summary(**changes) -> ExplanationSummary:
    """An exact explanation of five folds of which nothing else is known."""
    nothing = SampleValues(
        kept=[],
        kept_index=[],
        n_rest=0,
        phi=[],
        rest=[],
        base=[],
        final=[],
        order=[],
        columns=[],
        explained=[],
        heat=Heat(places=[], limits=[], n_features=0),
    )
    summary = ExplanationSummary(
        scale="log-odds",
        scale_means="",
        outputs=["c1"],
        n_features=130,
        n_samples=60,
        n_repeats=1,
        n_folds=5,
        top_k=10,
        features=[make_ranked("a", share=0.5)],
        n_unused=0,
        additivity_error=0.0,
        standard_error=None,
        relative_error=None,
        notes=[],
        blocks=[],
        importance=[],
        steady=None,
        null=None,
        pairs=None,
        removals=None,
        twins=None,
        samples=nothing,
    )
    return replace(summary, **changes)
