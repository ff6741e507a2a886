"""The interfaces of a tuner and a selector inside one training fold, and their results."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from smalldata.learner import TRANSFORM, Learner
from smalldata.measures.registry import Measure
from smalldata.pipeline.preprocess import Preprocessing, Ranker, TransformName
from smalldata.pipeline.training import TrainingRows
from smalldata.results.panel import Selection


def with_values(
    learner: Learner, preprocessing: Preprocessing, values: Mapping[str, Any]
) -> tuple[Learner, Preprocessing]:
    """Set values of a search space: the transform in the preprocessing, all others in the learner.

    Examples
    --------
    >>> from smalldata.models import load_learner
    >>> values = {"n_neighbors": 3, "preprocess.transform": "rank"}
    >>> learner, preprocessing = with_values(load_learner("knn"), Preprocessing(), values)
    >>> learner.n_neighbors, preprocessing.transform
    (3, 'rank')
    """
    own = {name: value for name, value in values.items() if name != TRANSFORM}
    if TRANSFORM in values:
        preprocessing = replace(preprocessing, transform=values[TRANSFORM])
    return replace(learner, **own), preprocessing  # type: ignore[type-var]


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The result of tuning on one training fold.

    Attributes
    ----------
    learner : Learner
        With the chosen values.
    transform : str or None
        The chosen transform of the columns; None: that of the rows, if none was searched.
    notes : tuple of str
        What the reader of the record must know about this choice.
    seconds_before : float
        Time spent on this fold by an interrupted earlier run.
    counts : mapping
        As `FoldResult.tuning`.
    """

    learner: Learner
    transform: TransformName | None = None
    notes: tuple[str, ...] = ()
    seconds_before: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Selected:
    """The result of a selector on one training fold.

    Attributes
    ----------
    preprocessing : Preprocessing
        With the chosen size.
    ranker : Ranker
        The ranking of the training rows, as the preprocessing would make it.
    selection : Selection
    notes : tuple of str
        What the reader of the record must know about this choice.
    """

    preprocessing: Preprocessing
    ranker: Ranker
    selection: Selection
    notes: tuple[str, ...] = ()


class Selector(Protocol):
    """Chooses how many leading features a fit keeps, using the rows of one training fold."""

    @property
    def measure(self) -> Measure:
        """The measure that judges sizes."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return everything that can change the choice, as plain values."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """Return the settings for the cell's label; a value of True shows only the key."""
        ...

    def select(self, learner: Learner, rows: TrainingRows) -> Selected:
        """Return the preprocessing of the fit on these rows; their seed is that of the fit."""
        ...


class Tuner(Protocol):
    """Chooses a learner's values using the rows of one training fold."""

    def describe(self) -> Mapping[str, Any]:
        """Return everything that can change the choice, as plain values."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """Return the settings for the cell's label; a value of True shows only the key."""
        ...

    def tune(self, learner: Learner, rows: TrainingRows, *, name: str) -> Tuned:
        """Return the learner with the chosen values; ``name`` is that of the outer fold."""
        ...
