"""One cell in plain numbers: what was asked, how well it went, and against what.

Step in the line: RunRecord + Task (+ Explanation, Comparison) -> **plain dict** -> figures -> HTML.
"""

from collections import Counter
from typing import Any

import numpy as np

from smalldata.measures.registry import Measure, find_measure, measures_for
from smalldata.report.plain import flatten
from smalldata.report.sections.explanation import summarize_explanation
from smalldata.report.sections.outcomes import summarize_outcomes
from smalldata.results.comparison import Comparison, ComparisonRow, PairwiseTest
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation
from smalldata.results.record import RunRecord
from smalldata.runtime.sealing import strict_plain
from smalldata.statistics.significance import corrected_interval
from smalldata.task import Task, TaskKind


def summarize_cell(
    task: Task,
    record: RunRecord,
    explanation: Explanation | None = None,
    comparison: Comparison | None = None,
    null: NullImportances | None = None,
) -> dict[str, Any]:
    """Describe one cell with Python scalars, lists and dicts alone.

    Parameters
    ----------
    task : Task
    record : RunRecord
    explanation : Explanation, optional
    comparison : Comparison, optional
        The table the cell belongs to: gives the intervals, the rank and the test against ``dummy``.
    null : NullImportances, optional
        What permuted labels gave, explained as the explanation; ``null`` in it.

    Returns
    -------
    dict
        JSON-ready: ``task``, ``cell``, ``scores``, ``against``, ``outcomes``, ``explanation``,
        ``provenance``, ``settings``.
    """
    return {
        "task": summarize_task(task),
        "cell": _cell(record),
        "scores": _scores(task, record, comparison),
        "against": _against(record, comparison),
        "outcomes": summarize_outcomes(task, record),
        "explanation": None
        if explanation is None
        else summarize_explanation(
            task, explanation, null=null, test_train_ratio=record.test_train_ratio
        ),
        "settings": _settings(record),
    }


def summarize_task(task: Task) -> dict[str, Any]:
    """Describe the data and the question put to it."""
    dataset = task.dataset
    classes = []
    if task.kind.is_classification:
        counts = np.bincount(task.y, minlength=len(task.classes))
        classes = [
            {"name": name, "n": int(n), "share": float(n / task.n_samples)}
            for name, n in zip(task.classes, counts, strict=True)
        ]
    blocks = Counter(dataset.feature_blocks)
    missing = float(task.X.isna().to_numpy().mean()) if task.n_features else 0.0
    provenance = dataset.provenance
    target: dict[str, float] = {}
    if task.kind is TaskKind.REGRESSION:
        target = {
            "mean": float(np.mean(task.y)),
            "sd": float(np.std(task.y, ddof=1)),
            "low": float(np.min(task.y)),
            "high": float(np.max(task.y)),
        }
    return {
        "dataset": dataset.name,
        "kind": str(task.kind),
        "target": dataset.target,
        "target_values": target,
        "classes": classes,
        "positive": task.positive,
        "measure": task.measure,
        "n_samples": task.n_samples,
        "n_features": task.n_features,
        "blocks": [{"name": str(name), "n": n} for name, n in blocks.items()],
        "missing": missing,
        "constant": list(dataset.constant_features),
        "n_groups": None if task.groups is None else len(np.unique(task.groups.astype(str))),
        "messages": [str(text) for text in dataset.messages],
        "warnings": [str(text) for text in dataset.warnings],
        "provenance": [
            (label, text)
            for label, text in (
                ("Source", provenance.source),
                ("Citation", provenance.citation),
                ("Licence", provenance.licence),
                ("SHA-256 of the file", provenance.sha256),
                ("Fingerprint of the table", task.content_key),
                ("Fingerprint of ids, target and groups", task.split_key),
            )
            if text
        ],
    }


def describe_measure(name: str, kind: TaskKind) -> dict[str, Any]:
    """Title, direction and chance level of a measure."""
    measure: Measure = find_measure(name, kind)
    return {
        "name": measure.name,
        "title": measure.title,
        "better": "close to 1"
        if measure.target is not None
        else "higher"
        if measure.higher_is_better
        else "lower",
        "ranked": measure.ranked,
        "guessing": measure.chance,
        "says": measure.says,
        "says_below_chance": measure.says_below_chance,
        "in_target_unit": measure.in_target_unit,
    }


def rows_of(comparison: Comparison | None, cell_hash: str) -> dict[str, ComparisonRow]:
    """Rows of one cell by measure."""
    if comparison is None:
        return {}
    return {row.measure: row for row in comparison.rows if row.hash == cell_hash}


def names_of(row: ComparisonRow) -> set[str]:
    """All names a pairwise test may call a cell by."""
    return {row.hash, row.label, f"{row.model}-{row.hash}"}


def find_test(
    comparison: Comparison, first: ComparisonRow, second: ComparisonRow
) -> dict[str, Any] | None:
    """Pairwise test of two cells, turned so that ``difference`` is first minus second."""
    for test in comparison.tests:
        if test.train_size != first.train_size:
            continue
        if test.first in names_of(first) and test.second in names_of(second):
            return _test(test)
        if test.first in names_of(second) and test.second in names_of(first):
            return _test(test, turned=True)
    return None


def _test(test: PairwiseTest, *, turned: bool = False) -> dict[str, Any]:
    sign = -1.0 if turned else 1.0
    ends = (sign * test.ci_low, sign * test.ci_high)
    better, worse = test.p_first_better, test.p_second_better
    return {
        "difference": sign * test.difference,
        "low": min(ends),
        "high": max(ends),
        "p": test.p,
        "p_holm": test.p_holm,
        "p_better": worse if turned else better,
        "p_equal": test.p_equal,
        "p_worse": better if turned else worse,
        "rope": test.rope,
    }


