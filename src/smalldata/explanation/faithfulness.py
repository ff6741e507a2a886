"""Do the leading features carry the score? Replace them and score the held-out rows again.

Step in the line: fitted estimator of one fold + its Shapley values -> **scores without the leading
features, and without as many random ones** -> explanation. Also the summary over all folds: both
curves with their bands, and the area between them.

A feature is removed as the Shapley game removes it: its columns come from background rows, and the
estimator's outputs are averaged over these. Where the form of the model allows it the outputs come
from distances and products without the removed columns (`smalldata.shapley.switching`), else from
the estimator itself. The ranking comes from the fold's own held-out rows but
never reads their labels, so no score picked the features it judges. Replacing features with those
of other rows to see what a model loses goes back to Breiman (2001, *Machine Learning* 45:5).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from smalldata.learner import Array, MarginForm, Outputs, SupportsMargins
from smalldata.measures.registry import Measure
from smalldata.pipeline.fitting import make_prediction
from smalldata.results.evidence import Faithfulness
from smalldata.seeding import seed_for
from smalldata.shapley.switching import can_switch, switched_outputs
from smalldata.statistics.intervals import fold_interval

Integers = NDArray[np.int64]

FEWEST_BACKGROUND, MOST_BACKGROUND = 5, 10
"""Fewest and most background rows that replace a removed feature; `VALUES` decides how many.

