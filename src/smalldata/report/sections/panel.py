"""The numbers of one cell's signature: sizes, members, stability, the panel.

Step in the line: RunRecord + Panel -> **SignatureSummary** -> figures -> HTML. A cell whose folds
chose no panel has no signature.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from smalldata.comparison.entries import scale_of
from smalldata.comparison.words import covers_range
from smalldata.measures.registry import Measure, find_measure
from smalldata.report.plain import Estimate
from smalldata.report.sections.scores import Difference, find_test, mean_interval, rows_of
from smalldata.report.sections.trust import Stability
from smalldata.results.comparison import Comparison
from smalldata.results.folds import FoldResult
from smalldata.results.panel import Panel, Selection
from smalldata.results.record import RunRecord
from smalldata.statistics.rank_stability import OVERLAP, nogueira
from smalldata.task import Task

MOST_MEMBERS = 30
"""Most features drawn and listed, those chosen most often; the panel's are always listed."""


@dataclass(frozen=True, kw_only=True)
class PanelScore(Estimate):
    """Score on held-out rows, over ``n`` folds that have one."""

    n: int


@dataclass(frozen=True, kw_only=True)
class SizeScore(PanelScore):
    """Score of panels of one size; ``inner`` is the mean on the inner folds."""

    size: int
    inner: float


@dataclass(frozen=True, kw_only=True)
class FoldPanel:
    """What one fold chose: ``k`` features, the leading one first."""

    name: str
    k: int
    inner: float
    outer: float | None
    members: list[str]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A feature, and the number of folds that chose it."""

    name: str
    n: int
    in_panel: bool


@dataclass(frozen=True, kw_only=True)
class AllFeatures(Estimate):
    """The same model with all features; ``test`` is the panel minus it."""

    test: Difference | None


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A feature that could replace a member, and the score of the panel with it."""

    name: str
    correlation: float
    score: float
    is_equal: bool


@dataclass(frozen=True, kw_only=True)
class Member:
    """A feature of the panel, and the folds that chose it: number and share."""

    name: str
    n: int
    share: float
    substitutes: list[StandIn]


@dataclass(frozen=True, kw_only=True)
class FinalPanel:
    """The panel of all rows; ``score`` and ``error`` are cross-validated on the same rows."""

    k: int
    score: float
    error: float
    members: list[Member]


@dataclass(frozen=True, kw_only=True)
class SignatureSummary:
    """The signature of a cell.

    Attributes
    ----------
    measure : Measure
    ranking, rule : str
    inner_folds : int
    n_folds, n_features : int
    expected : PanelScore
        Score of the whole procedure.
    sizes : list of SizeScore
    chosen : list of (int, int)
        Each size, and the folds that chose it.
    folds : list of FoldPanel
    members : list of Chosen
        By the number of folds.
    n_ever : int
        Features that any fold chose.
    stability : Stability or None
        None where it is undefined.
    whole : AllFeatures or None
    panel : FinalPanel or None
    """

    measure: Measure
    ranking: str
    rule: str
    inner_folds: int
    n_folds: int
    n_features: int
    expected: PanelScore
    sizes: list[SizeScore]
    chosen: list[tuple[int, int]]
    folds: list[FoldPanel]
    members: list[Chosen]
    n_ever: int
    stability: Stability | None
    whole: AllFeatures | None
    panel: FinalPanel | None

    @property
    def most_chosen(self) -> tuple[int, int]:
        """Size that most folds chose, the smallest of equals, and their number."""
        return max(self.chosen, key=lambda pair: pair[1])


def summarize_signature(
    task: Task,
    record: RunRecord,
    panel: Panel | None = None,
    comparison: Comparison | None = None,
) -> SignatureSummary | None:
    """Describe the signature of a cell, or return None if its folds chose none.

    Parameters
    ----------
    task : Task
    record : RunRecord
    panel : Panel, optional
        Of all rows.
    comparison : Comparison, optional
        For the same model with all features.
    """
    folds = [fold for fold in record.folds if fold.status == "ok" and fold.selection is not None]
    asked = record.identity.get("signature")
    if not folds or asked is None:
        return None
    names = [str(name) for name in task.dataset.feature_names]
    selections = [fold.selection for fold in folds if fold.selection is not None]
    sizes = selections[0].sizes
    marked = np.zeros((len(folds), task.n_features), dtype=bool)
    for row, selection in enumerate(selections):
        marked[row, list(selection.members)] = True
    counts = marked.sum(axis=0)
    chosen = Counter(selection.k for selection in selections)
    measure = find_measure(str(asked["measure"]), record.kind)
    return SignatureSummary(
        measure=measure,
        ranking=str(asked["ranking"]),
        rule=str(asked["rule"]),
        inner_folds=len(selections[0].inner[0]),
        n_folds=len(folds),
        n_features=task.n_features,
        expected=_expected(folds, record, measure),
        sizes=[_size(place, record, selections, measure) for place in range(len(sizes))],
        chosen=[(size, chosen.get(size, 0)) for size in sizes],
        folds=[_fold(fold, measure, names) for fold in folds],
        members=_members(counts, panel, names),
        n_ever=int((counts > 0).sum()),
        stability=_stability(marked),
        whole=_whole(record, comparison, measure),
        panel=None if panel is None else _panel(panel, counts, len(folds), names),
    )


