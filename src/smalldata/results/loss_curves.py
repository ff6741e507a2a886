"""The loss of a fit, epoch by epoch. Frozen, no I/O.

Step in the line: training rows of a fold -> **loss curves** -> FoldResult -> report.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

DIGITS = 7
"""Significant digits kept, since losses are computed in float32."""


@dataclass(frozen=True, kw_only=True)
class LossCurves:
    """Losses of one fit per epoch; for an ensemble, the means over its members.

    Attributes
    ----------
    loss : str
        Name and unit: "cross-entropy in nats".
    train : tuple of float, length n_epochs
        On the rows learned from: the mean over the steps of the epoch, while the weights change and
        with any noise (dropout).
    held_out : tuple of float, length n_epochs, or None
        On training rows that were not learned from, at the end of the epoch and without noise; None
        if no rows were held out.
    best_epoch : tuple of int, length n_members
        Zero-based epoch whose weights each member kept.
    best_loss : float
        Mean over the members of the loss of those weights: the held-out one, if there is one.
    n_planned : int
        Number of epochs if nothing stops the training.
    patience : int
        Epochs without a lower held-out loss after which a member stops; 0: it never stops.
    guessing : float or None
        Loss when predicting equal odds for all classes, or the mean for every row.
    altered : tuple of str
        What changes the loss of a row, such as label smoothing, class weights or mixup.
    schedule : tuple of str
        What the schedule changes towards the last epoch, such as the learning rate.

    Raises
    ------
    ValueError
        If the curves differ in length, a loss is not finite, or an epoch was not run.
    """

    loss: str
    train: tuple[float, ...]
    held_out: tuple[float, ...] | None
    best_epoch: tuple[int, ...]
    best_loss: float
    n_planned: int
    patience: int = 0
    guessing: float | None = None
    altered: tuple[str, ...] = ()
    schedule: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what figures and files rely on."""
        n_epochs = len(self.train)
        if self.held_out is not None and len(self.held_out) != n_epochs:
            raise ValueError(
                f"both losses must have {n_epochs} epochs; the held-out one has "
                f"{len(self.held_out)}"
            )
        if not all(map(math.isfinite, (*self.train, *(self.held_out or ()), self.best_loss))):
            raise ValueError("losses must be finite numbers")
        if not self.best_epoch or not all(0 <= epoch < n_epochs for epoch in self.best_epoch):
            raise ValueError(
                f"every member must have kept one of {n_epochs} epochs; got {self.best_epoch}"
            )
        if n_epochs > self.n_planned:
            raise ValueError(f"{self.n_planned} epochs were planned; {n_epochs} were run")

    @classmethod
    def of_members(
        cls,
        train: ArrayLike,
        held_out: ArrayLike | None,
        best_epoch: ArrayLike,
        *,
        guessing: float | None = None,
        **about: Any,
    ) -> Self:
        """Make the curves of the means over the members.

        Parameters
        ----------
        train : array_like of shape (n_epochs, n_members)
        held_out : array_like of shape (n_epochs, n_members), or None
        best_epoch : array_like of int of shape (n_members,)
        guessing : float, optional
        **about
            The other attributes.

        Examples
        --------
        >>> found = LossCurves.of_members(
        ...     [[0.7, 0.6], [0.4, 0.2]], None, [1, 1], loss="cross-entropy in nats", n_planned=2
        ... )
        >>> found.train, found.best_epoch, found.best_loss
        ((0.65, 0.3), (1, 1), 0.3)
        """
        best = np.asarray(best_epoch)
        judged = np.asarray(train if held_out is None else held_out, dtype=np.float64)
        return cls(
            train=_means(train),
            held_out=None if held_out is None else _means(held_out),
            best_epoch=tuple(best.tolist()),
            best_loss=_rounded(judged[best, np.arange(len(best))].mean()),
            guessing=None if guessing is None else _rounded(guessing),
            **about,
        )

    @property
    def n_stopped(self) -> int:
        """Number of members that stopped before the last planned epoch."""
        if self.held_out is None or not self.patience:
            return 0
        last = min(len(self.train), self.n_planned - 1)
        return sum(epoch + self.patience < last for epoch in self.best_epoch)

    @property
    def cut_short(self) -> bool:
        """Whether something other than patience ended the training early."""
        return len(self.train) < self.n_planned and self.n_stopped < len(self.best_epoch)


def _means(losses: ArrayLike) -> tuple[float, ...]:
    means: list[float] = np.asarray(losses, dtype=np.float64).mean(axis=1).tolist()
    return tuple(_rounded(mean) for mean in means)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