Fewer than the values take: a score is a mean over all held-out rows, and their outputs are means
over the background rows already. The same for every model, so that curves can be compared.
"""

VALUES = 500_000
"""Most values in a table of all held-out times all background rows: the cost of one score."""

N_DRAWS = 5
"""Random orders of the features that the ranking is compared with."""

MOST_NUMBERS = 4_000_000
"""Values in the largest table predicted at once: 32 MB, whatever the number of features."""

ROUNDING = 9
"""Decimals of the largest output that count: rows that differ only by rounding are tied."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldRemovals:
    """Scores of one fold; see Faithfulness.

    Attributes
    ----------
    n_removed : ndarray of shape (n_sizes,)
    leading : ndarray of shape (n_sizes,)
    random : ndarray of shape (N_DRAWS, n_sizes)
    n_active : int
        Features with columns in this fold; removing this many or more removes all of them.
    """

    n_removed: Integers
    leading: Array
    random: Array
    n_active: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Mean over the folds and its interval, one entry per size.

    NaN where too few folds have a score: a mean needs one, an interval two that differ.
    """

    mean: Array
    low: Array
    high: Array


def removal_sizes(n_features: int) -> Integers:
    """List how many features to remove: 0, 1, 2, 5, 10, 20, 50 … and all.

    Examples
    --------
    >>> removal_sizes(130).tolist()
    [0, 1, 2, 5, 10, 20, 50, 100, 130]
    """
    steps = [step * 10**power for power in range(len(str(n_features))) for step in (1, 2, 5)]
    return np.array([0, *(step for step in steps if step < n_features), n_features], dtype=np.int64)


def score_removals(
    estimator: Any,
    X: Array,
    Z: Array,
    y: NDArray[Any],
    *,
    players: Integers,
    importance: Array,
    measure: Measure,
    classes: tuple[str, ...],
    seed: int,
    threshold: float | None = None,
    form: MarginForm | None = None,
    scale: str = "",
) -> FoldRemovals:
    """Score held-out rows without the leading features, and without random ones.

    Parameters
    ----------
    estimator : object
        Fitted; see `smalldata.learner.Estimator`.
    X : ndarray of shape (n_rows, n_columns)
        The held-out rows as the estimator sees them.
    Z : ndarray of shape (n_background, n_columns)
        Rows that replace removed features; 5 to 10 of them are drawn.
    y : ndarray of shape (n_rows,)
        Class codes or values.
    players : ndarray of shape (n_columns,)
        Feature of each column.
    importance : ndarray of shape (n_features,)
        Ranks the features; ties go to the earlier one.
    measure : Measure
    classes : tuple of str
        Empty for a regression.
    seed : int
        Of the draws; should not depend on the model, so that all models lose the same features.
    threshold : float, optional
        The one the fold chose for its labels.
    form : MarginForm, optional
        The estimator's own; where it can be switched no row is built.
    scale : str
        Of the form; see `smalldata.learner.Learner`.

    Returns
    -------
    FoldRemovals
    """
    rng = np.random.default_rng(seed_for(seed, "background"))
    n_taken = int(np.clip(VALUES // (len(X) * len(importance)), FEWEST_BACKGROUND, MOST_BACKGROUND))
    if len(Z) > n_taken:
        Z = Z[np.sort(rng.choice(len(Z), size=n_taken, replace=False))]
    active = np.unique(players)
    sizes = removal_sizes(len(importance))
    table = _Removals(
        estimator=estimator,
        X=X,
        Z=Z,
        y=y,
        players=players,
        measure=measure,
        classes=classes,
        form=form,
        scale=scale,
        threshold=threshold,
    )
    unit = table.unit()
    whole = table.score(table.ask(X), unit=unit)
    none = table.score(table.constant(), unit=unit)
    partial = sizes[(sizes > 0) & (sizes < len(active))]

    def curve(order: Integers) -> list[float]:
        between = [table.score(said, unit=unit) for said in table.without(order, partial)]
        return [whole, *between, *[none] * (len(sizes) - len(between) - 1)]

    leading = active[np.argsort(-importance[active], kind="stable")]
    draws = []
    for draw in range(N_DRAWS):
        order = np.random.default_rng(seed_for(seed, "order", draw)).permutation(len(importance))
        draws.append(curve(order[np.isin(order, active)]))
    return FoldRemovals(
        n_removed=sizes,
        leading=np.array(curve(leading)),
        random=np.array(draws),
        n_active=len(active),
    )


def join_removals(
    parts: Sequence[FoldRemovals], *, measure: str, repeat: Integers, fold: Integers
) -> Faithfulness | None:
    """Join the folds of a cell; None where no fold has a score.

    Sizes beyond the number of features with columns in any fold add nothing and are left out.
    """
    if not parts or all(np.isnan(part.leading).all() for part in parts):
        return None
    sizes = parts[0].n_removed
    n_most = max(part.n_active for part in parts)
    last = int(np.searchsorted(sizes, n_most))
    return Faithfulness(
        measure=measure,
        n_removed=np.array([*sizes[:last], n_most], dtype=np.int64),
        leading=np.stack([part.leading[: last + 1] for part in parts]),
        random=np.stack([part.random[:, : last + 1] for part in parts]),
        repeat=np.asarray(repeat, dtype=np.int64),
        fold=np.asarray(fold, dtype=np.int64),
    )


def removal_curves(found: Faithfulness, *, ratio: float) -> tuple[Curve, Curve]:
    """Mean score against the number of removed features, with intervals over the folds.

    Parameters
    ----------
    found : Faithfulness
    ratio : float
        r = n_test / n_train of the full folds; see `smalldata.statistics.significance`.

    Returns
    -------
    leading, random : Curve
        Of the leading features, and of the mean of a fold's random draws.
    """
    return _curve(found.leading, ratio), _curve(found.random.mean(axis=1), ratio)


def removal_area(
    found: Faithfulness, *, ratio: float, higher_is_better: bool
) -> tuple[float, float | None, float | None] | None:
    """Measure what leading features carry beyond random ones: the area between the curves.

    The curves are taken over log(1 + number removed), so that the first few features weigh as much
    as the many last ones. The area is divided by the width, which makes it a mean gap in the unit
    of the measure.

    Parameters
    ----------
    found : Faithfulness
    ratio : float
        As in `removal_curves`.
    higher_is_better : bool
        Of the measure.

    Returns
    -------
    (mean, low, high) or None
        Above 0 if the leading features carry more. The bounds are those of `fold_interval`,
        None for a single fold. None if no fold has two scores.
    """
    at = np.log1p(found.n_removed)
    gaps = found.random.mean(axis=1) - found.leading
    gaps = gaps if higher_is_better else -gaps
    areas = []
    for gap in gaps:
        here = np.isfinite(gap)
        if here.sum() > 1:
            width = float(at[here][-1] - at[here][0])
            areas.append(float(np.trapezoid(gap[here], at[here])) / width)
    if not areas:
        return None
    if len(areas) == 1:
        return areas[0], None, None
    interval = fold_interval(np.array(areas), ratio=ratio)
    if interval is None:
        return float(np.mean(areas)), None, None
    return interval.mean, interval.low, interval.high


def _curve(scores: Array, ratio: float) -> Curve:
    """Summarize (n_folds, n_sizes) scores size by size."""
    bounds = np.full((3, scores.shape[1]), np.nan)
    for place, column in enumerate(scores.T):
        known = column[np.isfinite(column)]
        if not len(known):
            continue
        bounds[0, place] = known.mean()
        interval = fold_interval(known, ratio=ratio)
        if interval is not None:
            bounds[1:, place] = interval.low, interval.high
    return Curve(mean=bounds[0], low=bounds[1], high=bounds[2])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Removals:
    """One estimator's outputs for rows in which some features come from background rows."""

    estimator: Any
    X: Array
    Z: Array
    y: NDArray[Any]
    players: Integers
    measure: Measure
    classes: tuple[str, ...]
    form: MarginForm | None
    scale: str
    threshold: float | None = None

    @property
    def part(self) -> str:
        """The part of this estimator's prediction that the measure reads."""
        if self.measure.needs == "value":
            return "value"
        if self.measure.needs == "margin" and hasattr(self.estimator, "decision_function"):
            return "margin"
        return "probabilities"

    def ask(self, rows: Array) -> Array:
        """Return the estimator's outputs for rows, only the part the measure reads: (n_rows, …)."""
        if self.part == "value":
            found = self.estimator.predict(rows)
        elif self.part == "margin":
            found = self.estimator.decision_function(rows)
        else:
            found = self.estimator.predict_proba(rows)
        values = np.asarray(found, dtype=np.float64)
        return values[:, None] if values.ndim == 1 else values

    def unit(self) -> float:
        """Return the size of the outputs; a billionth of it is rounding."""
        return float(np.abs(self.ask(self.Z)).max()) or 1.0

    def constant(self) -> Array:
        """Return the output without any feature, the same for each row."""
        return np.repeat(self.ask(self.Z).mean(axis=0, keepdims=True), len(self.X), axis=0)

    def without(self, order: Integers, sizes: Integers) -> Iterator[Array]:
        """Yield the mean output over background rows without the first few features of an order."""
        groups = [
            np.flatnonzero(np.isin(self.players, order[before:size]))
            for before, size in zip([0, *sizes[:-1]], sizes, strict=True)
        ]
        if not len(sizes):
            return
        if self.form is not None and self._reads_form():
            for found in switched_outputs(self.form, self.X, self.Z, groups):
                said = self._from_form(found.reshape(-1, found.shape[2]))
                yield said.reshape(*found.shape[:2], -1).mean(axis=1)
            return
        for place in range(len(groups)):
            yield self._built(np.concatenate(groups[: place + 1]))

    def _built(self, columns: Integers) -> Array:
        """Ask the estimator about every row with some columns from every background row."""
        n_others = len(self.Z)
        block = max(1, MOST_NUMBERS // (n_others * self.X.shape[1]))
        found = []
        for start in range(0, len(self.X), block):
            rows = np.repeat(self.X[start : start + block], n_others, axis=0)
            rows[:, columns] = np.tile(self.Z[:, columns], (len(rows) // n_others, 1))
            said = self.ask(rows)
            found.append(said.reshape(-1, n_others, said.shape[1]).mean(axis=1))
        return np.concatenate(found)

    def _reads_form(self) -> bool:
        """Whether outputs of the form tell the part of the prediction that the measure reads."""
        if self.form is None or not can_switch(self.form):
            return False
        if self.scale == "margin" and self.part == "probabilities":
            return isinstance(self.estimator, SupportsMargins)
        return True

    def _from_form(self, found: Array) -> Array:
        """Return the part that the measure reads from outputs of the form: (n_rows, …)."""
        if self.part in ("value", "margin"):
            return found
        if self.scale == "margin":
            return np.asarray(self.estimator.probabilities_of(found))
        if self.scale == "log-odds":
            two = found.shape[1] == 1
            return np.asarray(softmax(np.hstack([0 * found, found]) if two else found, axis=1))
        return np.hstack([1 - found, found]) if len(self.classes) == 2 else found

    def score(self, said: Array, *, unit: float) -> float:
        """Score outputs; NaN if the measure is undefined or there is only one class."""
        if self.classes and len(np.unique(self.y)) < 2:
            return np.nan  # with one class there is nothing to tell apart
        said = np.round(said / unit, ROUNDING) * unit
        given = said[:, 0] if self.part == "value" else said
        prediction = make_prediction(
            Outputs(**{self.part: given}),
            self.y,
            rows=np.arange(len(self.y)),
            n_classes=len(self.classes),
        )
        if self.threshold is not None:
            prediction = prediction.called_at(self.threshold)
        value = self.measure.score(prediction, classes=self.classes).value
        return np.nan if value is None else value
