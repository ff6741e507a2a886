"""The outer folds: a Resampling (the strategy) applied to a Task gives Splits (the rows).

Step in the line: task -> **splits** -> pipeline. The seeds name the repeat and the fold, never the
model, so that all models get the same folds. Every strategy keeps a task's groups whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ConfigError, SplitError
from smalldata.resampling.splitting import (
    Rows,
    largest_n_splits,
    make_folds,
    make_holdout,
    nested_order,
)
from smalldata.results.folds import Fold, Splits
from smalldata.runtime.catalogue import read_entry
from smalldata.seeding import seed_for
from smalldata.task import Task

Cut = tuple[Rows, Rows]


class Resampling(Protocol):
    """A strategy: frozen numbers, applied to a task by ``cut``."""

    def cut(self, task: Task, seed: int) -> list[list[Cut]]:
        """Return the (train, test) rows of each fold of each repeat."""
        ...


@dataclass(frozen=True, kw_only=True)
class RepeatedFolds:
    """``n_repeats`` times ``n_splits`` folds: rep5x5, kfold and groups."""

    n_splits: int
    n_repeats: int

    def cut(self, task: Task, seed: int) -> list[list[Cut]]:
        """Cut all rows into folds, separately for each repeat."""
        return [
            make_folds(
                task.y,
                self.n_splits,
                stratify=task.kind.is_classification,
                groups=task.groups,
                seed=seed_for(seed, "split", repeat),
            )
            for repeat in range(self.n_repeats)
        ]


@dataclass(frozen=True, kw_only=True)
class LeaveOneOut:
    """One fold per row, or per group if the task has groups."""

    def cut(self, task: Task, seed: int) -> list[list[Cut]]:
        """Test each row (group) once, in the order of the table."""
        units = np.arange(task.n_samples) if task.groups is None else _as_text(task.groups)
        return [_by_labels(units)]


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """One cut, or ``n_repeats`` independent ones; each repeat has a single fold."""

    test_share: float
    n_repeats: int

    def cut(self, task: Task, seed: int) -> list[list[Cut]]:
        """Cut all rows in two, separately for each repeat."""
        return [
            [
                make_holdout(
                    task.y,
                    self.test_share,
                    stratify=task.kind.is_classification,
                    groups=task.groups,
                    seed=seed_for(seed, "split", repeat),
                )
            ]
            for repeat in range(self.n_repeats)
        ]


@dataclass(frozen=True, kw_only=True)
class FixedFolds:
    """The folds of a column of the table."""

    def cut(self, task: Task, seed: int) -> list[list[Cut]]:
        """Test the rows of each fold id once, in order of first appearance."""
        column = task.dataset.folds
        if column is None:
            raise SplitError(
                "cv=fixed needs a column with fold ids and the dataset names none; "
                "set dataset.folds=COLUMN."
            )
        ids = _as_text(column)
        if len(np.unique(ids)) < 2:
            raise SplitError(
                f"the fold column must have at least 2 fold ids; it has only {ids[0]!r}."
            )
        if task.groups is not None:
            groups = _as_text(task.groups)
            for group in dict.fromkeys(groups.tolist()):
                found = list(dict.fromkeys(ids[groups == group].tolist()))
                if len(found) > 1:
                    raise SplitError(
                        f"a group must be in one fold; {group!r} is in the folds {found[0]!r} "
                        f"and {found[1]!r}. Fix the fold column or the groups."
                    )
        return [_by_labels(ids)]


_NUMBERS = {
    "rep5x5": {"n_splits": 5, "n_repeats": 5},
    "groups": {"n_splits": 5, "n_repeats": 5},
    "kfold": {"n_splits": 10, "n_repeats": 1},
}
"""Folds and repeats if neither the user nor conf/cv gives a number."""

_STRATEGIES: dict[str, type[Any]] = {
    "rep5x5": RepeatedFolds,
    "kfold": RepeatedFolds,
    "groups": RepeatedFolds,
    "loo": LeaveOneOut,
    "holdout": Holdout,
    "fixed": FixedFolds,
}


def make_splits(
    task: Task,
    cv: str = "auto",
    *,
    n_splits: int | None = None,
    n_repeats: int | None = None,
    test_share: float | None = None,
    seed: int = 0,
) -> Splits:
    """Cut a task into outer folds.

    Parameters
    ----------
    task : Task
    cv : str
        ``rep5x5``, ``kfold``, ``loo``, ``holdout``, ``groups``, ``fixed``, or ``auto``: rep5x5, or
        groups when the task has groups.
    n_splits, n_repeats : int, optional
        Default: 5 folds, 5 times over; for ``kfold`` 10 folds, once. A task with fewer groups than
        that gets one fold per group, once, and ``Splits.notes`` says so.
    test_share : float, optional
        Share of the rows that ``holdout`` tests on.
    seed : int
        The run's seed.

    Returns
    -------
    Splits
        Each fold's training rows in the nested order of `nested_order`. ``is_default`` is False
        if a number or the seed differs from the default; the folder name then has a hash.

    Raises
    ------
    ConfigError
        If there is no such cv, or it does not take a value.
    SplitError
        If the folds cannot be made: there are fewer groups than folds, or a class would be missing
        from some training fold. The message says what works.

    Examples
    --------
    >>> import pandas as pd
    >>> from smalldata.task import Dataset, TaskKind, make_task
    >>> table = pd.DataFrame({"a": np.arange(20.0)})
    >>> dataset = Dataset(name="toy", X=table, y=np.arange(20.0), kind=TaskKind.REGRESSION,
    ...                   sample_ids=np.arange(20).astype(str), target="t")
    >>> splits = make_splits(make_task(dataset), "kfold", n_splits=4)
    >>> splits.n_folds, len(splits.folds[0].test), splits.is_default
    (4, 5, False)
    >>> make_splits(make_task(dataset), "rep5x5", n_splits=4, n_repeats=2).name
    'rep4x2'
    """
    defaults = read_entry("cv", cv)
    name = ("rep5x5" if task.groups is None else "groups") if cv == "auto" else cv
    if cv == "auto":
        defaults = read_entry("cv", name)
    if name == "groups" and task.groups is None:
        raise SplitError(
            "cv=groups needs groups and the dataset names none; set dataset.groups=COLUMN "
            "or use cv=rep5x5."
        )
    defaults = defaults | _NUMBERS.get(name, {})
    given = {"n_splits": n_splits, "n_repeats": n_repeats, "test_share": test_share}
    strategy = _STRATEGIES[name]
    known = [field.name for field in fields(strategy)]
    values = {key: defaults[key] for key in known}
    for key, value in given.items():
        if value is None:
            continue
        if key not in known:
            takes = f"takes {' and '.join(known)}" if known else "takes no numbers"
            raise ConfigError(f"cv={name} {takes}; got {key}={value}.")
        values[key] = _checked(key, value)
    notes = _fit_to_groups(task, name, values, given)
    _check_classes(task, name)
    if name == "rep5x5":  # the name gives the numbers
        name = f"rep{values['n_splits']}x{values['n_repeats']}"
    resampling: Resampling = strategy(**values)
    repeats = resampling.cut(task, seed)
    if name == "fixed":
        _check_fixed(task, repeats[0])
    return Splits(
        name=name,
        split_key=task.split_key,
        n_samples=task.n_samples,
        folds=tuple(
            Fold(
                repeat=repeat, fold=fold, train=_nested(task, train, seed, repeat, fold), test=test
            )
            for repeat, cuts in enumerate(repeats)
            for fold, (train, test) in enumerate(cuts)
        ),
        is_default=seed == 0 and all(values[key] == defaults[key] for key in known),
        notes=notes,
        asked={"cv": cv, **given, "seed": seed},
    )


def check_train_size(task: Task, splits: Splits, train_size: int | None) -> None:
    """Check that every fold has at least this many training rows.

    Raises
    ------
    ConfigError
        If ``train_size`` is not a whole number, is too small for a row of each class or exceeds the
        smallest training fold.
    """
    if train_size is None:
        return
    if isinstance(train_size, bool) or not isinstance(train_size, int):
        raise ConfigError(f"cv.train_size must be a whole number; got {train_size!r}.")
    least = max(2, len(task.classes))
    most = min(len(fold.train) for fold in splits.folds)
    if not least <= train_size <= most:
        reason = "one row of each class" if task.classes else "two rows"
        raise ConfigError(
            f"cv.train_size must be between {least} ({reason}) and {most} (the smallest training "
            f"fold); got {train_size}."
        )


def _checked(key: str, value: Any) -> Any:
    if key == "test_share":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            raise ConfigError(f"cv.test_share must be between 0 and 1; got {value!r}.")
        return float(value)
    least = 2 if key == "n_splits" else 1
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"cv.{key} must be a whole number of at least {least}; got {value!r}.")
    return value


def _fit_to_groups(
    task: Task, name: str, values: dict[str, Any], given: dict[str, Any]
) -> tuple[str, ...]:
    """Limit the folds to the number of groups, unless a number was given; say what changed."""
    if task.groups is None:
        return ()
    found = np.unique(_as_text(task.groups))
    n_groups = len(found)
    if n_groups < 2:
        raise SplitError(
            f"there must be at least 2 groups, one to train on and one to test; all rows are in "
            f"group {found[0]!r}. Set dataset.groups to another column, or to null."
        )
    asked = values.get("n_splits", 0)
    if asked <= n_groups:
        return ()
    if given["n_splits"] is not None:
        raise SplitError(
            f"cv.n_splits must be between 2 and the number of groups ({n_groups}); got {asked}. "
            "Leave it out to make each group a fold."
        )
    values["n_splits"] = n_groups
    why = f"there are only {n_groups} groups"
    repeats = values["n_repeats"]
    if given["n_repeats"] is not None or repeats == 1:
        return (f"cv={name} makes {n_groups} folds instead of {asked}: {why}",)
    values["n_repeats"] = 1
    return (
        f"cv={name} makes {n_groups} folds once instead of {asked} folds {repeats} times: {why}, "
        "and with each group a fold every repeat would be the same",
    )


def _check_classes(task: Task, name: str) -> None:
    """Refuse a class in only one row or group: some training fold would lack it."""
    if name in ("holdout", "fixed"):
        return  # holdout keeps such a class in training; fixed folds are checked one by one
    unit = "row" if task.groups is None else "group"
    for code, class_name in enumerate(task.classes):
        members = task.y == code
        groups = None if task.groups is None else task.groups[members]
        if largest_n_splits(task.y[members], stratify=False, groups=groups) < 2:
            raise SplitError(
                f"every training fold must have every class; class {class_name!r} is in a single "
                f"{unit}, so no n_splits works. Drop the class{_known_remedy(task)}, merge it with "
                "another, or use cv=holdout."
            )


def _known_remedy(task: Task) -> str:
    """Say how to keep the other classes, where the table says that some are quality controls."""
    said = (finding.remedy for finding in task.dataset.findings if finding.code == "SD004")
    return next((f" ({remedy})" for remedy in said if "dataset.classes" in remedy), "")


def _check_fixed(task: Task, cuts: Sequence[Cut]) -> None:
    for code, class_name in enumerate(task.classes):
        for train, test in cuts:
            if not np.any(task.y[train] == code):
                assert task.dataset.folds is not None
                fold_id = str(task.dataset.folds[test[0]])
                raise SplitError(
                    f"every training fold must have every class; all rows of class {class_name!r} "
                    f"are in fold {fold_id!r}. Spread them over two folds or use cv=rep5x5."
                )


def _nested(task: Task, train: Rows, seed: int, repeat: int, fold: int) -> Rows:
    order = nested_order(
        task.y[train],
        stratify=task.kind.is_classification,
        seed=seed_for(seed, "order", repeat, fold),
    )
    return train[order]


def _as_text(column: NDArray[Any]) -> NDArray[Any]:
    return np.array([str(value) for value in column], dtype=object)


def _by_labels(labels: NDArray[Any]) -> list[Cut]:
    """Return one fold per distinct label, in order of first appearance."""
    return [
        (
            np.flatnonzero(labels != label).astype(np.int64),
            np.flatnonzero(labels == label).astype(np.int64),
        )
        for label in dict.fromkeys(labels.tolist())
    ]
