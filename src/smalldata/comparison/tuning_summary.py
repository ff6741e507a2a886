"""Summary of the trials of a tuned cell: the values chosen, their agreement, the optimism.

Step in the line: RunRecord + `trials.parquet` -> **CellTrials** -> report. The inner score of a
chosen trial is one of many on the same inner folds, and therefore optimistic; the outer score
of the same fold is on rows that neither the search nor the fit has seen. Their difference is the
optimism that nesting removes.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from smalldata.measures.registry import find_measure
from smalldata.results.record import RunRecord
from smalldata.runtime.sealing import strict_plain

WINDOW = 0.25
"""Share of the searched range within which the values of two folds count as the same choice."""

STEADY, JUMPS = 0.9, 0.6
"""Share of the folds that agree: a choice is steady from the first, and jumps below the second."""

Agreement = Literal["steady", "moves", "jumps", ""]


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """A searched hyperparameter, and the position of values in its range.

    Attributes
    ----------
    default : object
        The untuned value, that of the first trial.
    is_path : bool
        Each fit gave all its values; no trial chose it.
    """

    name: str
    kind: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()
    default: Any = None
    is_path: bool = False

    def position(self, value: Any) -> float | None:
        """Return the place of a value in its range: 0 the low end or first choice, 1 the other end.

        On the log scale if the dimension has one. A default outside the range is at its end; None
        if the value is not in the dimension.
        """
        if self.kind == "categorical":
            texts = [str(choice) for choice in self.choices]
            if str(value) not in texts:
                return None
            return texts.index(str(value)) / max(1, len(texts) - 1)
        if value is None or not math.isfinite(value):
            return None
        assert self.low is not None
        assert self.high is not None
        low, high, x = self.low, self.high, min(max(float(value), self.low), self.high)
        if self.log:
            low, high, x = math.log(low), math.log(high), math.log(x)
        return (x - low) / (high - low) if high > low else 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class TunedFold:
    """One outer fold: the results of its trials.

    Attributes
    ----------
    counts : mapping
        Trials by state: ok, pruned, failed.
    chosen : int or None
        Ordinal of the trial the fold was fitted with, 0 if the untuned default stayed; None if no
        trial finished.
    inner : float or None
        Score of the chosen trial, mean over the inner folds: optimistic.
    outer : float or None
        Score on the held-out rows, by the same measure.
    optimism : float or None
        How much better the inner score looks than the outer one; positive if it flatters, whether
        higher or lower scores are better.
    """

    name: str
    repeat: int
    fold: int
    counts: Mapping[str, int]
    seconds: float
    chosen: int | None
    values: Mapping[str, Any]
    inner: float | None
    outer: float | None
    optimism: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class CellTrials:
    """The trials of one cell as they are stored.

    Attributes
    ----------
    columns : mapping of str to ndarray of shape (n_trials,)
        Of ``trials.parquet``.
    measure : str
        That the trials were judged by.
    importances : mapping or None
        As `importances.weigh_parameters` returned them.
    """

    columns: Mapping[str, NDArray[Any]]
    measure: str
    importances: Mapping[str, Any] | None = None

    def rows(self) -> list[dict[str, Any]]:
        """List the trials as plain values, missing numbers as None."""
        names = list(self.columns)
        listed = [strict_plain(self.columns[name].tolist()) for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*listed, strict=True)]


def dimensions(record: RunRecord) -> list[Dimension]:
    """List the hyperparameters a cell was tuned over, in the order of its space, if any."""
    tuning = record.identity.get("tuning") or {}
    learner = record.identity.get("learner") or {}
    return [
        Dimension(
            name=str(name),
            kind=str(entry["kind"]),
            low=entry.get("low"),
            high=entry.get("high"),
            log=bool(entry.get("log")),
            choices=tuple(entry.get("choices") or ()),
            default=learner.get(name),
            is_path=name == tuning.get("path"),
        )
        for name, entry in tuning.get("space", ())
    ]


def tuned_folds(record: RunRecord, trials: CellTrials) -> list[TunedFold]:
    """Pair the chosen trial of each finished outer fold with the score of its held-out rows.

    Parameters
    ----------
    record : RunRecord
    trials : CellTrials
        Trials of the same cell.
    """
    by_fold: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in trials.rows():
        by_fold.setdefault((row["repeat"], row["fold"]), []).append(row)
    sign = 1.0 if find_measure(trials.measure, record.kind).higher_is_better else -1.0
    names = [dimension.name for dimension in dimensions(record)]
    folds = []
    for result in record.folds:
        if result.status != "ok":
            continue
        rows = by_fold.get((result.repeat, result.fold), [])
        chosen = next((row for row in rows if row["chosen"]), None)
        score = result.scores.get(trials.measure)
        inner = None if chosen is None else chosen["score"]
        outer = None if score is None else score.value
        folds.append(
            TunedFold(
                name=result.name,
                repeat=result.repeat,
                fold=result.fold,
                counts=Counter(str(row["state"]) for row in rows),
                seconds=math.fsum(row["seconds"] for row in rows),
                chosen=None if chosen is None else chosen["trial"],
                values={name: result.values.get(name) for name in names},
                inner=inner,
                outer=outer,
                optimism=None if inner is None or outer is None else sign * (inner - outer),
            )
        )
    return folds


def agreeing_share(dimension: Dimension, values: Sequence[Any]) -> float:
    """Return the share of the folds that made the same choice.

    For choices: the folds with the most common one. For numbers: the most folds whose values are
    within a quarter of the searched range (`WINDOW`; on the log scale if there is one).

    Example
    -------
    >>> C = Dimension(name="C", kind="float", low=0.01, high=100.0, log=True)
    >>> agreeing_share(C, [1.0, 2.0, 5.0, 100.0])
    0.75
    """
    places = [dimension.position(value) for value in values]
    found = np.sort([place for place in places if place is not None])
    if not len(found):
        return 0.0
    if dimension.kind == "categorical":
        return max(Counter(found.tolist()).values()) / len(values)
    reach = np.searchsorted(found, found + WINDOW + 1e-9, side="right") - np.arange(len(found))
    return float(np.max(reach)) / len(values)


def judge_agreement(share: float, n_folds: int) -> Agreement:
    """Judge a choice as steady, moving or jumping; "" with one fold.

    Example
    -------
    >>> judge_agreement(0.9, 10), judge_agreement(0.6, 10), judge_agreement(0.5, 10)
    ('steady', 'moves', 'jumps')
    """
    if n_folds < 2:
        return ""
    if share >= STEADY - 1e-9:
        return "steady"
    return "moves" if share >= JUMPS - 1e-9 else "jumps"
