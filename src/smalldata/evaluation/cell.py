"""What a cell is before anything is fitted: its identity, label, plan and why it is skipped.

A cell is Task x Learner x Splits with its settings; the hash of its identity names its folder.
Step in the line: task + learner + splits -> **empty record** -> fold results.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ConfigError, SplitError
from smalldata.learner import Learner
from smalldata.models import load_learner, load_space
from smalldata.models.files import file_fields, file_keys
from smalldata.pipeline.choices import Selector, Tuner
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.resampling.strategies import check_train_size
from smalldata.results.folds import Splits
from smalldata.results.record import RESULTS_VERSION, SCHEMA_VERSION, RunRecord
from smalldata.runtime import catalogue
from smalldata.runtime.sealing import frozen, plain
from smalldata.task import Task, TaskKind

PLAIN = Preprocessing()
"""The default: what the learner's traits ask for and nothing else."""


def make_record(
    task: Task,
    learner: Learner,
    splits: Splits,
    *,
    model: str | None = None,
    preprocessing: Preprocessing = PLAIN,
    train_size: int | None = None,
    tuner: Tuner | None = None,
    selector: Selector | None = None,
    seed: int = 0,
) -> RunRecord:
    """Describe a cell before anything is fitted: its identity, folder, plan, and why it is skipped.

    Raises
    ------
    SplitError
        If the splits belong to another task.
    ConfigError
        If train_size does not fit the folds, or settings do not go together.
    """
    if splits.split_key != task.split_key:
        raise SplitError(
            "the splits must be made of the same task; the ids, target or groups differ. "
            "Make them anew with make_splits(task)."
        )
    check_train_size(task, splits, train_size)
    name = model or type(learner).__module__.rpartition(".")[2]
    _check_together(preprocessing, tuner, selector)
    settings = make_settings(
        learner, name, preprocessing=preprocessing, tuner=tuner, selector=selector, seed=seed
    )
    if tuner is not None and _has_own_space(tuner, name, task.kind):
        settings["own space"] = True
    return RunRecord(
        dataset=task.dataset.name,
        cv=splits.folder,
        model=name,
        kind=task.kind,
        classes=task.classes,
        measure=task.measure,
        target=task.dataset.target,
        n_samples=task.n_samples,
        n_features=task.n_features,
        splits_key=splits.key,
        test_train_ratio=splits.test_train_ratio,
        n_planned=len(splits.folds),
        identity=make_identity(
            task,
            learner,
            splits,
            preprocessing=preprocessing,
            train_size=train_size,
            tuner=tuner,
            selector=selector,
            seed=seed,
        ),
        groups=None if task.groups is None else _codes(task.groups),
        train_size=train_size,
        settings=settings,
        environment=describe_environment(),
        skipped=_refusal(task, learner, preprocessing, selector),
    )


def _check_together(
    preprocessing: Preprocessing, tuner: Tuner | None, selector: Selector | None
) -> None:
    """Refuse settings that would choose the same thing twice."""
    if selector is not None and preprocessing.select != "none":
        raise ConfigError(
            "a signature makes the selection itself; the preprocessing handed in beside it must "
            f"have select=none, got {preprocessing.select}."
        )
    if selector is not None and tuner is not None:
        raise ConfigError(
            "a signature chooses its size on inner folds of its own and is not tuned; "
            "set tune=none, or leave out experiment=signature."
        )
    if tuner is not None and preprocessing.select == "shap":
        raise ConfigError(
            "preprocess.select=shap ranks by the values of the model, which tuning changes; "
            "set tune=none, or preprocess.select=linear or univariate."
        )


def _refusal(
    task: Task, learner: Learner, preprocessing: Preprocessing, selector: Selector | None
) -> str:
    """Say why the cell is skipped; "" if it is not."""
    info = replace(task.info, n_features=_count_given(task, preprocessing, selector))
    own = getattr(learner, "refusal", None)
    return (
        learner.traits.refusal(info)
        or ("" if own is None else str(own(info)))
        or _refuse_ranking(learner, preprocessing, selector)
    )


