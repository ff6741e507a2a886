"""Do models agree on what carries their predictions? Pair by pair, and feature by feature.

Step in the line: Explanations of one comparison -> **Agreement** -> report. Models differ in scale
(margins, log-odds, probabilities), so ranks, shares and correlations are compared, never units.
Arrays in, numbers out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation
from smalldata.statistics.rank_stability import (
    fold_importances,
    rank_biased_overlap,
    top_k_frequency,
)

Array = NDArray[np.float64]

PERSISTENCE = 0.9
"""Persistence of the rank-biased overlap: the first ten places carry 86 % of its weight."""

FAR_BEHIND = 20
"""A feature belongs to one model alone only if no other good model ranks it among its first 20."""

MOST_FOLDS = 0.5
"""A model uses a feature that ranks among its first in at least this share of the folds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedModel:
    """One explained row of a comparison.

    Attributes
    ----------
    label : str
        Of the row; unique.
    model : str
        Name of the model: rows of one model with different settings count once.
    good : bool
        Whether the model predicts well enough for its features to count.
    explanation : Explanation
    null : NullImportances or None
        Its importances on permuted labels, if known.
    """

    label: str
    model: str
    good: bool
    explanation: Explanation
    null: NullImportances | None = None


@dataclass(frozen=True, kw_only=True)
class PairAgreement:
    """How far two models agree.

    Attributes
    ----------
    first, second : int
        Positions in `Agreement.labels`.
    overlap : float
        Rank-biased overlap of the features they use, most important first: 0 to 1.
    correlation : float or None
        Pearson correlation over the features of their Shapley values, averaged over the outputs and
        over the held-out rows that both explain; None if undefined.
    low, high : float or None
        10th and 90th percentile of the rows.
    n_rows : int
        Rows the correlation was averaged over.
    """

    first: int
    second: int
    overlap: float
    correlation: float | None
    low: float | None
    high: float | None
    n_rows: int


@dataclass(frozen=True, kw_only=True)
class FeatureUse:
    """How each model uses one feature; tuples are in the order of `Agreement.labels`.

    Attributes
    ----------
    position : int
        Of the feature.
    places : tuple of int or None
        Rank by mean |phi|, from 1; None if all Shapley values are 0.
    shares : tuple of float
        Of the summed mean |phi| of the model.
    frequencies : tuple of float
        Share of the folds in which the feature is among the first `Agreement.top_k`.
    users : tuple of int
        Models that use it: among their first in at least half the folds, or above all permutations
        of the labels.
    """

    position: int
    name: str
    places: tuple[int | None, ...]
    shares: tuple[float, ...]
    frequencies: tuple[float, ...]
    users: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Agreement:
    """How several models use the same features.

    Attributes
    ----------
    labels, models : tuple of str
    good : tuple of int
        Positions of the good models.
    top_k : int
        How many features count as a model's first.
    pairs : tuple of PairAgreement
    features : tuple of FeatureUse
        All features with a value in any model, by mean share over the good models (over all models
        if none is good).
    """

    labels: tuple[str, ...]
    models: tuple[str, ...]
    good: tuple[int, ...]
    top_k: int
    pairs: tuple[PairAgreement, ...]
    features: tuple[FeatureUse, ...]

    @property
    def n_voices(self) -> int:
        """Number of good models, rows of one model counted once."""
        return len({self.models[m] for m in self.good})

    @property
    def consensus(self) -> tuple[FeatureUse, ...]:
        """Features that each good model uses; none if fewer than two models are good."""
        if self.n_voices < 2:
            return ()
        return tuple(use for use in self.features if self.count_voices(use) == self.n_voices)

    def sole_user(self, use: FeatureUse) -> str | None:
        """Name of the only good model that uses a feature; None if none or several do.

        See `near_users` for other models that rank it high without using it steadily.
        """
        users = {self.models[m] for m in use.users if m in self.good}
        return next(iter(users)) if len(users) == 1 and self.n_voices > 1 else None

    def best_places(self, use: FeatureUse) -> dict[str, int]:
        """Return the best rank that each good model gives a feature, best first."""
        places: dict[str, int] = {}
        for m in self.good:
            place = use.places[m]
            if place is not None:
                name = self.models[m]
                places[name] = min(place, places.get(name, place))
        return dict(sorted(places.items(), key=lambda pair: pair[1]))

    def near_users(self, use: FeatureUse) -> dict[str, int]:
        """Return the good models that rank a feature high but do not use it, with their ranks."""
        users = {self.models[m] for m in use.users}
        return {
            name: place
            for name, place in self.best_places(use).items()
            if name not in users and place <= FAR_BEHIND
        }

    def count_voices(self, use: FeatureUse) -> int:
        """Count the good models that use a feature, rows of one model once."""
        return len({self.models[m] for m in use.users if m in self.good})


