"""A cell before anything is fitted: its parts, its identity, its label, why it is skipped.

A cell is Task x Learner x Splits with its settings; the hash of its identity names its folder.
Step in the line: task + learner + splits -> **Cell** -> fold results.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ConfigError, SplitError
from smalldata.evaluation.thresholds import ThresholdOptions
from smalldata.learner import TRANSFORM, Learner
from smalldata.models import load_learner, load_space
from smalldata.models.files import file_fields, file_keys
from smalldata.pipeline.choices import Selector, Tuner, with_values
from smalldata.pipeline.fitting import refuse_task
from smalldata.pipeline.preprocess import PLAIN, Preprocessing
from smalldata.pipeline.training import TrainingRows
from smalldata.resampling.strategies import check_train_size
from smalldata.results.folds import Array, Fold, FoldResult, Rows, Splits
from smalldata.results.record import RESULTS_VERSION, SCHEMA_VERSION, RunRecord
from smalldata.runtime import catalogue
from smalldata.runtime.devices import resolve_device
from smalldata.runtime.memory import share_card
from smalldata.runtime.sealing import frozen, plain
from smalldata.runtime.workers import count_processes
from smalldata.statistics.proportions import draw_rows
from smalldata.task import Task, TaskKind


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One square of the grid: a model with its settings on a task and its folds.

    Attributes
    ----------
    task : Task
    learner : Learner
    splits : Splits
        Made of the same task.
    preprocessing : Preprocessing
    train_size : int or None
        Train on this many rows of each training fold, nested; None: on all of them.
    tuner : Tuner or None
        Tunes inside each training fold.
    selector : Selector or None
        Chooses inside each training fold how many features the fit keeps.
    threshold : ThresholdOptions or None
        How each training fold chooses the threshold of its labels; None: the most probable class.
    seed : int
        The run's seed.
    model : str
        Its name in the table; "" is read as the name of the learner's file.
    fits : Path or None
        Folder where the fitted pipelines wait for their explanation in the same run; None: they are
        fitted again.

    Raises
    ------
    SplitError
        If the splits belong to another task.
    ConfigError
        If train_size does not fit the folds, or settings do not go together.
    """

    task: Task
    learner: Learner
    splits: Splits
    preprocessing: Preprocessing = PLAIN
    train_size: int | None = None
    tuner: Tuner | None = None
    selector: Selector | None = None
    threshold: ThresholdOptions | None = None
    seed: int = 0
    model: str = ""
    fits: Path | None = None

    def __post_init__(self) -> None:
        """Check that the parts belong together."""
        if not self.model:
            object.__setattr__(self, "model", type(self.learner).__module__.rpartition(".")[2])
        if self.splits.split_key != self.task.split_key:
            raise SplitError(
                "the splits must be made of the same task; the ids, target or groups differ. "
                "Make them anew with make_splits(task)."
            )
        check_train_size(self.task, self.splits, self.train_size)
        if self.threshold is not None and self.task.kind is not TaskKind.BINARY:
            raise ConfigError(
                f"threshold.rule needs a target of two classes; {self.task.dataset.name} is a "
                f"{self.task.kind} task. Set threshold.rule=none."
            )
        if self.selector is not None and self.preprocessing.select != "none":
            raise ConfigError(
                "a signature makes the selection itself; the preprocessing handed in beside it "
                f"must have select=none, got {self.preprocessing.select}."
            )
        if self.selector is not None and self.tuner is not None:
            raise ConfigError(
                "a signature chooses its size on inner folds of its own and is not tuned; "
                "set tune=none, or leave out experiment=signature."
            )
        if self.tuner is not None and self.preprocessing.select == "shap":
            raise ConfigError(
                "preprocess.select=shap ranks by the values of the model, which tuning changes; "
                "set tune=none, or preprocess.select=linear or univariate."
            )

    @property
    def n_values(self) -> int:
        """Values in the table: n_samples x n_features."""
        return self.task.n_samples * self.task.n_features

    @property
    def n_features(self) -> int:
        """Most features the fitted model sees: all of them unless some are selected."""
        kept = self.preprocessing.k
        if self.selector is not None:
            kept = max(self.selector.describe().get("sizes", [self.task.n_features]))
        return self.task.n_features if kept is None else min(kept, self.task.n_features)

    @property
    def ranking(self) -> str | None:
        """What ranks the features where some are selected."""
        if self.selector is None:
            return self.preprocessing.select
        return self.selector.describe().get("ranking")

    def train_rows(self, fold: Fold) -> Rows:
        """Training rows of a fold, ascending."""
        return self.splits.train_rows(fold, self.train_size)

    def training(self, fold: Fold, *, seed: int, device: str = "cpu") -> TrainingRows:
        """Return what a fold trains on: its rows, and how they are preprocessed."""
        everything = TrainingRows.of(
            self.task, preprocessing=self.preprocessing, seed=seed, device=device
        )
        return everything.take(self.train_rows(fold))

    def draws(self, fold: Fold) -> Array:
        """Return how often each training row of a fold is drawn, for draws of all samples."""
        task = self.task
        groups = None if task.groups is None else np.array(_codes(task.groups))
        return draw_rows(task.n_samples, groups, seed=self.seed)[:, self.train_rows(fold)]

    def fold(self, repeat: int, fold: int) -> Fold:
        """Return a fold by its numbers."""
        return next(one for one in self.splits.folds if (one.repeat, one.fold) == (repeat, fold))

    def device(self, asked: str) -> str:
        """Return where the cell runs: ``cpu`` unless the model can use a card and there is one."""
        return resolve_device(asked)[0] if self.learner.traits.uses_gpu else "cpu"

    def fitted_as(self, result: FoldResult) -> "Cell":
        """Return the cell as one of its folds was fitted: with its values and the size it chose."""
        learner, preprocessing = with_values(self.learner, self.preprocessing, result.values)
        if (chosen := result.selection) is not None:
            preprocessing = replace(preprocessing, select=chosen.ranking, k=chosen.k)  # type: ignore[arg-type]
        return replace(
            self,
            learner=learner,
            preprocessing=preprocessing,
            tuner=None,
            selector=None,
        )

    @cached_property
    def skipped(self) -> str:
        """Why the model cannot take the task; "" if it can."""
        return refuse_task(self.learner, self.task.info, ranking=self.ranking, k=self.n_features)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that can change a number, defaults included, as plain values.

        It leaves out processes, device, storage, versions of libraries and the options of an
        explanation.
        """
        kind = type(self.learner)
        signature = {} if self.selector is None else {"signature": plain(self.selector.describe())}
        threshold = {} if self.threshold is None else {"threshold": self.threshold.describe()}
        return {
            **signature,
            **threshold,
            "schema_version": SCHEMA_VERSION,
            "results_version": RESULTS_VERSION,
            "content": self.task.content_key,
            "split": self.task.split_key,
            "splits": self.splits.key,
            "train_size": self.train_size,
            "learner": {
                "_target_": f"{kind.__module__}.{kind.__qualname__}",
                **plain(learner_values(self.learner)),
                **file_keys(self.learner),
            },
            "preprocessing": plain(asdict(self.preprocessing)),
            "tuning": None if self.tuner is None else plain(self.tuner.describe()),
            "seed": self.seed,
        }

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """What differs from the defaults; the cell's label in the table is made of it."""
        values = learner_values(self.learner)
        usual: dict[str, Any] = {}
        if self.model in catalogue.names("model"):
            usual = learner_values(load_learner(self.model))
        changed = {key: value for key, value in values.items() if usual.get(key, usual) != value}
        for key in file_fields(self.learner):
            if (path := getattr(self.learner, key)) is not None:
                changed[key] = Path(path).name
        for key, value in asdict(self.preprocessing).items():
            if value != getattr(PLAIN, key):
                changed[key] = value
        if self.tuner is not None:
            changed |= plain(self.tuner.settings())
        if self.selector is not None:
            changed |= frozen(plain(self.selector.settings()))
        if self.threshold is not None:
            changed |= self.threshold.settings()
        if self.seed != 0:
            changed["seed"] = self.seed
        if self.tuner is not None and self._has_own_space(self.tuner):
            changed["own space"] = True
        return changed

    def _has_own_space(self, tuner: Tuner) -> bool:
        """Whether the tuner searches another space than the model's yaml gives for such tasks."""
        if self.model not in catalogue.names("model"):
            return False
        usual = dict(load_space(self.model).for_kind(self.task.kind).parameters)
        if self.preprocessing.transform != PLAIN.transform:  # a named transform is not searched
            usual.pop(TRANSFORM, None)
        told = plain([(name, asdict(parameter)) for name, parameter in usual.items()])
        return bool(tuner.describe().get("space", told) != told)

    def n_processes(self, n_jobs: int | None, *, device: str, most: int) -> int:
        """Return how many processes to use for at most so many pieces of work.

        Parameters
        ----------
        n_jobs : int or None
            As asked for; None: one per core, as far as a card's memory allows.
        device : str
            As `device` returned it.
        most : int
        """
        return share_card(
            min(count_processes(n_jobs), most),
            device=device,
            n_jobs=n_jobs,
            n_values=self.n_values,
        )

    def record(self) -> RunRecord:
        """Return the record of the cell before its first fold."""
        task = self.task
        return RunRecord(
            dataset=task.dataset.name,
            cv=self.splits.folder,
            model=self.model,
            kind=task.kind,
            classes=task.classes,
            measure=task.measure,
            target=task.dataset.target,
            n_samples=task.n_samples,
            n_features=task.n_features,
            splits_key=self.splits.key,
            test_train_ratio=self.splits.test_train_ratio,
            n_planned=len(self.splits.folds),
            identity=self.identity,
            groups=None if task.groups is None else _codes(task.groups),
            train_size=self.train_size,
            settings=self.settings,
            environment=describe_environment(),
            skipped=self.skipped,
        )


def _codes(groups: NDArray[Any]) -> tuple[int, ...]:
    return tuple(np.unique(groups.astype(str), return_inverse=True)[1].tolist())


def learner_values(learner: Learner) -> dict[str, Any]:
    """Return a learner's hyperparameters as plain values, lists as tuples; no paths of files.

    A fold can be rebuilt from them even if its files have moved.
    """
    values: dict[str, Any] = frozen(plain(asdict(learner)))  # type: ignore[call-overload]
    return {key: value for key, value in values.items() if key not in file_fields(learner)}


def describe_environment() -> dict[str, Any]:
    """Return versions and machine, which should not change a number but might."""
    import os
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "n_cores": os.cpu_count(),
    }
    for package in (
        "smalldata",
        "numpy",
        "scipy",
        "pandas",
        "scikit-learn",
        "torch",
        "xgboost",
        "optuna",
    ):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