# ---------------------------------------------------------------- numbers


def _expected(folds: Sequence[FoldResult], record: RunRecord, measure: Measure) -> PanelScore:
    scores = [score for fold in folds if (score := fold.scores.get(measure.name)) is not None]
    values = [score.value for score in scores if score.value is not None]
    mean, low, high = _interval(values, record, measure)
    return PanelScore(mean=mean, low=low, high=high, n=len(values))


def _interval(
    values: list[float], record: RunRecord, measure: Measure
) -> tuple[float | None, float | None, float | None]:
    """Mean of fold scores, and its interval within the range of the measure, if it is shorter."""
    mean, low, high = mean_interval(values, record.test_train_ratio, scale_of(measure))
    if low is None or high is None or covers_range(low, high, measure):
        return mean, None, None
    return mean, low, high


def _size(
    place: int, record: RunRecord, selections: Sequence[Selection], measure: Measure
) -> SizeScore:
    """Describe one size: its score on held-out rows and on the inner folds."""
    outer = [value for one in selections if (value := one.outer[place]) is not None]
    mean, low, high = _interval(outer, record, measure)
    return SizeScore(
        size=selections[0].sizes[place],
        mean=mean,
        low=low,
        high=high,
        n=len(outer),
        inner=float(np.mean([selection.inner_means[place] for selection in selections])),
    )


def _fold(fold: FoldResult, measure: Measure, names: Sequence[str]) -> FoldPanel:
    selection = fold.selection
    assert selection is not None
    place = selection.sizes.index(selection.k)
    score = fold.scores.get(measure.name)
    return FoldPanel(
        name=fold.name,
        k=selection.k,
        inner=float(selection.inner_means[place]),
        outer=None if score is None else score.value,
        members=[names[j] for j in selection.members],
    )


def _members(
    counts: np.ndarray[Any, Any], panel: Panel | None, names: Sequence[str]
) -> list[Chosen]:
    """List features by the number of folds that chose them; of equals, the panel's come first."""
    own = () if panel is None else panel.selection.members
    place = {feature: rank for rank, feature in enumerate(own)}
    shown = [j for j in np.flatnonzero(counts > 0).tolist() if j not in place] + list(own)
    shown.sort(key=lambda j: (-counts[j], place.get(j, len(own)), j))
    kept = [j for rank, j in enumerate(shown) if rank < MOST_MEMBERS or j in place]
    return [Chosen(name=names[j], n=int(counts[j]), in_panel=j in place) for j in kept]


def _stability(marked: np.ndarray[Any, Any]) -> Stability | None:
    """Return Nogueira's index of the chosen sets, or None if it is undefined."""
    try:
        index, low, high = nogueira(marked, overlap=OVERLAP)
    except ValueError:  # one fold, or sets of all features
        return None
    return Stability(index=index, low=low, high=high)


def _whole(
    record: RunRecord, comparison: Comparison | None, measure: Measure
) -> AllFeatures | None:
    """Find the same model with all features in the comparison, and the test against it."""
    own = rows_of(comparison, record.hash).get(measure.name)
    if comparison is None or own is None:
        return None
    for row in comparison.rows:
        alike = (row.model, row.settings, row.train_size) == (own.model, "", own.train_size)
        if alike and row.measure == measure.name and row.mean is not None:
            return AllFeatures(
                mean=row.mean,
                low=row.ci_low,
                high=row.ci_high,
                test=find_test(comparison, own, row) if row.measure == comparison.measure else None,
            )
    return None


def _panel(
    panel: Panel, counts: np.ndarray[Any, Any], n_folds: int, names: Sequence[str]
) -> FinalPanel:
    return FinalPanel(
        k=panel.selection.k,
        score=panel.score,
        error=panel.error,
        members=[
            Member(
                name=names[member],
                n=int(counts[member]),
                share=float(counts[member] / n_folds),
                substitutes=[
                    StandIn(
                        name=names[one.feature],
                        correlation=one.correlation,
                        score=one.score,
                        is_equal=one.is_equal,
                    )
                    for one in panel.substitutes
                    if one.member == member
                ],
            )
            for member in panel.selection.members
        ],
    )
