"""Rankings of features by a model: by Shapley values, by an elastic-net path, or as given.

Step in the line: training rows -> **features, the leading one first** -> in-fold selection. A
ranker is passed to the preprocessing, which does not know the learner; it only sees the rows it is
given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.learner import Array, Learner
from smalldata.pipeline.preprocess import Preprocessing, Preprocessor, Ranker, make_preprocessor
from smalldata.pipeline.training import TrainingRows
from smalldata.seeding import seed_for
from smalldata.shapley.dispatch import form_values
from smalldata.task import TaskInfo

EXPLAINED_ROWS = 100
"""Training rows that a ranking by Shapley values explains, at most."""

BACKGROUND_ROWS = 20
"""Background rows for these explanations, at most."""

EVALUATIONS = 2_000
"""Most calls per explained row of a sampled model; a ranking needs no more."""

L1_RATIO = 0.5
"""Share of the L1 penalty along the elastic-net path; correlated features enter together."""

PATH = tuple(float(share) for share in np.geomspace(1.0, 0.01, 61)[1:])
"""L1 penalties of the path, as shares of the smallest one at which no column is used."""


@dataclass(frozen=True)
class FixedRanking:
    """A known ranking: the given features, the leading one first."""

    leading: tuple[int, ...]

    def rank(
        self, X: Any, y: NDArray[Any] | None, groups: NDArray[Any] | None = None
    ) -> NDArray[np.int64]:
        """Return the given features, then the others in their order."""
        others = np.setdiff1d(np.arange(X.shape[1]), self.leading)
        return np.concatenate([np.array(self.leading, dtype=np.int64), others])


@dataclass(frozen=True, kw_only=True)
class ShapleyRanker:
    """Ranks by the mean |Shapley value| of a learner fitted on the given rows.

    Features that the model does not use follow by their univariate association.

    Attributes
    ----------
    learner : Learner
    info : TaskInfo
    preprocessing : Preprocessing
        Preprocessing before the learner, without its selection.
    seed : int
        Seed of the fit, and of the choice of rows to explain.
    device : {"cpu", "cuda"}
    """

    learner: Learner
    info: TaskInfo
    preprocessing: Preprocessing
    seed: int
    device: str

    def rank(
        self, X: Any, y: NDArray[Any] | None, groups: NDArray[Any] | None = None
    ) -> NDArray[np.int64]:
        """Fit, explain, and return all features, the leading one first."""
        assert y is not None
        info = replace(self.info, n_samples=len(X))
        plain = replace(self.preprocessing, select="none", k=None)
        step = make_preprocessor(self.learner, info, preprocessing=plain)
        encoded = step.fit_transform(X, y)
        estimator = self.learner.build(info, seed=self.seed, device=self.device)
        form = self.learner.margin_form(estimator.fit(encoded, y, groups=groups))
        values, _, _ = form_values(
            form,
            encoded[self._draw(len(X), EXPLAINED_ROWS, "explained")],
            encoded[self._draw(len(X), BACKGROUND_ROWS, "background")],
            players=step.players_,
            evaluations=EVALUATIONS,
            seed=seed_for(self.seed, "rank", "walk"),
        )
        if self.learner.scale(info.kind) == "log-odds" and values.shape[2] > 1:
            values = values - values.mean(axis=2, keepdims=True)  # centred, as in a report
        importance = np.zeros(X.shape[1])
        importance[np.unique(step.players_)] = np.abs(values).mean(axis=(0, 2))
        return order_features([importance], _univariate(X, y, info, self.preprocessing))

    def _draw(self, n_rows: int, most: int, name: str) -> NDArray[np.int64]:
        rng = np.random.default_rng(seed_for(self.seed, "rank", name))
        drawn: NDArray[np.int64] = np.sort(rng.permutation(n_rows)[:most])
        return drawn


@dataclass(frozen=True, kw_only=True)
class PathRanker:
    """Ranks by the order in which features enter an elastic-net path, whatever the learner.

    A feature enters at the largest penalty at which one of its columns is used; of those that
    enter together the larger coefficient leads. The path ends once ``preprocessing.k`` features
    have entered; the others follow by their univariate association.

    Attributes
    ----------
    info : TaskInfo
    preprocessing : Preprocessing
    """

    info: TaskInfo
    preprocessing: Preprocessing

    def rank(
        self, X: Any, y: NDArray[Any] | None, groups: NDArray[Any] | None = None
    ) -> NDArray[np.int64]:
        """Fit the path and return all features, the leading one first."""
        assert y is not None
        classify = self.info.kind.is_classification
        step = Preprocessor(numeric_transform=self.preprocessing.transform, classify=classify)
        encoded = step.fit_transform(X, y)
        entry, size = enter_path(
            encoded,
            y,
            n_classes=self.info.n_classes if classify else 0,
            players=step.players_,
            most=self.preprocessing.k,
        )
        scores = np.zeros((2, X.shape[1]))
        for column, feature in enumerate(step.players_):
            found = (entry[column], size[column])
            scores[:, feature] = max(tuple(scores[:, feature]), found)
        return order_features(list(scores), _univariate(X, y, self.info, self.preprocessing))


def enter_path(
    X: Array,
    y: NDArray[Any],
    *,
    n_classes: int,
    players: NDArray[np.int64] | None = None,
    most: int | None = None,
) -> tuple[Array, Array]:
    """Follow an elastic-net path from the largest penalty down.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        Scaled, complete.
    y : ndarray of shape (n_samples,)
        Class codes, or values.
    n_classes : int
        0: least squares; 2: logistic; more: multinomial loss.
    players : ndarray of shape (n_columns,), optional
        Feature of each column; default: one each.
    most : int, optional
        The path ends once this many features have entered; default: all.

    Returns
    -------
    entry : ndarray of shape (n_columns,)
        Largest L1 penalty at which the column is used, as a share of the smallest at which none
        is; 0 if it is never used.
    size : ndarray of shape (n_columns,)
        Its largest absolute coefficient there.
    """
    from smalldata.models.elastic_net import Design, LossName, Problem, fit_elastic_net

    design = Design.of(X)
    entry, size = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    players = np.arange(X.shape[1]) if players is None else players
    most = min(most or X.shape[1], len(np.unique(players)))
    if design.variance == 0:
        return entry, size
    loss: LossName = "squared"
    if n_classes:
        targets = (y[:, None] == np.arange(n_classes)).astype(np.float64)
        targets = targets[:, 1:] if n_classes == 2 else targets
        loss = "logistic" if n_classes == 2 else "multinomial"
    else:
        targets = ((y - np.mean(y)) / (np.std(y) or 1.0))[:, None]
    for share in PATH:
        strength = share / L1_RATIO
        problem = Problem(
            design=design,
            targets=targets,
            weights=np.ones(len(y)),
            loss_name=loss,
            l1_share=share,
            l2=strength * (1 - L1_RATIO) * design.variance,
        )
        used = np.abs(fit_elastic_net(problem).coef).max(axis=1)
        fresh = (used > 0) & (entry == 0)
        entry[fresh], size[fresh] = share, used[fresh]
        if len(np.unique(players[entry > 0])) >= most:
            break
    return entry, size


def order_features(scores: Sequence[Array], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order features by the first scores, ties by the next, and then as in another ranking.

    Parameters
    ----------
    scores : sequence of ndarray of shape (n_features,)
        Larger leads.
    last : ndarray of shape (n_features,)
        The features in the other ranking, the leading one first.

    Example
    -------
    >>> order_features([np.array([0.0, 0.0, 2.0])], np.array([1, 2, 0])).tolist()
    [2, 1, 0]
    """
    place = np.argsort(last)
    return np.lexsort([place, *(-score for score in reversed(scores))]).astype(np.int64)


