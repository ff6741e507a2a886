"""The in-fold preprocessing: transform, select, encode, impute, scale; column by column.

Step in the line: Task, Traits -> **unfitted Pipeline**. It does not see held-out rows before
``transform``, and no output column mixes two of the user's features.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from smalldata.errors import ConfigError, DataError
from smalldata.learner import Array, Learner
from smalldata.pipeline.auto import Auto, draw_in, fit_auto
from smalldata.pipeline.categories import Category
from smalldata.pipeline.columns import column_kinds, column_medians, fill_missing, read_numbers
from smalldata.pipeline.limits import learn_limits
from smalldata.pipeline.transforms import (
    Log1p,
    Transform,
    centre_and_scale,
    fit_log,
    fit_rank,
    fit_yeo_johnson,
    standardise,
)
from smalldata.task import BelowLimit, TaskInfo

Select = Literal["none", "variance", "univariate", "linear", "shap"]
TransformName = Literal["auto", "none", "log1p", "log", "yeo-johnson", "rank"]


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """The user's choices for the in-fold preprocessing; the learner's traits decide the rest.

    Attributes
    ----------
    select : {"none", "variance", "univariate", "linear", "shap"}
        Keep the k features of largest variance, most associated with the target (by ANOVA F for
        classes, by squared correlation for values), first to enter an elastic-net path, or of
        largest mean |Shapley value| in the learner itself, fitted on the same rows.
    k : int or None
        Number of the user's features to keep (a categorical counts once); if there are fewer, all
        are kept.
    transform : {"auto", "none", "log1p", "log", "yeo-johnson", "rank"}
        Transform of the numeric features; ``auto`` decides by the training values, for learners
        that need scaling alone, see `smalldata.pipeline.auto`.

    Raises
    ------
    ConfigError
        If a value is not one of these, or k does not fit select.
    """

    select: Select = "none"
    k: int | None = None
    transform: TransformName = "auto"

    def __post_init__(self) -> None:
        """Check the values."""
        for name, choices in (("select", get_args(Select)), ("transform", get_args(TransformName))):
            value = getattr(self, name)
            if value not in choices:
                raise ConfigError(
                    f"preprocess.{name} must be one of {', '.join(choices)}; got {value!r}."
                )
        if self.select == "none" and self.k is not None:
            raise ConfigError(
                f"preprocess.k={self.k} needs a way to select; "
                "add preprocess.select=univariate, linear, shap or variance."
            )
        if self.select != "none" and (
            isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 1
        ):
            hint = "; experiment=signature chooses it." if self.k is None else "."
            raise ConfigError(
                f"preprocess.select={self.select} needs preprocess.k, an integer of at least 1; "
                f"got {self.k!r}{hint}"
            )


PLAIN = Preprocessing()
"""The default: only what the learner's traits require."""


class Ranker(Protocol):
    """Ranks features using given rows; a selection by a model needs one passed in."""

    def rank(
        self, X: Any, y: NDArray[Any] | None, groups: NDArray[Any] | None = None
    ) -> NDArray[np.int64]:
        """Return the positions of all features of X, the leading one first."""
        ...


def make_pipeline(
    learner: Learner,
    info: TaskInfo,
    *,
    preprocessing: Preprocessing,
    seed: int,
    device: str,
    ranker: Ranker | None = None,
    below: BelowLimit | None = None,
) -> Pipeline:
    """Combine the in-fold preprocessing with the estimator that a learner builds.

    Parameters
    ----------
    learner : Learner
    info : TaskInfo
        Shape of the task.
    preprocessing : Preprocessing
    seed : int
        Passed to the learner.
    device : str
        ``cpu`` or ``cuda``.
    ranker, below : optional
        As in `make_preprocessor`.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Unfitted, with the steps ``preprocess`` and ``estimator``. Takes the Dataset's X; fit it
        with ``pipeline.fit(X, y, preprocess__groups=groups, estimator__groups=groups)``.
    """
    step = make_preprocessor(learner, info, preprocessing=preprocessing, ranker=ranker, below=below)
    return Pipeline(
        [("preprocess", step), ("estimator", learner.build(info, seed=seed, device=device))]
    )


def make_preprocessor(
    learner: Learner,
    info: TaskInfo,
    *,
    preprocessing: Preprocessing,
    ranker: Ranker | None = None,
    below: BelowLimit | None = None,
) -> "Preprocessor":
    """Make the unfitted first step of `make_pipeline`; hyperparameters do not affect it.

    Parameters
    ----------
    learner : Learner
    info : TaskInfo
    preprocessing : Preprocessing
    ranker : Ranker, optional
        Replaces the ranking that ``preprocessing.select`` names; ``linear`` and ``shap`` need one,
        see `smalldata.pipeline.ranking.make_ranker`.
    below : BelowLimit, optional
        What -inf in X is taken for.
    """
    traits = learner.traits
    return Preprocessor(
        categories=traits.categories,
        impute=traits.needs_complete,
        scale=traits.needs_scaling,
        select=preprocessing.select,
        k=preprocessing.k,
        numeric_transform=preprocessing.transform,
        classify=info.kind.is_classification,
        ranker=ranker,
        below=below,
    )


