"""A comparison in plain numbers: scores, tests, curves, and the features that each model uses.

Step in the line: Comparison + RunRecords + Task (+ Explanations) -> **ComparisonSummary** -> words,
figures -> HTML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smalldata.comparison.scores import scores_by_fold
from smalldata.comparison.tuning_summary import CellTrials
from smalldata.comparison.words import (
    corrected_for_choice,
    describe_test,
    say_folds,
    say_interval_of,
)
from smalldata.measures.registry import find_measure, measures_for
from smalldata.report.comparison_page.consensus import AgreementSummary, summarize_agreement
from smalldata.report.comparison_page.learning_curves import LearningSummary, summarize_learning
from smalldata.report.comparison_page.rows import (
    ComparedCell,
    PairTest,
    compared_cells,
    pair_tests,
)
from smalldata.report.plain import flatten
from smalldata.report.sections.outcomes import (
    calibration,
    can_rank,
    curve_outputs,
    has_probabilities,
    pool_repeats,
    roc_curves,
)
from smalldata.report.sections.scores import MeasureFacts, describe_measure
from smalldata.report.sections.task import TaskFacts, summarize_task
from smalldata.results.comparison import Comparison
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation
from smalldata.results.record import RunRecord
from smalldata.task import Task

N_DRAWN = 7
"""Most models whose curves are drawn in one figure, the best first."""


@dataclass(frozen=True, kw_only=True)
class ModelCurves:
    """Curves of the best models together; ``c`` and ``k`` in a point are a model and a class.

    Attributes
    ----------
    outputs : list of str
        Classes, each against the rest.
    labels : list of str
        Of the models drawn; ``n_left_out`` are not.
    roc, calibration : list of dict
        Points of the figures.
    """

    outputs: list[str]
    labels: list[str]
    n_left_out: int
    roc: list[dict[str, Any]]
    calibration: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ComparisonSummary:
    """What the page of a comparison shows.

    Attributes
    ----------
    task : TaskFacts
    measure : MeasureFacts
        The primary one; the first of ``measures``.
    n_models : int
        Models with different settings counted separately, different train_sizes together.
    cells : list of ComparedCell
        Best first.
    sizes : list of int
        Each train_size that was set.
    means_over : str
        The folds that the means are over: "25 folds", or "15 of 25 folds".
    test_name : str
        How two models are tested.
    intervals_of : str
        The sentence that says what an interval is of.
    best_corrected : mapping or None
        As in the Comparison; None too if its interval covers all that the measure can be.
    environment : list of (name, text)
    commands : list of str
        Of the cells' runs.
    fold_scores : list of dict
        Rows of the figure: measure, cell, repeat, fold, value.
    curves, agreement, learning
        None if there is nothing to show.
    """

    task: TaskFacts
    dataset: str
    cv: str
    measure: MeasureFacts
    measures: list[MeasureFacts]
    n_folds: int
    means_over: str
    intervals_of: str
    test_name: str
    n_models: int
    cells: list[ComparedCell]
    tests: list[PairTest]
    sizes: list[int]
    best_corrected: Mapping[str, float] | None
    notes: tuple[str, ...]
    environment: list[tuple[str, str]]
    commands: list[str]
    fold_scores: list[dict[str, Any]]
    curves: ModelCurves | None
    agreement: AgreementSummary | None
    learning: LearningSummary | None
    splits_key: str


def summarize_comparison(
    comparison: Comparison,
    records: Sequence[RunRecord],
    task: Task,
    explanations: Mapping[str, Explanation] | None = None,
    trials: Mapping[str, CellTrials] | None = None,
    nulls: Mapping[str, NullImportances] | None = None,
) -> ComparisonSummary:
    """Describe a comparison in plain numbers.

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
    kind = comparison.kind
    names = [measure.name for measure in measures_for(kind)]
    names.sort(key=lambda name: name != comparison.measure)
    measures = [describe_measure(name, kind) for name in names]
    by_hash = {record.hash: record for record in records}
    cells = compared_cells(comparison, by_hash, trials or {})
    tests = pair_tests(comparison)
    shown = {
        key: value
        for key, value in comparison.environment.items()
        if key not in ("command", "sweep")
    }
    commands = [record.environment.get("command") for record in records]
    return ComparisonSummary(
        task=summarize_task(task),
        dataset=comparison.dataset,
        cv=comparison.cv,
        measure=measures[0],
        measures=measures,
        n_folds=comparison.n_folds,
        means_over=say_folds(comparison),
        intervals_of=say_interval_of(comparison),
        test_name=describe_test(comparison),
        n_models=len({row.label for row in comparison.rows}),
        cells=cells,
        tests=tests,
        sizes=sorted({cell.train_size for cell in cells if cell.train_size is not None}),
        best_corrected=corrected_for_choice(comparison),
        notes=comparison.notes,
        environment=flatten(shown),
        commands=list(dict.fromkeys(str(command) for command in commands if command)),
        fold_scores=_fold_scores(cells, by_hash, names),
        curves=_curves(task, cells, by_hash),
        agreement=summarize_agreement(cells, tests, explanations or {}, nulls or {}),
        learning=None
        if comparison.learning is None
        else summarize_learning(comparison.learning, find_measure(comparison.measure, kind)),
        splits_key=comparison.splits_key,
    )


def _fold_scores(
    cells: Sequence[ComparedCell], by_hash: Mapping[str, RunRecord], names: Sequence[str]
) -> list[dict[str, Any]]:
    rows = []
    for position, cell in enumerate(cells):
        record = by_hash.get(cell.hash)
        if record is None:
            continue
        for m, name in enumerate(names):
            for fold, score in scores_by_fold(record, find_measure(name, record.kind)):
                if score.value is not None:
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
    task: Task, cells: Sequence[ComparedCell], by_hash: Mapping[str, RunRecord]
) -> ModelCurves | None:
    """Mean ROC curve and calibration per model and class, of the best models with probabilities."""
    if not task.kind.is_classification:
        return None
    drawn = []
    for cell in cells:
        record = by_hash.get(cell.hash)
        repeats = [] if record is None or cell.rank is None else pool_repeats(record.folds)
        if can_rank(repeats):
            drawn.append((cell, repeats))
    if not drawn:
        return None
    outputs = curve_outputs(task)
    return ModelCurves(
        outputs=[task.classes[code] for code in outputs],
        labels=[cell.label for cell, _ in drawn[:N_DRAWN]],
        n_left_out=max(0, len(drawn) - N_DRAWN),
        roc=[
            {"c": c, "k": k, **point}
            for c, (_, repeats) in enumerate(drawn[:N_DRAWN])
            for k, code in enumerate(outputs)
            for point in roc_curves(repeats, code).mean
        ],
        calibration=[
            {"c": c, "k": k, **point}
            for c, (_, repeats) in enumerate(drawn[:N_DRAWN])
            for k, code in enumerate(outputs)
            if has_probabilities(repeats)
            for point in calibration(repeats, code).pooled
        ],
    )
