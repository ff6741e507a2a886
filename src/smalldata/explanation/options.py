"""The options of an explanation: the keys of ``explain``, checked, and the rows they choose.

Step in the line: config -> **ExplanationOptions** -> explanation.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ExplanationError, did_you_mean
from smalldata.evaluation.cell import Cell
from smalldata.resampling.permuting import check_permutable
from smalldata.results.folds import Fold, Splits
from smalldata.results.record import RESULTS_VERSION
from smalldata.seeding import seed_for
from smalldata.shapley.dispatch import FEWEST_WALKS

DEFAULT_BACKGROUND = 100

MOST_VALUES = 5e11
"""Most values that walks may pass through a sampled model, over all rows and calls."""

VALUES_PER_SECOND = 5e7
"""How many of them the default mlp takes on one core."""

_LEAST = {
    "background": 1,
    "repeats": 1,
    "evaluations": 1,
    "rows": 1,
    "interactions": 0,
    "null": 0,
}
_OR_ALL = ("background", "repeats", "rows")
_OR_NAMES = {"rows": "sample ids", "interactions": "feature names"}


@dataclass(frozen=True, kw_only=True)
class ExplanationOptions:
    """What to explain and how; all values but ``null`` are hashed into the name of the stored file.

    Attributes
    ----------
    background : int or None
        Training rows of the fold to compare with; None: all, up to `DEFAULT_BACKGROUND`.
    repeats : int or None
        Repeats of the cross-validation whose held-out rows are explained; None: all.
    evaluations : int
        Most calls of a sampled model per row and repeat, but never fewer than 8 walks over the
        features take.
    rows : int, tuple of str or None
        How many samples to explain, drawn at random, or their ids; None: all.
    interactions : int or tuple of str
        How many leading features, or which ones, to look at in pairs; 0: none.
    quick : bool or None
        Expected gradients for networks instead of sampled walks; None: if there are too many
        features to walk.
    null : int
        Permutations of the labels, to show how large importances get without signal; 0: none.
    """

    background: int | None = None
    repeats: int | None = None
    evaluations: int = 6_000
    rows: int | tuple[str, ...] | None = None
    interactions: int | tuple[str, ...] = 20
    quick: bool | None = None
    null: int = 0

    def __post_init__(self) -> None:
        """Check the ranges; ``all`` is read as None, lists of names as tuples without repetition.

        Raises
        ------
        ExplanationError
            If a value is out of range or of a type its key does not take.
        """
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if name in _OR_ALL and (value is None or value == "all"):
                object.__setattr__(self, name, None)
                continue
            if name in _OR_NAMES and isinstance(value, list | tuple):
                object.__setattr__(self, name, _names(name, value))
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                words = [f"a whole number of at least {least}"]
                words += ["all"] if name in _OR_ALL else []
                words += [f"a list of {_OR_NAMES[name]} such as [a,b]"] if name in _OR_NAMES else []
                raise ExplanationError(
                    f"explain.{name} must be {' or '.join(words)}; got {value!r}."
                )
        if self.quick is not None and not isinstance(self.quick, bool):
            raise ExplanationError(
                f"explain.quick must be true, false or null; got {self.quick!r}."
            )


def _names(name: str, given: Sequence[Any]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(str(entry) for entry in given))
    if name == "rows":
        if not names:
            raise ExplanationError("explain.rows must name at least one sample; got an empty list.")
        return tuple(sorted(names))  # their order does not matter
    if len(names) == 1:
        raise ExplanationError(
            f"explain.interactions must name two features or more; got {names[0]!r} alone. Name "
            "a feature to pair it with."
        )
    return names


def describe_options(cell: Cell, options: ExplanationOptions) -> dict[str, Any]:
    """Return the options of an explanation as plain values; their hash names its file.

    The measure scores the rows without the leading features.
    """
    asked = asdict(options)
    del asked["null"]  # the permutations have files of their own, which grow
    return {
        "results_version": RESULTS_VERSION,
        "seed": cell.seed,
        "measure": cell.task.measure,
        **asked,
    }


def check_options(cell: Cell, options: ExplanationOptions) -> None:
    """Refuse an explanation that is impossible for this cell, before any fit.

    Raises
    ------
    ExplanationError
        If the task lacks a sample or a feature that is named, no fold holds out any of the samples
        named, there are fewer held-out samples than requested, the background is larger than a
        training fold to explain, or walks of a sampled model exceed `MOST_VALUES`.
    ConfigError
        If the labels have too few orders to permute them.
    """
    if isinstance(options.interactions, tuple):
        known = [str(name) for name in cell.task.dataset.feature_names]
        _positions(options.interactions, known, key="interactions", noun="feature")
    if options.null:
        check_permutable(cell.task, key="explain.null")
    rows = rows_to_explain(cell, options)
    check_background(cell, options, rows=rows)
    if cell.learner.traits.sampled and options.quick is False:
        folds = folds_to_explain(cell.splits, options, rows=rows)
        n_rows = sum(int(np.isin(fold.test, rows).sum()) for fold in folds)
        _check_calls(n_rows, cell.n_features)


def _check_calls(n_rows: int, n_features: int) -> None:
    n_calls = FEWEST_WALKS * n_features
    n_values = n_rows * n_calls * n_features
    if n_values > MOST_VALUES:
        hours = n_values / VALUES_PER_SECOND / 3600
        raise ExplanationError(
            f"walks over {n_features:,} features take at least {n_calls:,} calls of the model for "
            f"each of {n_rows:,} rows, some {hours:,.0f} hours of one core; leave "
            "explain.quick=null for expected gradients, or ask for fewer with explain.rows=N or "
            "explain.repeats=1."
        )


def rows_to_explain(cell: Cell, options: ExplanationOptions) -> NDArray[np.int64]:
    """Return the positions of the samples to explain, ascending.

    If only their number is given, the run's seed draws them from those that some fold holds out,
    whatever the model.

    Raises
    ------
    ExplanationError
        If the task lacks a sample that is named, no fold holds out any of those named, or there
        are fewer held-out samples than requested.
    """
    asked = _asked_folds(cell.splits, options)
    held_out = np.unique(np.concatenate([fold.test for fold in asked]))
    if options.rows is None:
        return held_out
    if isinstance(options.rows, int):
        if options.rows > len(held_out):
            raise ExplanationError(
                f"explain.rows must not exceed the number of held-out samples ({len(held_out)}); "
                f"got {options.rows}."
            )
        generator = np.random.default_rng(seed_for(cell.seed, "explained rows"))
        return np.sort(generator.choice(held_out, size=options.rows, replace=False))
    known = [str(name) for name in cell.task.dataset.sample_ids]
    rows = np.sort(_positions(options.rows, known, key="rows", noun="sample"))
    if not np.isin(rows, held_out).any():
        raise ExplanationError(
            f"explain.rows must name samples that a fold of {cell.splits.name} holds out, such as "
            f"{', '.join(known[row] for row in held_out[:3])}."
        )
    return rows


def folds_to_explain(
    splits: Splits, options: ExplanationOptions, *, rows: NDArray[np.int64]
) -> list[Fold]:
    """Return the folds of the first ``options.repeats`` repeats that hold out some of the rows."""
    return [fold for fold in _asked_folds(splits, options) if np.isin(fold.test, rows).any()]


def _asked_folds(splits: Splits, options: ExplanationOptions) -> list[Fold]:
    """Return the folds of the first ``options.repeats`` repeats."""
    return [
        fold for fold in splits.folds if options.repeats is None or fold.repeat < options.repeats
    ]


def check_background(cell: Cell, options: ExplanationOptions, *, rows: NDArray[np.int64]) -> None:
    """Refuse a background larger than the training rows of a fold to explain.

    Raises
    ------
    ExplanationError
        See `background_size`.
    """
    for fold in folds_to_explain(cell.splits, options, rows=rows):
        background_size(len(cell.train_rows(fold)), options.background)


def background_size(n_train: int, asked: int | None) -> int:
    """Count the rows of a fold's background.

    Raises
    ------
    ExplanationError
        If the fold trains on fewer rows than requested.
    """
    if asked is not None and asked > n_train:
        raise ExplanationError(
            f"explain.background must not exceed the training rows of a fold ({n_train}); "
            f"got {asked}."
        )
    return min(asked or DEFAULT_BACKGROUND, n_train)


def _positions(
    names: Sequence[str], known: Sequence[str], *, key: str, noun: str
) -> NDArray[np.int64]:
    place = {name: position for position, name in enumerate(known)}
    for name in names:
        if name in place:
            continue
        shown = f"the {noun}s are {', '.join(known[:3])}{' …' if len(known) > 3 else ''}."
        hint = did_you_mean(name, known, shown, cutoff=0.5)  # ids are short
        raise ExplanationError(
            f"explain.{key} must name {noun}s of the data; there is no {noun} {name!r}; {hint}"
        )
    return np.array([place[name] for name in names], dtype=np.int64)