# ---------------------------------------------------------------- the parts of a cell


def _cell(record: RunRecord) -> dict[str, Any]:
    notes = Counter(note for fold in record.folds for note in fold.notes)
    n_ok = sum(fold.status == "ok" for fold in record.folds)
    seconds = {
        part: sum(fold.seconds.get(part, 0.0) for fold in record.folds)
        for part in ("tune", "fit", "predict")
    }
    if record.explain_seconds is not None:
        seconds["explain"] = record.explain_seconds
    return {
        "model": record.model,
        "label": record.label,
        "dataset": record.dataset,
        "cv": record.cv,
        "hash": record.hash,
        "folder": record.folder,
        "status": record.status,
        "reason": record.reason,
        "train_size": record.train_size,
        "n_planned": record.n_planned,
        "n_ok": n_ok,
        "n_repeats": len({fold.repeat for fold in record.folds}),
        "n_folds": len({fold.fold for fold in record.folds}),
        "n_train": sorted({fold.n_train for fold in record.folds if fold.status == "ok"}),
        "failed": [
            {"fold": fold.name, "reason": fold.reason}
            for fold in record.folds
            if fold.status == "failed"
        ],
        "notes": [{"text": text, "n": n} for text, n in notes.most_common()],
        "seconds": seconds,
        "command": str(record.environment.get("command", "")),
        "optimistic": bool(record.identity.get("optimistic", False)),
        "instead": str(record.environment.get("sweep", {}).get("instead", "")),
    }


def _scores(task: Task, record: RunRecord, comparison: Comparison | None) -> list[dict[str, Any]]:
    """Per measure, the primary first: mean, corrected interval, and the score of every fold."""
    names = [measure.name for measure in measures_for(task.kind)]
    names.sort(key=lambda name: name != record.measure)
    rows = rows_of(comparison, record.hash)
    scores = []
    for name in names:
        folds = [
            {
                "fold": fold.name,
                "repeat": fold.repeat,
                "value": strict_plain(fold.scores[name].value),
                "reason": fold.scores[name].reason or fold.scores[name].note,
            }
            for fold in record.folds
            if fold.status == "ok" and name in fold.scores
        ]
        values = [fold["value"] for fold in folds if fold["value"] is not None]
        row = rows.get(name)
        mean, low, high = mean_interval(values, record.test_train_ratio)
        if row is not None and row.mean is not None:
            mean, low, high = row.mean, row.ci_low, row.ci_high
        reasons = Counter(fold["reason"] for fold in folds if fold["value"] is None)
        scores.append(
            {
                **describe_measure(name, task.kind),
                "mean": mean,
                "low": low,
                "high": high,
                "min": min(values, default=None),
                "max": max(values, default=None),
                "n": len(values),
                "folds": folds,
                "undefined": [{"reason": text, "n": n} for text, n in reasons.most_common()],
            }
        )
    return scores


def mean_interval(
    values: list[float], test_train_ratio: float
) -> tuple[float | None, float | None, float | None]:
    """Mean of fold scores with the corrected 95 % interval; no interval for one fold.

    Example
    -------
    >>> mean_interval([0.75], 0.25)
    (0.75, None, None)
    """
    if len(values) < 2:
        return (values[0] if values else None), None, None
    found = corrected_interval(values, ratio=test_train_ratio)
    return found.mean, found.low, found.high


def _against(record: RunRecord, comparison: Comparison | None) -> dict[str, Any] | None:
    """Place a cell in its comparison: rank, ties, tests against dummy, linear, the best."""
    if comparison is None:
        return None
    own = rows_of(comparison, record.hash).get(comparison.measure)
    if own is None:
        return None
    peers = [
        row
        for row in comparison.rows
        if row.measure == comparison.measure
        and row.train_size == own.train_size
        and row.mean is not None
        and row.rank is not None
    ]
    best = min(peers, key=lambda row: row.rank or 0, default=None)

    def against(model: str) -> dict[str, Any] | None:
        others = [row for row in peers if row.model == model and row.hash != own.hash]
        for other in others:
            test = find_test(comparison, own, other)
            if test is not None:
                return {"model": other.model, "mean": other.mean, **test}
        return None

    versus_best = None
    if best is not None and best.hash != own.hash:
        test = find_test(comparison, own, best)
        if test is not None:
            versus_best = {"model": best.model, "mean": best.mean, **test}
    return {
        "rank": own.rank,
        "n_ranked": len(peers),
        "tied_with_best": own.tied_with_best,
        "n_tied": sum(row.tied_with_best for row in peers),
        "best": None if best is None else best.model,
        "optimistic": own.optimistic,
        "dummy": against("dummy"),
        "linear": against("linear"),
        "versus_best": versus_best,
    }


def _settings(record: RunRecord) -> dict[str, Any]:
    """List what the cell was run with; tuned values as their range or list."""
    values: dict[str, list[Any]] = {}
    for fold in record.folds:
        for key, value in fold.values.items():
            values.setdefault(key, []).append(value)
    hyperparameters = []
    for key, given in values.items():
        distinct = list(dict.fromkeys(str(value) for value in given))
        if len(distinct) == 1:
            text = distinct[0]
        elif all(isinstance(value, int | float) for value in given):
            text = (
                f"{min(given):g} to {max(given):g}, median {np.median(given):g} (chosen in "
                "each "
                "fold)"
            )
        else:
            counts = Counter(str(value) for value in given)
            text = ", ".join(f"{name} ({n} folds)" for name, n in counts.most_common())
        hyperparameters.append((key, text))
    return {
        "hyperparameters": hyperparameters,
        "changed": flatten(record.settings),
        "identity": flatten(record.identity),
        "environment": flatten(record.environment),
        "splits_key": record.splits_key,
    }