def _count_given(task: Task, preprocessing: Preprocessing, selector: Selector | None) -> int:
    """Count the features a model is fitted on: all of them also where it ranks them itself."""
    ranking: str | None = preprocessing.select
    kept = preprocessing.k
    if selector is not None:
        told = selector.describe()
        ranking, kept = told.get("ranking"), max(told.get("sizes", [task.n_features]))
    return task.n_features if kept is None or ranking == "shap" else min(kept, task.n_features)


def _refuse_ranking(
    learner: Learner, preprocessing: Preprocessing, selector: Selector | None
) -> str:
    asked = preprocessing.select if selector is None else selector.describe().get("ranking")
    if asked == "shap" and not learner.traits.reads_features:
        return "reads no feature, so there is nothing to rank by shap"
    return ""


def _codes(groups: NDArray[Any]) -> tuple[int, ...]:
    return tuple(np.unique(groups.astype(str), return_inverse=True)[1].tolist())


def make_identity(
    task: Task,
    learner: Learner,
    splits: Splits,
    *,
    preprocessing: Preprocessing = PLAIN,
    train_size: int | None = None,
    tuner: Tuner | None = None,
    selector: Selector | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return everything that can change a number of a cell, defaults included, as plain values.

    Not in it: processes, device, storage, versions of libraries, and what an explanation is asked.
    """
    kind = type(learner)
    return {
        **({} if selector is None else {"signature": plain(selector.describe())}),
        "schema_version": SCHEMA_VERSION,
        "results_version": RESULTS_VERSION,
        "content": task.content_key,
        "split": task.split_key,
        "splits": splits.key,
        "train_size": train_size,
        "learner": {
            "_target_": f"{kind.__module__}.{kind.__qualname__}",
            **plain(learner_values(learner)),
            **file_keys(learner),
        },
        "preprocessing": plain(asdict(preprocessing)),
        "tuning": None if tuner is None else plain(tuner.describe()),
        "seed": seed,
    }


def make_settings(
    learner: Learner,
    model: str,
    *,
    preprocessing: Preprocessing = PLAIN,
    tuner: Tuner | None = None,
    selector: Selector | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return what differs from the defaults: the label of a cell in the table."""
    values = learner_values(learner)
    usual: dict[str, Any] = {}
    if model in catalogue.names("model"):
        usual = learner_values(load_learner(model))
    changed = {key: value for key, value in values.items() if usual.get(key, usual) != value}
    for key in file_fields(learner):
        if (path := getattr(learner, key)) is not None:
            changed[key] = Path(path).name
    for key, value in asdict(preprocessing).items():
        if value != getattr(PLAIN, key):
            changed[key] = value
    if tuner is not None:
        changed |= plain(tuner.settings())
    if selector is not None:
        changed |= frozen(plain(selector.settings()))
    if seed != 0:
        changed["seed"] = seed
    return changed


def _has_own_space(tuner: Tuner, model: str, kind: TaskKind) -> bool:
    """Whether the tuner searches another space than the model's yaml gives for such tasks."""
    if model not in catalogue.names("model"):
        return False
    usual = load_space(model).for_kind(kind).parameters
    told = plain([(name, asdict(parameter)) for name, parameter in usual.items()])
    return bool(tuner.describe().get("space", told) != told)


def learner_values(learner: Learner) -> dict[str, Any]:
    """Return a learner's hyperparameters as plain values, lists as tuples; no paths of files.

    A fold is rebuilt from them, wherever its files lie by then.
    """
    values: dict[str, Any] = frozen(plain(asdict(learner)))  # type: ignore[call-overload]
    return {key: value for key, value in values.items() if key not in file_fields(learner)}


def describe_environment() -> dict[str, Any]:
    """Return versions and machine: what should not change a number, but might."""
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
