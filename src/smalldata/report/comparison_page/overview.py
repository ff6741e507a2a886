"""A comparison in plain numbers: scores, tests, curves, and what every model leans on.

Step in the line: Comparison + RunRecords + Task (+ Explanations) -> **plain dict** -> figures ->
HTML.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from smalldata.comparison.tuning_summary import CellTrials
from smalldata.measures.registry import find_measure, measures_for
from smalldata.models import is_deep
from smalldata.report.comparison_page.consensus import summarize_agreement
from smalldata.report.comparison_page.learning_curves import say_learning, summarize_learning
from smalldata.report.comparison_page.verdict import say_comparison
from smalldata.report.plain import flatten
from smalldata.report.sections.outcomes import (
    calibration,
    can_rank,
    curve_outputs,
    has_probabilities,
    pool_repeats,
    roc_curves,
)
from smalldata.report.sections.scores import describe_measure, find_test, names_of, summarize_task
from smalldata.report.sections.scores_words import SIGNIFICANT
from smalldata.report.sections.tuning import outline_tuning
from smalldata.report.sections.tuning_words import outline_text
from smalldata.results.comparison import Comparison, ComparisonRow
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation
from smalldata.results.record import RunRecord
from smalldata.runtime.sealing import strict_plain
from smalldata.task import Task

N_DRAWN = 7
"""Most models whose curves share a figure: the best ones."""


def summarize_comparison(
    comparison: Comparison,
    records: Sequence[RunRecord],
    task: Task,
    explanations: Mapping[str, Explanation] | None = None,
    trials: Mapping[str, CellTrials] | None = None,
    nulls: Mapping[str, NullImportances] | None = None,
) -> dict[str, Any]:
    """Describe a comparison with Python scalars, lists and dicts alone.

    Parameters
    ----------
    comparison : Comparison
    records : sequence of RunRecord
        The cells of the table, in any order.
    task : Task
    explanations : mapping of str to Explanation, optional
        By the hash of the cell.
    trials : mapping of str to CellTrials, optional
        By the hash of the cell.
    nulls : mapping of str to NullImportances, optional
        By the hash of the cell.
    """
    names = [measure.name for measure in measures_for(comparison.kind)]
    names.sort(key=lambda name: name != comparison.measure)
    by_hash = {record.hash: record for record in records}
    order = list(dict.fromkeys(row.hash for row in comparison.rows))
    cells = [
        _cell(comparison, key, names, by_hash.get(key))
        | {"tuning": _tuning(by_hash.get(key), (trials or {}).get(key))}
        for key in order
    ]
    ranked = [cell for cell in cells if cell["rank"] is not None]
    sizes = sorted({cell["train_size"] for cell in cells if cell["train_size"] is not None})
    tests = _tests(comparison, cells)
    measure = describe_measure(comparison.measure, comparison.kind)
    summary: dict[str, Any] = {
        "task": summarize_task(task),
        "dataset": comparison.dataset,
        "cv": comparison.cv,
        "measure": measure,
        "measures": [describe_measure(name, comparison.kind) for name in names],
        "n_folds": comparison.n_folds,
        "cells": cells,
        "tests": tests,
        "best_corrected": strict_plain(comparison.best_corrected),
        "sizes": sizes,
        "n_models": len({(cell["model"], cell["settings"]) for cell in cells}),
        "notes": [str(note) for note in comparison.notes],
        "environment": flatten(
            {
                key: value
                for key, value in comparison.environment.items()
                if key not in ("command", "sweep")
            }
        ),
        "commands": list(
            dict.fromkeys(
                str(record.environment["command"])
                for record in records
                if record.environment.get("command")
            )
        ),
        "fold_scores": _fold_scores(cells, by_hash, names),
        "curves": _curves(task, ranked, by_hash),
        "agreement": summarize_agreement(
            cells, tests, explanations or {}, nulls, better=measure["better"]
        ),
        "learning": None,
        "splits_key": comparison.splits_key,
    }
    summary["words"] = say_comparison(summary) | {"learning": []}
    if comparison.learning is not None:
        found = find_measure(comparison.measure, comparison.kind)
        summary["learning"] = strict_plain(summarize_learning(comparison.learning, found))
        summary["words"]["learning"] = say_learning(comparison.learning, found)
    return summary


def _cell(
    comparison: Comparison, key: str, names: Sequence[str], record: RunRecord | None
) -> dict[str, Any]:
    rows = {row.measure: row for row in comparison.rows if row.hash == key}
    own = rows.get(comparison.measure) or next(iter(rows.values()))
    seconds = {
        "tune": own.tune_seconds,
        "fit": own.fit_seconds,
        "predict": own.predict_seconds,
        "explain": own.explain_seconds,
    }
    n_train = [] if record is None else [fold.n_train for fold in record.folds if fold.n_train]
    best = _best(comparison, own)
    versus = None
    if best is not None and best.hash != own.hash and own.rank is not None:
        versus = find_test(comparison, own, best)
    label = own.label
    if own.train_size is not None:
        label = f"{label}, {own.train_size} samples"
    return {
        "hash": key,
        "model": own.model,
        "settings": own.settings,
        "deep": record is not None and is_deep(record.identity),
        "label": label,
        "names": sorted(names_of(own)),
        "train_size": own.train_size,
        "n_train": round(float(np.mean(n_train))) if n_train else None,
        "href": f"{own.model}-{key}/report.html",
        "has_report": record is not None and record.status != "skipped",
        "rank": own.rank,
        "tied": own.tied_with_best,
        "status": own.status,
        "reason": own.reason,
        "n_ok": own.n_ok,
        "n_failed": own.n_failed,
        "optimistic": own.optimistic,
        "seconds": seconds,
        "total_seconds": sum(value for value in seconds.values() if value is not None),
        "scores": {
            name: {"mean": rows[name].mean, "low": rows[name].ci_low, "high": rows[name].ci_high}
            for name in names
            if name in rows
        },
        "versus_best": versus,
    }


def _tuning(record: RunRecord | None, trials: CellTrials | None) -> dict[str, Any] | None:
    found = None if record is None else outline_tuning(record, trials)
    return found and found | {"text": outline_text(found)}


def _best(comparison: Comparison, own: ComparisonRow) -> ComparisonRow | None:
    peers = [
        row
        for row in comparison.rows
        if row.measure == comparison.measure
        and row.train_size == own.train_size
        and row.rank is not None
    ]
    return min(peers, key=lambda row: row.rank or 0, default=None)


def _tests(comparison: Comparison, cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All pairwise tests, with the labels of the table."""
    names = {(cell["train_size"], name): cell["label"] for cell in cells for name in cell["names"]}
    return [
        {
            "first": names[test.train_size, test.first],
            "second": names[test.train_size, test.second],
            "train_size": test.train_size,
            "difference": test.difference,
            "low": test.ci_low,
            "high": test.ci_high,
            "p": test.p,
            "p_holm": test.p_holm,
            "p_first": test.p_first_better,
            "p_equal": test.p_equal,
            "p_second": test.p_second_better,
            "rope": test.rope,
            "real": test.p_holm < SIGNIFICANT,
        }
        for test in comparison.tests
    ]


