"""The inner folds of one training fold: cut and preprocessed once, then used to score many trials.

Step in the line: training rows of one outer fold -> **scores of hyperparameters**, for `tuning`.
Work that does not depend on the hyperparameters is done once per inner fold: the preprocessing, and
whatever the learner's workspace shares, if it has one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from smalldata.errors import FitError, SplitError
from smalldata.learner import (
    Array,
    FitJob,
    Learner,
    Need,
    Outputs,
    PathWorkspace,
    SupportsFitMany,
    SupportsWorkspace,
    Workspace,
)
from smalldata.measures.registry import Measure
from smalldata.pipeline.fitting import make_prediction, outputs_of
from smalldata.pipeline.preprocess import Ranker, TransformName, make_preprocessor
from smalldata.pipeline.ranking import make_ranker
from smalldata.pipeline.training import TrainingRows
from smalldata.resampling.splitting import largest_n_splits, make_folds
from smalldata.results.folds import Rows
from smalldata.runtime.memory import OUT_OF_MEMORY
from smalldata.seeding import seed_for
from smalldata.task import TaskInfo

KEPT_VALUES = 10_000_000
"""Values of a table up to which an inner fold keeps what every transform needs, 80 MB each."""


def cut_inner_folds(
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    *,
    n_folds: int,
    n_repeats: int,
    first: int = 0,
    stratify: bool,
    seed: int,
) -> list[tuple[Rows, Rows]]:
    """Cut training rows into inner (train, test) pairs, as many folds as the smallest class fills.

    Parameters
    ----------
    y : ndarray of shape (n_train,)
    groups : ndarray of shape (n_train,) or None
    n_folds, n_repeats : int
        The numbers requested.
    first : int
        Ordinal of the first repeat: each is cut with its own seed.
    stratify : bool
    seed : int

    Returns
    -------
    list of (train, test)
        A multiple of ``n_repeats``; empty if not even two folds can be cut.
    """
    for n_splits in range(
        min(n_folds, largest_n_splits(y, stratify=stratify, groups=groups)), 1, -1
    ):
        try:
            return [
                pair
                for repeat in range(first, first + n_repeats)
                for pair in make_folds(
                    y,
                    n_splits,
                    stratify=stratify,
                    groups=groups,
                    seed=seed_for(seed, "inner", repeat),
                )
            ]
        except SplitError:  # whole groups would remove a class; fewer folds may not
            continue
    return []


@dataclass(frozen=True, kw_only=True, eq=False)
class InnerFolds:
    """The inner folds of one training fold, and the measure that scores them.

    Attributes
    ----------
    rows : TrainingRows
        The rows to cut. Their preprocessing is fitted on the train part of each pair. All fits of
        an inner fold have one seed.
    pairs : list of (train, test)
        Positions in the rows.
    classes : tuple of str
    measure : Measure
    rankers : tuple of Ranker
        One per inner fold, if the rankings are known; empty: as ``preprocessing.select`` says.
    workspaces : dict of int to Workspace
        By inner fold, from its first trial until the outer fold is tuned; memory grows with the
        number of folds of all repeats.
    variants : dict of str to InnerFolds
        The same folds under other transforms, each with its own workspaces; see `under`.
    told : set of str
        Notes of workspaces that are no longer kept.
    together : bool or None
        Whether all inner folds of a trial are fitted as one program, if the learner can; None: on a
        card. The same folds always go together, whatever was computed before.
    """

    rows: TrainingRows
    pairs: list[tuple[Rows, Rows]]
    classes: tuple[str, ...]
    measure: Measure
    rankers: tuple[Ranker, ...] = ()
    workspaces: dict[int, Workspace] = field(default_factory=dict)
    variants: dict[str, "InnerFolds"] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    together: bool | None = None

    @classmethod
    def cut(
        cls,
        rows: TrainingRows,
        *,
        n_folds: int,
        n_repeats: int = 1,
        classes: tuple[str, ...],
        measure: Measure,
        together: bool | None = None,
    ) -> "InnerFolds":
        """Cut rows by their seed, as `cut_inner_folds` does."""
        pairs = cut_inner_folds(
            rows.y,
            rows.groups,
            n_folds=n_folds,
            n_repeats=n_repeats,
            stratify=rows.info.kind.is_classification,
            seed=rows.seed,
        )
        return cls(rows=rows, pairs=pairs, classes=classes, measure=measure, together=together)

    def __len__(self) -> int:
        """Return the number of inner folds over all repeats."""
        return len(self.pairs)

    def undefined_reason(self, fold: int) -> str:
        """Say why the measure is undefined on a fold for every model; "" if it is not."""
        return self.measure.missing_in(self.rows.y[self.pairs[fold][1]])

    def check_defined(self, *, key: str) -> None:
        """Refuse a measure undefined on every fold; ``key`` is the prefix of its settings."""
        reasons = [self.undefined_reason(fold) for fold in range(len(self))]
        if all(reasons):
            raise FitError(
                f"{self.measure.name} must be defined on the inner folds; on each of them it "
                f"{reasons[0]}. Use fewer {key}.inner_folds or another {key}.measure."
            )

    def cut_again(self, n_folds: int, *, repeat: int) -> "InnerFolds":
        """Return one further repeat of the inner cross-validation, by its ordinal."""
        pairs = cut_inner_folds(
            self.rows.y,
            self.rows.groups,
            n_folds=n_folds,
            n_repeats=1,
            first=repeat,
            stratify=self.rows.info.kind.is_classification,
            seed=self.rows.seed,
        )
        return replace(self, pairs=pairs, workspaces={}, variants={}, told=set())

    def forget(self) -> None:
        """Drop what earlier trials left for later ones."""
        for one in (self, *self.variants.values()):
            one.workspaces.clear()

    def keep(self, k: int, rankers: Sequence[Ranker]) -> "InnerFolds":
        """Return the same folds with another number of features, ranked as given on each."""
        return replace(
            self,
            rows=self.rows.keep(k),
            rankers=tuple(rankers),
            workspaces={},
            variants={},
            told=set(),
        )

    def under(self, transform: TransformName) -> "InnerFolds":
        """Return the same folds under another transform; what it needs is kept for later trials.

        On tables of more than `KEPT_VALUES` only what the latest transform needs is kept.
        """
        asked, found = self.rows.preprocessing, self
        if transform != asked.transform:
            rows = replace(self.rows, preprocessing=replace(asked, transform=transform))
            fresh = replace(self, rows=rows, workspaces={}, variants={}, told=set())
            found = self.variants.setdefault(transform, fresh)
        if self.rows.X.size > KEPT_VALUES:
            for other in (self, *self.variants.values()):
                if other is not found:
                    other.told.update(other.shortages())
                    other.workspaces.clear()
        return found

    def score(self, learner: Learner, fold: int) -> float | None:
        """Score a learner on one inner fold; None if the measure is undefined there.

        Raises
        ------
        FitError
            If the measure is undefined only for this learner, or its outputs are not numbers.
        """
        if self.undefined_reason(fold):
            return None
        workspace = self._workspace(learner, fold)
        return self._judge(workspace.outputs(learner, needs=self.measure.needs), fold)

    def scores(self, learner: Learner) -> Iterator[float | None]:
        """Score a learner on each inner fold in turn, as `score` does, to rounding."""
        fitted = self._fit_together(learner)
        for fold in range(len(self)):
            if fold not in fitted:
                yield self.score(learner, fold)
                continue
            workspace = self._workspace(learner, fold)
            assert isinstance(workspace, FitEach)
            yield self._judge(workspace.read(fitted[fold]), fold)

    def _fit_together(self, learner: Learner) -> dict[int, Any]:
        """Return the fitted estimator of each fold; empty if they are to be fitted one by one.

        A fit that fails would fail all of them, so then each is tried alone, and only the folds
        fail that would fail alone.
        """
        wanted = self.rows.device != "cpu" if self.together is None else self.together
        if not wanted or not isinstance(learner, SupportsFitMany):
            return {}
        folds = [fold for fold in range(len(self)) if not self.undefined_reason(fold)]
        workspaces = [self._workspace(learner, fold) for fold in folds]
        jobs = [workspace.job() for workspace in workspaces if isinstance(workspace, FitEach)]
        if len(jobs) < max(2, len(folds)):
            return {}
        try:
            return dict(zip(folds, learner.fit_many(jobs, device=self.rows.device), strict=True))
        except Exception:
            return {}

    def shortages(self) -> tuple[str, ...]:
        """Return the notes for the record about fits that ran out of memory."""
        fitted = [found for found in self.workspaces.values() if isinstance(found, FitEach)]
        told = self.told.union(*(workspace.shortages for workspace in fitted))
        return tuple(sorted(told.union(*(one.shortages() for one in self.variants.values()))))

    def score_path(self, learner: Learner, values: Sequence[int], fold: int) -> list[float | None]:
        """Score each value of the learner's path hyperparameter on one inner fold, by one fit."""
        if self.undefined_reason(fold):
            return [None] * len(values)
        workspace: PathWorkspace = self._workspace(learner, fold)  # type: ignore[assignment]
        found = workspace.path(learner, values, needs=self.measure.needs)
        return [self._judge(outputs, fold) for outputs in found]

    def train_part(self, fold: int) -> TrainingRows:
        """Return the rows that an inner fold trains on."""
        return self.rows.take(self.pairs[fold][0], seed=seed_for(self.rows.seed, "fit", fold))

    def _workspace(self, learner: Learner, fold: int) -> Workspace:
        if fold not in self.workspaces:
            self.workspaces[fold] = open_workspace(
                learner,
                self.train_part(fold),
                self.rows.X.iloc[self.pairs[fold][1]],
                ranker=self.rankers[fold] if self.rankers else None,
            )
        return self.workspaces[fold]

    def _judge(self, outputs: Outputs, fold: int) -> float:
        test = self.pairs[fold][1]
        prediction = make_prediction(outputs, self.rows.y, rows=test, n_classes=len(self.classes))
        score = self.measure.score(prediction, classes=self.classes)
        if score.value is None:
            raise FitError(
                f"{self.measure.name} is undefined on inner fold {fold + 1}: {score.reason}"
            )
        return float(score.value)