class Preprocessor(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The in-fold preprocessing of one pipeline; ``fit`` learns everything from its own rows.

    Order: put numbers below limits; transform the numeric columns; select features; encode
    categoricals; impute; scale.

    - A value below a limit (-inf) becomes ``below.factor`` times the smallest value of its column
      in the training rows, one above a limit (inf) their largest; see `smalldata.pipeline.limits`.
    - A missing number becomes the median of the training rows. A column without any training value
      becomes 0 in every row, since its scale is unknown; a learner that takes missing values gets
      it unchanged.
    - A category not seen in training counts as missing: all zeros in one-hot columns, NaN in an
      integer column. Two levels and nothing missing make a single column, in which an unseen level
      gets the training share.
    - ``auto`` transforms nothing but columns that are scaled; a selection ranks all learners'
      features by the same values.
    - Scaled columns have mean 0 and standard deviation 1 over the training rows; constant ones
      become 0. The columns of one categorical share one scale, so that together they vary as much
      as one numeric column.
    - Selection always uses imputed and one-hot columns, so that all models get the same features;
      a categorical has the score of its best column. Constant features come last. A ranker gets
      the original rows, before the transform.

    Attributes
    ----------
    ranking_ : ndarray of shape (n_features,)
        Positions of the features, the leading one first; only if k are selected.
    players_ : ndarray of shape (n_columns_out,)
        Index of the user's feature that each output column came from, ascending.
    limits_ : Limits or None
        What stands for values below and above limits.
    transformed_ : dict
        What ``auto`` did: the numbers of numeric ``columns``, of those that got their ``log`` and
        of those that got a ``limit``; empty if it was not asked.
    """

    def __init__(
        self,
        *,
        categories: Literal["onehot", "integer"] = "onehot",
        impute: bool = True,
        scale: bool = True,
        select: Select = "none",
        k: int | None = None,
        numeric_transform: TransformName = "none",
        classify: bool = True,
        ranker: Ranker | None = None,
        below: BelowLimit | None = None,
    ) -> None:
        self.categories = categories
        self.impute = impute
        self.scale = scale
        self.select = select
        self.k = k
        self.numeric_transform = numeric_transform
        self.classify = classify
        self.ranker = ranker
        self.below = below

    def fit(
        self,
        X: pd.DataFrame,
        y: NDArray[Any] | None = None,
        groups: NDArray[Any] | None = None,
    ) -> Self:
        """Learn from the training rows.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            Float columns and string categoricals.
        y : ndarray of shape (n_samples,), optional
            Class codes or values; only a selection uses them.
        groups : ndarray of shape (n_samples,), optional
            Passed to the ranker.

        Raises
        ------
        DataError
            If a column is neither numeric nor categorical, holds infinities without ``below``, or a
            transform refuses its values.
        """
        numeric, categorical = column_kinds(X)
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.limits_ = None if self.below is None else learn_limits(X, self.below)
        X = X if self.limits_ is None else self.limits_.fill(X)
        given = read_numbers(X, numeric)
        if np.isinf(given).any():
            raise DataError("values must be finite where no limit is known (Dataset.below).")
        transform = self._fit_transform_of_numbers(given, numeric)
        values = given if transform is None else transform(given)
        categories = [Category.learn(X.iloc[:, feature], feature) for feature in categorical]

        keep = np.ones(len(numeric), dtype=bool)
        if self.select != "none":
            assert self.k is not None
            if self.ranker is not None:
                self.ranking_ = self.ranker.rank(X, y, groups)
            else:
                # Variances of columns and of logarithms of columns cannot be compared.
                judged = given if self.select == "variance" and self._is_auto else values
                self.ranking_ = self._rank(X, y, numeric, judged, categories)
            kept = np.sort(self.ranking_[: self.k])
            keep = np.isin(numeric, kept)
            categories = [category for category in categories if category.feature in set(kept)]
        if self._is_auto and not self.scale:  # it was only to rank
            transform, values = None, given
        if not keep.all():
            values, numeric = values[:, keep], numeric[keep]
            transform = transform and transform.subset(np.flatnonzero(keep))
        medians = column_medians(values)

        self.transformed_, self._limited = {}, np.zeros(0, dtype=np.int64)
        if isinstance(transform, Auto):
            self.transformed_ = transform.counts()
            self._limited = np.flatnonzero(transform.limited)
        self._numeric, self._transform, self._categories = numeric, transform, categories
        self._medians = medians
        self._unknown = np.isnan(medians)
        encoded = [self._encode(X, category) for category in categories]
        widths = [block.shape[1] for block in encoded]
        players = np.concatenate(
            [numeric, np.repeat([category.feature for category in categories], widths)]
        ).astype(np.int64)
        self._order = np.argsort(players, kind="stable")
        self.players_ = players[self._order]
        if self.scale:
            filled = self._fill(values) if self.impute else values
            self._centre, self._scale = centre_and_scale(np.hstack([filled, *encoded]))
            self._share_scale(widths, encoded)
        return self

    def transform(self, X: pd.DataFrame) -> Array:
        """Apply the fitted preprocessing.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            With the columns of the training rows.

        Returns
        -------
        ndarray of shape (n_samples, n_columns_out)
            float64; column j comes from feature ``players_[j]``.
        """
        check_is_fitted(self, "players_")
        if list(X.columns) != list(self.feature_names_in_):
            raise DataError("the rows to transform must have the features of the training rows.")
        X = X if self.limits_ is None else self.limits_.fill(X)
        values = read_numbers(X, self._numeric)
        if self._transform is not None:
            values = self._transform(values)
        if self.impute:
            values = self._fill(values)
        out = np.hstack([values, *(self._encode(X, category) for category in self._categories)])
        if self.scale:
            out = standardise(out, self._centre, self._scale)
            if isinstance(self._transform, Auto):
                draw_in(out, self._limited, limit=self._transform.limit)
        return np.ascontiguousarray(out[:, self._order] if self._categories else out)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the output columns: the feature's own, or feature=level."""
        check_is_fitted(self, "players_")
        names = [str(self.feature_names_in_[feature]) for feature in self._numeric]
        for category in self._categories:
            names += category.names(str(self.feature_names_in_[category.feature]), self.categories)
        return np.array(names, dtype=object)[self._order]

    def _fit_transform_of_numbers(
        self, values: Array, numeric: NDArray[np.int64]
    ) -> Transform | None:
        names = self.feature_names_in_[numeric]
        if self._is_auto:
            is_needed = self.scale or self.select == "univariate"
            return fit_auto(values, names) if is_needed else None
        if self.numeric_transform == "log1p":
            return Log1p(names=names)
        if self.numeric_transform == "log":
            return fit_log(values, names)
        if self.numeric_transform == "yeo-johnson":
            return fit_yeo_johnson(values)
        return fit_rank(values) if self.numeric_transform == "rank" else None

    @property
    def _is_auto(self) -> bool:
        return self.numeric_transform == "auto"

    def _rank(
        self,
        X: pd.DataFrame,
        y: NDArray[Any] | None,
        numeric: NDArray[np.int64],
        values: Array,
        categories: list[Category],
    ) -> NDArray[np.int64]:
        """Return all features, the leading one first; ties go to the first."""
        if self.select not in ("variance", "univariate"):
            raise DataError(f"selection by {self.select} needs a ranker.")

        def score(columns: Array) -> Array:
            if self.select == "variance":
                return np.asarray(centre_and_scale(columns)[1] ** 2)
            if y is None:
                raise DataError("univariate selection needs the target.")
            return explained_share(columns, y, classify=self.classify)

        scores = np.zeros(self.n_features_in_)
        scores[numeric] = score(fill_missing(values, column_medians(values)))
        for category in categories:
            columns = category.onehot(X.iloc[:, category.feature])
            scores[category.feature] = score(columns).max()
        return np.argsort(-scores, kind="stable")

    def _encode(self, X: pd.DataFrame, category: Category) -> Array:
        column = X.iloc[:, category.feature]
        if self.categories == "integer":
            return category.integer(column, impute=self.impute)
        return category.onehot(column)

    def _fill(self, values: Array) -> Array:
        out = fill_missing(values, self._medians)
        out[:, self._unknown] = 0.0
        return out

    def _share_scale(self, widths: list[int], encoded: list[Array]) -> None:
        if self.categories == "integer":
            return
        start = len(self._numeric)
        for width in widths:
            part = slice(start, start + width)
            self._scale[part] = np.sqrt((self._scale[part] ** 2).sum())
            start += width


def explained_share(X: Array, y: NDArray[Any], *, classify: bool) -> Array:
    """Return the share of each column's variance that the target explains (R squared).

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        Complete.
    y : ndarray of shape (n_samples,)
        Class codes, or values.
    classify : bool
        Between-class share (ANOVA: F = (n - K) / (K - 1) * R2 / (1 - R2), so both rank alike),
        else squared correlation.

    Returns
    -------
    ndarray of shape (n_columns,)
        In [0, 1]; 0 for a constant column.
    """
    z = standardise(X, *centre_and_scale(X))
    if classify:
        members = (y[:, None] == np.unique(y)).astype(np.float64)
        share = ((members.T @ z) ** 2 / members.sum(axis=0)[:, None]).sum(axis=0) / len(y)
    else:
        target = standardise(y[:, None].astype(np.float64), *centre_and_scale(y[:, None]))
        share = (target[:, 0] @ z / len(y)) ** 2
    return np.asarray(np.minimum(share, 1.0))
