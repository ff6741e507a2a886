"""The rows a model learns from, with everything else about the fit except the model.

Step in the line: Task + Fold -> **TrainingRows** -> tuning, selection and the fit itself.
"""

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from smalldata.pipeline.preprocess import PLAIN, Preprocessing
from smalldata.results.folds import Rows
from smalldata.task import BelowLimit, Task, TaskInfo


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRows:
    """Rows to fit on: all that tuning, selecting features and fitting may see.

    Attributes
    ----------
    X : DataFrame of shape (n_train, n_features)
    y : ndarray of shape (n_train,)
        Class codes or values.
    groups : ndarray of shape (n_train,) or None
    info : TaskInfo
        Its number of samples is that of these rows.
    preprocessing : Preprocessing
        Fitted on the rows before the model.
    seed : int
        Seed of the fits on these rows.
    device : {"cpu", "cuda"}
    below : BelowLimit or None
        What -inf in X is taken for.
    """

    X: Any
    y: NDArray[Any]
    groups: NDArray[Any] | None
    info: TaskInfo
    preprocessing: Preprocessing
    seed: int
    device: str
    below: BelowLimit | None = None

    @classmethod
    def of(
        cls, task: Task, *, preprocessing: Preprocessing = PLAIN, seed: int, device: str = "cpu"
    ) -> "TrainingRows":
        """Return all rows of a task; `take` selects some of them."""
        return cls(
            X=task.X,
            y=task.y,
            groups=task.groups,
            info=task.info,
            preprocessing=preprocessing,
            seed=seed,
            device=device,
            below=task.dataset.below,
        )

    def take(self, rows: Rows, *, seed: int | None = None) -> "TrainingRows":
        """Return some of the rows by their positions, with the seed of their own fit."""
        return replace(
            self,
            X=self.X.iloc[rows],
            y=self.y[rows],
            groups=None if self.groups is None else self.groups[rows],
            info=replace(self.info, n_samples=len(rows)),
            seed=self.seed if seed is None else seed,
        )

    def keep(self, k: int) -> "TrainingRows":
        """Return the same rows with another number of selected features."""
        return replace(self, preprocessing=replace(self.preprocessing, k=k))