def agree(explained: Sequence[ExplainedModel]) -> Agreement:
    """Compare which features models use.

    Parameters
    ----------
    explained : sequence of ExplainedModel
        Of one task and one set of splits, with the same features and outputs.

    Returns
    -------
    Agreement

    Raises
    ------
    ValueError
        If features or outputs differ.

    Notes
    -----
    Pearson's correlation, not Spearman's: most of hundreds of features matter to no model, and
    their arbitrary order would outvote the few that do matter.
    """
    if not explained:
        return Agreement(labels=(), models=(), good=(), top_k=0, pairs=(), features=())
    explanations = [entry.explanation for entry in explained]
    names = tuple(str(name) for name in explanations[0].feature_names)
    for other in explanations[1:]:
        if tuple(str(name) for name in other.feature_names) != names:
            raise ValueError("compared models must have the same features")
        if other.values.shape[2] != explanations[0].values.shape[2]:
            raise ValueError("compared models must have the same outputs")
    shares = np.stack([_shares(explanation) for explanation in explanations])
    rankings = [_ranking(row) for row in shares]
    top_k = max(1, min(10, len(names) // 3))
    frequencies = np.stack(
        [top_k_frequency(fold_importances(entry).mean(axis=2), top_k) for entry in explanations]
    )
    uses = frequencies >= MOST_FOLDS
    for m, entry in enumerate(explained):
        if entry.null is not None:
            uses[m] |= entry.null.above
    good = tuple(m for m, entry in enumerate(explained) if entry.good)
    return Agreement(
        labels=tuple(entry.label for entry in explained),
        models=tuple(entry.model for entry in explained),
        good=good,
        top_k=top_k,
        pairs=tuple(
            _compare_pair(first, second, explanations, rankings)
            for first, second in combinations(range(len(explained)), 2)
        ),
        features=_uses(names, shares, rankings, frequencies, uses, good),
    )


def correlate_rows(first: Explanation, second: Explanation) -> Array:
    """Correlate the Shapley values of two models, row by row.

    Parameters
    ----------
    first, second : Explanation
        Of the same features and outputs.

    Returns
    -------
    ndarray of shape (n_rows,)
        Pearson correlation over the features for each held-out row that both explain in the same
        repeat, averaged over the outputs in which both vary. Rows without such an output are left
        out.
    """
    places = {key: i for i, key in enumerate(zip(second.repeat, second.row, strict=True))}
    both = [
        (i, places[key])
        for i, key in enumerate(zip(first.repeat, first.row, strict=True))
        if key in places
    ]
    if not both:
        return np.empty(0)
    mine, theirs = np.array(both).T
    sums, counts = np.zeros(len(both)), np.zeros(len(both))
    for output in range(first.values.shape[2]):
        a = first.values[mine, :, output].astype(np.float64)
        b = second.values[theirs, :, output].astype(np.float64)
        a -= a.mean(axis=1, keepdims=True)
        b -= b.mean(axis=1, keepdims=True)
        size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
        defined = size > 0
        sums[defined] += (a * b).sum(axis=1)[defined] / size[defined]
        counts += defined
    found: Array = sums[counts > 0] / counts[counts > 0]
    return found


def _compare_pair(
    first: int, second: int, explanations: Sequence[Explanation], rankings: Sequence[list[int]]
) -> PairAgreement:
    rows = correlate_rows(explanations[first], explanations[second])
    low, high = np.quantile(rows, [0.1, 0.9]) if len(rows) else (0.0, 0.0)
    return PairAgreement(
        first=first,
        second=second,
        overlap=rank_biased_overlap(rankings[first], rankings[second], p=PERSISTENCE),
        correlation=float(rows.mean()) if len(rows) else None,
        low=float(low) if len(rows) else None,
        high=float(high) if len(rows) else None,
        n_rows=len(rows),
    )


def _shares(explanation: Explanation) -> Array:
    """Share of each feature in the summed mean |phi|; zeros if the model uses none."""
    mean: Array = np.abs(explanation.values).mean(axis=(0, 2), dtype=np.float64)
    total = mean.sum()
    return mean / total if total > 0 else mean


def _ranking(shares: Array) -> list[int]:
    """List the used features, most important first; the order of the others means nothing."""
    return [int(j) for j in np.argsort(-shares, kind="stable") if shares[j] > 0]


def _uses(
    names: Sequence[str],
    shares: Array,
    rankings: Sequence[list[int]],
    frequencies: Array,
    uses: NDArray[np.bool_],
    good: tuple[int, ...],
) -> tuple[FeatureUse, ...]:
    places: list[dict[int, int]] = [
        {j: place for place, j in enumerate(ranking, start=1)} for ranking in rankings
    ]
    mean = shares[list(good)].mean(axis=0) if good else shares.mean(axis=0)
    order = [j for j in np.argsort(-mean, kind="stable") if shares[:, j].any()]
    return tuple(
        FeatureUse(
            position=int(j),
            name=names[j],
            places=tuple(found.get(int(j)) for found in places),
            shares=tuple(float(value) for value in shares[:, j]),
            frequencies=tuple(float(value) for value in frequencies[:, j]),
            users=tuple(int(m) for m in np.flatnonzero(uses[:, j])),
        )
        for j in order
    )
