"""The numbers of one cell's tuning: values chosen, trials, importances, optimism.

Step in the line: RunRecord + CellTrials -> **TuningSummary** -> figures -> HTML. An untuned cell
has none.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from smalldata.comparison.tuning_summary import (
    CellTrials,
    Dimension,
    TunedFold,
    dimensions,
    tuned_folds,
)
from smalldata.measures.registry import Measure, find_measure
from smalldata.report.plain import Estimate, round_significant
from smalldata.report.sections.scores import mean_interval
from smalldata.report.sections.tuning_parameters import (
    Parameter,
    Placed,
    place_value,
    summarize_parameter,
)
from smalldata.results.record import RunRecord

MOST_TRIALS = 2500
"""Most trials drawn and listed; if there are more, those of the first outer folds."""


STATES = ("ok", "pruned", "failed")


@dataclass(frozen=True, kw_only=True)
class Optimism(Estimate):
    """By how much the inner score flatters: mean over the folds that have both scores.

    Attributes
    ----------
    inner, outer : float or None
        Mean scores of these folds.
    n : int
        These folds.
    """

    inner: float | None
    outer: float | None
    n: int


@dataclass(frozen=True, kw_only=True)
class TuningOutline(Optimism):
    """A tuned cell in a table of several models.

    Attributes
    ----------
    fewest, most : int
        Trials of a fold.
    measure : str
        Title of the one the trials were judged by.
    n_tuned, n_stayed : int
        Folds that chose a trial, and those of them where it was the untuned default.
    """

    fewest: int
    most: int
    measure: str
    n_tuned: int
    n_stayed: int


@dataclass(frozen=True, kw_only=True)
class FoldChoice:
    """What one outer fold chose.

    Attributes
    ----------
    trial : int or None
        0 where the untuned default stayed, None where no trial finished.
    counts : mapping
        Trials by state, ``n_trials`` together.
    inner, outer, optimism : float or None
    choice : list of Placed
        In the order of the hyperparameters.
    """

    name: str
    trial: int | None
    n_trials: int
    counts: Mapping[str, int]
    seconds: float
    inner: float | None
    outer: float | None
    optimism: float | None
    choice: list[Placed]


@dataclass(frozen=True, kw_only=True)
class ListedTrial:
    """A trial of the outer fold at position ``fold``: its values, and where they lie."""

    fold: int
    trial: int
    state: str
    chosen: bool
    score: float | None
    values: list[Any]
    at: list[float | None]


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """How many folds have importances, how many were asked for, and why some have none."""

    n_known: int
    n_asked: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class TuningSettings:
    """What the tuning was asked to do."""

    choose: str
    sampler: str | None
    inner_folds: int
    inner_repeats: int


@dataclass(frozen=True, kw_only=True)
class TuningSummary:
    """The tuning of a cell.

    Attributes
    ----------
    measure : Measure
        That the trials were judged by.
    settings : TuningSettings
    n_inner : list of int
        Inner folds that were scored: over the outer folds.
    n_folds, n_untuned, n_stayed : int
        Finished outer folds, those without a trial, and those where the untuned default stayed.
    counts : mapping
        Trials by state, ``n_trials`` together.
    per_fold : list of int
        Trials of a tuned fold, from the fewest to the most.
    failures : list of (str, int)
        The most common reasons, with their numbers of trials.
    fits : mapping
        Fits on inner folds: done, and spared by pruning.
    seconds : float
    optimism : Optimism
    parameters : list of Parameter
    folds : list of FoldChoice
    trials : list of ListedTrial
        Of the first ``n_listed`` folds.
    importance : Weighed
    """

    measure: Measure
    settings: TuningSettings
    n_inner: list[int]
    n_folds: int
    n_untuned: int
    n_stayed: int
    counts: Mapping[str, int]
    n_trials: int
    per_fold: list[int]
    failures: list[tuple[str, int]]
    fits: Mapping[str, int]
    seconds: float
    optimism: Optimism
    parameters: list[Parameter]
    folds: list[FoldChoice]
    trials: list[ListedTrial]
    n_listed: int
    importance: Weighed

    @property
    def n_tuned(self) -> int:
        """Outer folds that chose a trial."""
        return self.n_folds - self.n_untuned


def summarize_tuning(record: RunRecord, trials: CellTrials | None) -> TuningSummary | None:
    """Describe the tuning of a cell, or return None if it was not tuned or has no trials stored."""
    space = dimensions(record)
    if trials is None or not space:
        return None
    folds = tuned_folds(record, trials)
    if not folds:
        return None
    rows = trials.rows()
    tuning = record.identity["tuning"]
    stored = trials.importances or {}
    used = [fold for fold in folds if fold.chosen is not None]
    failures = Counter(row["reason"] for row in rows if row["state"] == "failed")
    listed, n_listed = _trials(rows, folds, space)
    return TuningSummary(
        measure=find_measure(trials.measure, record.kind),
        settings=TuningSettings(
            choose=tuning["choose"],
            sampler=tuning.get("sampler"),
            inner_folds=tuning["inner_folds"],
            inner_repeats=tuning.get("inner_repeats") or 1,
        ),
        n_inner=_inner_folds(trials),
        n_folds=len(folds),
        n_untuned=len(folds) - len(used),
        n_stayed=sum(fold.chosen == 0 for fold in used),
        counts={state: sum(row["state"] == state for row in rows) for state in STATES},
        n_trials=len(rows),
        per_fold=sorted({sum(fold.counts.values()) for fold in used}),
        failures=failures.most_common(3),
        fits=record.tuning,
        seconds=sum(fold.seconds for fold in folds),
        optimism=summarize_optimism(record, folds),
        parameters=[summarize_parameter(one, used, stored) for one in space],
        folds=[_fold(fold, space) for fold in folds],
        trials=listed,
        n_listed=n_listed,
        importance=_weighed(stored),
    )


def _inner_folds(trials: CellTrials) -> list[int]:
    """List how many inner folds have scores, over all repeats: each number once."""
    names = [name for name in trials.columns if name.startswith("inner_")]
    met: dict[tuple[int, int], set[str]] = {}
    for row in trials.rows():
        found = met.setdefault((row["repeat"], row["fold"]), set())
        found.update(name for name in names if row[name] is not None)
    return sorted({len(found) for found in met.values() if found})


def summarize_optimism(record: RunRecord, folds: Sequence[TunedFold]) -> Optimism:
    """Average the inner and outer scores of the folds that have both, and their difference."""
    both = [fold for fold in folds if fold.optimism is not None]
    values = [fold.optimism for fold in both if fold.optimism is not None]
    mean, low, high = mean_interval(values, record.test_train_ratio)
    return Optimism(
        mean=mean,
        low=low,
        high=high,
        inner=float(np.mean([fold.inner for fold in both])) if both else None,
        outer=float(np.mean([fold.outer for fold in both])) if both else None,
        n=len(both),
    )


def outline_tuning(record: RunRecord, trials: CellTrials | None) -> TuningOutline | None:
    """Describe a tuned cell for a table of several models: its trials and its optimism."""
    if not record.identity.get("tuning") or trials is None:
        return None
    folds = tuned_folds(record, trials)
    used = [sum(fold.counts.values()) for fold in folds if fold.chosen is not None]
    if not used:
        return None
    return TuningOutline(
        n_tuned=len(used),
        n_stayed=sum(fold.chosen == 0 for fold in folds),
        fewest=min(used),
        most=max(used),
        measure=find_measure(trials.measure, record.kind).title,
        **vars(summarize_optimism(record, folds)),
    )


# ---------------------------------------------------------------- folds and trials


def _fold(fold: TunedFold, space: Sequence[Dimension]) -> FoldChoice:
    return FoldChoice(
        name=fold.name,
        trial=fold.chosen,
        n_trials=sum(fold.counts.values()),
        counts={state: fold.counts.get(state, 0) for state in STATES},
        seconds=fold.seconds,
        inner=fold.inner,
        outer=fold.outer,
        optimism=fold.optimism,
        choice=[
            Placed(text=placed.text, at=None if fold.chosen is None else placed.at)
            for one in space
            for placed in [place_value(one, fold.values[one.name])]
        ],
    )


def _trials(
    rows: Sequence[Mapping[str, Any]], folds: Sequence[TunedFold], space: Sequence[Dimension]
) -> tuple[list[ListedTrial], int]:
    """List the trials of the first finished folds, and count these."""
    listed: list[ListedTrial] = []
    n_folds = 0
    for position, fold in enumerate(folds):
        own = [row for row in rows if (row["repeat"], row["fold"]) == (fold.repeat, fold.fold)]
        if listed and len(listed) + len(own) > MOST_TRIALS:
            break
        n_folds = position + 1
        for row in own:
            values = [_stored_value(one, row.get(f"value_{one.name}")) for one in space]
            listed.append(
                ListedTrial(
                    fold=position,
                    trial=row["trial"],
                    state=row["state"],
                    chosen=bool(row["chosen"]),
                    score=None if row["score"] is None else round_significant(row["score"], 5),
                    values=values,
                    at=[one.position(value) for one, value in zip(space, values, strict=True)],
                )
            )
    return listed, n_folds


def _stored_value(dimension: Dimension, value: Any) -> Any:
    """Round a number; a column with gaps stores integers as floats."""
    if not isinstance(value, float):
        return value
    return int(value) if dimension.kind == "int" else round_significant(value, 4)


def _weighed(stored: Mapping[str, Any]) -> Weighed:
    """Count the folds with importances, and give the most common reason for having none."""
    common = Counter(stored.get("reasons", {}).values()).most_common(1)
    return Weighed(
        n_known=len(stored.get("shares", {})),
        n_asked=stored.get("n_asked", 0),
        reason=common[0][0] if common else "they are not stored with the trials",
    )