def make_ranker(learner: Learner, rows: TrainingRows) -> Ranker | None:
    """Make the ranker for ``preprocessing.select`` before a fit; None if it needs no model.

    Parameters
    ----------
    learner : Learner
        With the values of the fit; ``select="shap"`` explains it.
    rows : TrainingRows
        Rows of the fit; the ranker gets them again when it ranks.
    """
    if rows.preprocessing.select == "shap":
        return ShapleyRanker(
            learner=learner,
            info=rows.info,
            preprocessing=rows.preprocessing,
            seed=rows.seed,
            device=rows.device,
        )
    if rows.preprocessing.select == "linear":
        return PathRanker(info=rows.info, preprocessing=rows.preprocessing)
    return None


def rank_features(learner: Learner, rows: TrainingRows) -> NDArray[np.int64]:
    """Rank all features as ``preprocessing.select`` does before a fit on these rows.

    Returns
    -------
    ndarray of shape (n_features,)
        Positions, the leading feature first.
    """
    step = make_preprocessor(
        learner,
        rows.info,
        preprocessing=replace(rows.preprocessing, k=rows.X.shape[1]),
        ranker=make_ranker(learner, rows),
        below=rows.below,
    )
    ranking: NDArray[np.int64] = step.fit(rows.X, rows.y, groups=rows.groups).ranking_
    return ranking


def _univariate(
    X: Any, y: NDArray[Any], info: TaskInfo, preprocessing: Preprocessing
) -> NDArray[np.int64]:
    step = Preprocessor(
        select="univariate",
        k=X.shape[1],
        numeric_transform=preprocessing.transform,
        classify=info.kind.is_classification,
    )
    ranking: NDArray[np.int64] = step.fit(X, y).ranking_
    return ranking