def open_workspace(
    learner: Learner, rows: TrainingRows, X_valid: Any, *, ranker: Ranker | None = None
) -> Workspace:
    """Preprocess training and validation rows, and make the learner's workspace of them.

    Parameters
    ----------
    learner : Learner
    rows : TrainingRows
    X_valid : DataFrame of shape (n_valid, n_features)
    ranker : Ranker, optional
        Replaces the ranking that ``preprocessing.select`` names.
    """
    step = make_preprocessor(
        learner,
        rows.info,
        preprocessing=rows.preprocessing,
        ranker=ranker or make_ranker(learner, rows),
        below=rows.below,
    )
    make = learner.workspace if isinstance(learner, SupportsWorkspace) else FitEach
    opened: Workspace = make(
        rows.info,
        X_train=step.fit_transform(rows.X, rows.y, groups=rows.groups),
        y_train=rows.y,
        X_valid=step.transform(X_valid),
        groups=rows.groups,
        seed=rows.seed,
        device=rows.device,
    )
    return opened


@dataclass(frozen=True, eq=False)
class FitEach:
    """The workspace of a learner that has none: it fits once for each set of outputs.

    ``shortages`` has the notes of fits that ran out of memory.
    """

    info: TaskInfo
    X_train: Array
    y_train: NDArray[Any]
    X_valid: Array
    groups: NDArray[Any] | None
    seed: int
    device: str
    shortages: set[str] = field(default_factory=set)

    def outputs(self, learner: Learner, *, needs: Need) -> Outputs:
        """Build, fit and predict; returns all parts, whatever ``needs`` says."""
        estimator = learner.build(self.info, seed=self.seed, device=self.device)
        return self.read(estimator.fit(self.X_train, self.y_train, groups=self.groups))

    def read(self, fitted: Any) -> Outputs:
        """Predict the validation rows with an estimator fitted on these rows."""
        said = [note for note in getattr(fitted, "notes_", ()) if note.startswith(OUT_OF_MEMORY)]
        self.shortages.update(f"while tuning, {note}" for note in said)
        return outputs_of(fitted, self.X_valid, classify=self.info.kind.is_classification)

    def job(self) -> FitJob:
        """Return the fit of these rows, to be done together with others."""
        return FitJob(
            info=self.info, X=self.X_train, y=self.y_train, groups=self.groups, seed=self.seed
        )

    def path(self, learner: Learner, values: Sequence[int], *, needs: Need) -> list[Outputs]:
        """Fit once for each value."""
        assert learner.traits.path is not None
        return [
            self.outputs(replace(learner, **{learner.traits.path: value}), needs=needs)  # type: ignore[type-var]
            for value in values
        ]
