"""What a tuner or a selector is asked, and hands back, inside one training fold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from smalldata.learner import Learner
from smalldata.measures.registry import Measure
from smalldata.pipeline.preprocess import Preprocessing, Ranker
from smalldata.pipeline.training import TrainingRows
from smalldata.results.panel import Selection


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What tuning hands back for one training fold.

    Attributes
    ----------
    learner : Learner
        With the values that were chosen.
    notes : tuple of str
        What the reader of the record must know of this choice.
    seconds_before : float
        Spent on this fold by an earlier run that was interrupted.
    counts : mapping
        As `FoldResult.tuning`.
    """

    learner: Learner
    notes: tuple[str, ...] = ()
    seconds_before: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Selected:
    """What a selector hands back for one training fold.

    Attributes
    ----------
    preprocessing : Preprocessing
        With the size that was chosen.
    ranker : Ranker
        The ranking of the training rows, as the preprocessing would make it anew.
    selection : Selection
    notes : tuple of str
        What the reader of the record must know of this choice.
    """

    preprocessing: Preprocessing
    ranker: Ranker
    selection: Selection
    notes: tuple[str, ...] = ()


class Selector(Protocol):
    """Chooses how many leading features a fit keeps, on the rows of one training fold."""

    @property
    def measure(self) -> Measure:
        """What sizes are judged by."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return everything that can change the choice, as plain values."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """Return what the label of the cell says of it; True where the key says it all."""
        ...

    def select(self, learner: Learner, rows: TrainingRows) -> Selected:
        """Return the preprocessing of the fit on these rows; their seed is that of the fit."""
        ...


class Tuner(Protocol):
    """Chooses a learner's values on the rows of one training fold."""

    def describe(self) -> Mapping[str, Any]:
        """Return everything that can change the choice, as plain values."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """Return what the label of the cell says of the tuning; True where the key says it all."""
        ...

    def tune(self, learner: Learner, rows: TrainingRows, *, name: str) -> Tuned:
        """Return the learner with the best values; ``name`` is that of the outer fold."""
        ...
