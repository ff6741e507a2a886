"""Probabilities from margins: a map with few parameters, fitted on margins of held-out rows.

Step in the line: margins -> **calibration** -> probabilities of svm and pls. For two classes it is
Platt's (1999) sigmoid with his smoothed targets. For several classes it is the softmax of one
common slope times the margins plus one offset per class.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from smalldata.errors import SplitError
from smalldata.learner import Array
from smalldata.resampling.splitting import Rows, largest_n_splits, make_folds


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """A fitted map: probabilities = softmax(slope * margins + offsets); ``offsets`` sum to 0."""

    slope: float
    offsets: Array

    def probabilities(self, margins: Array) -> Array:
        """Return probabilities of shape (n_samples, n_classes) from margins of that shape."""
        return np.asarray(softmax(self.slope * margins + self.offsets, axis=1))


def calibration_folds(
    y: NDArray[Any], *, n_splits: int, groups: NDArray[Any] | None, seed: int
) -> list[tuple[Rows, Rows]]:
    """Split the training rows into folds for calibration, as many as the smallest class allows.

    Returns
    -------
    list of (train, held_out)
        Empty if not even two folds have every class on both sides.
    """
    for n_folds in range(min(n_splits, largest_n_splits(y, stratify=True, groups=groups)), 1, -1):
        try:
            return make_folds(y, n_folds, stratify=True, groups=groups, seed=seed)
        except SplitError:  # a class is confined to a few groups: fewer folds may work
            continue
    return []


def fit_calibration(margins: Array, y: NDArray[Any]) -> Calibration:
    """Fit slope and offsets by maximum likelihood on smoothed targets.

    Parameters
    ----------
    margins : ndarray of shape (n_samples, n_classes)
        Of rows that their model did not see.
    y : ndarray of shape (n_samples,)
        Class codes 0 … n_classes-1, each at least once.

    Returns
    -------
    Calibration

    Notes
    -----
    A class with m of n rows has the target (m + 1) / (m + 2) for its own rows, and the other
    classes share the rest (Platt 1999, for two classes), so that the slope stays finite on
    separable margins. The slope is kept at 0 or above, so that the probabilities of two classes
    never reverse the order of the margins.
    """
    n_classes = margins.shape[1]
    counts = np.bincount(y, minlength=n_classes)
    own = (counts + 1) / (counts + 2)
    targets = np.repeat(((1 - own) / (n_classes - 1))[y][:, None], n_classes, axis=1)
    targets[np.arange(len(y)), y] = own[y]
    size = float(np.std(margins)) or 1.0

    def loss(values: Array) -> tuple[float, Array]:
        output = values[0] / size * margins + values[1:]
        error = softmax(output, axis=1) - targets
        gradient = np.concatenate([[(error * margins).sum() / size], error.sum(axis=0)])
        return -float((targets * log_softmax(output, axis=1)).sum()), gradient

    start = np.concatenate([[1.0], np.log(counts / len(y))])
    bounds = [(0.0, None)] + [(None, None)] * n_classes
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-8},
    )
    offsets = found.x[1:] - found.x[1:].mean()
    return Calibration(slope=float(found.x[0]) / size, offsets=offsets)