def _fold_scores(
    cells: Sequence[dict[str, Any]], by_hash: Mapping[str, RunRecord], names: Sequence[str]
) -> list[dict[str, Any]]:
    rows = []
    for position, cell in enumerate(cells):
        record = by_hash.get(cell["hash"])
        for fold in record.folds if record is not None else ():
            for m, name in enumerate(names):
                score = fold.scores.get(name)
                if fold.status == "ok" and score is not None and score.value is not None:
                    rows.append(
                        {
                            "c": position,
                            "m": m,
                            "repeat": fold.repeat,
                            "fold": fold.fold,
                            "value": float(f"{score.value:.5g}"),
                        }
                    )
    return rows


def _curves(
    task: Task, ranked: Sequence[dict[str, Any]], by_hash: Mapping[str, RunRecord]
) -> dict[str, Any]:
    """Mean ROC curve and calibration per model and class, of the best models with probabilities."""
    if not task.kind.is_classification:
        return {}
    drawn = []
    for cell in ranked:
        record = by_hash.get(cell["hash"])
        repeats = [] if record is None else pool_repeats(record.folds)
        if can_rank(repeats):
            drawn.append((cell, repeats))
    outputs = curve_outputs(task)
    return {
        "outputs": [task.classes[code] for code in outputs],
        "labels": [cell["label"] for cell, _ in drawn[:N_DRAWN]],
        "n_left_out": max(0, len(drawn) - N_DRAWN),
        "roc": [
            {"c": c, "k": k, **point}
            for c, (_, repeats) in enumerate(drawn[:N_DRAWN])
            for k, code in enumerate(outputs)
            for point in roc_curves(repeats, code)["mean"]
        ],
        "calibration": [
            {"c": c, "k": k, **point}
            for c, (_, repeats) in enumerate(drawn[:N_DRAWN])
            for k, code in enumerate(outputs)
            if has_probabilities(repeats)
            for point in calibration(repeats, code)["pooled"]
        ],
    }
