"""One cell in plain numbers: what was asked, how well it went, and against what.

Step in the line: `ReportInputs` -> **CellSummary** -> figures -> HTML.
"""

from collections import Counter
from dataclasses import dataclass

from smalldata.report.inputs import ReportInputs
from smalldata.report.sections.explanation import ExplanationSummary, summarize_explanation
from smalldata.report.sections.outcomes import Outcomes, summarize_outcomes
from smalldata.report.sections.scores import (
    Score,
    Standing,
    Tally,
    summarize_scores,
    summarize_standing,
    tallies,
)
from smalldata.report.sections.settings import Settings, summarize_settings
from smalldata.report.sections.task import TaskFacts, summarize_task
from smalldata.results.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class FailedFold:
    """A fold and why it failed."""

    fold: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class CellFacts:
    """What was run and how it ended.

    Attributes
    ----------
    n_planned, n_ok : int
        Folds that were to be run; those that finished.
    n_repeats, n_folds : int
        Of the cross-validation.
    n_train : int or None
        Samples a model was trained on in the mean fold; None if no fold finished.
    seconds : dict of str to float
        By part: tune, fit, predict, threshold if one was chosen, explain.
    command : str
        The command line that makes the cell again.
    instead : str
        Of an optimistic cell: the command of the same search inside the folds.
    """

    model: str
    label: str
    dataset: str
    cv: str
    status: str
    reason: str
    train_size: int | None
    n_planned: int
    n_ok: int
    n_repeats: int
    n_folds: int
    n_train: int | None
    failed: list[FailedFold]
    notes: list[Tally]
    seconds: dict[str, float]
    command: str
    optimistic: bool
    instead: str


@dataclass(frozen=True, kw_only=True)
class CellSummary:
    """All numbers of a cell's page but those of its signature, tuning and training.

    Attributes
    ----------
    scores : list of Score
        The primary measure first; empty where no fold was finished.
    against : Standing or None
        None without a comparison that holds the cell.
    outcomes : ClassOutcomes, ValueOutcomes or None
    explanation : ExplanationSummary or None
    """

    task: TaskFacts
    cell: CellFacts
    scores: list[Score]
    against: Standing | None
    outcomes: Outcomes | None
    explanation: ExplanationSummary | None
    settings: Settings


def summarize_cell(inputs: ReportInputs) -> CellSummary:
    """Describe one cell in plain numbers.

    Parameters
    ----------
    inputs : ReportInputs
        The comparison gives the intervals, the rank and the test against ``dummy``.

    Returns
    -------
    CellSummary
    """
    task, record, comparison = inputs.task, inputs.record, inputs.comparison
    return CellSummary(
        task=summarize_task(task),
        cell=_describe_run(record),
        scores=summarize_scores(task, record, comparison),
        against=summarize_standing(record, comparison),
        outcomes=summarize_outcomes(task, record),
        explanation=None
        if inputs.explanation is None
        else summarize_explanation(
            task,
            inputs.explanation,
            null=inputs.null,
            test_train_ratio=record.test_train_ratio,
        ),
        settings=summarize_settings(record),
    )


def _describe_run(record: RunRecord) -> CellFacts:
    notes = Counter(note for fold in record.folds for note in fold.notes)
    seconds = {
        part: sum(fold.seconds.get(part, 0.0) for fold in record.folds)
        for part in ("tune", "fit", "predict")
    }
    if any("threshold" in fold.seconds for fold in record.folds):
        seconds["threshold"] = sum(fold.seconds.get("threshold", 0.0) for fold in record.folds)
    trained = [fold.n_train for fold in record.folds if fold.status == "ok"]
    if record.explain_seconds is not None:
        seconds["explain"] = record.explain_seconds
    return CellFacts(
        model=record.model,
        label=record.label,
        dataset=record.dataset,
        cv=record.cv,
        status=record.status,
        reason=record.reason,
        train_size=record.train_size,
        n_planned=record.n_planned,
        n_ok=sum(fold.status == "ok" for fold in record.folds),
        n_repeats=len({fold.repeat for fold in record.folds}),
        n_folds=len({fold.fold for fold in record.folds}),
        n_train=round(sum(trained) / len(trained)) if trained else None,
        failed=[
            FailedFold(fold=fold.name, reason=fold.reason)
            for fold in record.folds
            if fold.status == "failed"
        ],
        notes=tallies(notes),
        seconds=seconds,
        command=str(record.environment.get("command", "")),
        optimistic=bool(record.identity.get("optimistic", False)),
        instead=str(record.environment.get("sweep", {}).get("instead", "")),
    )
