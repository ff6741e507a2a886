"""Class weights as row weights, the same for every learner with a ``class_weight``."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ClassWeight = Literal["none", "balanced"]


def row_weights(
    y: NDArray[Any], class_weight: ClassWeight, *, classify: bool
) -> NDArray[np.float64]:
    """Return row weights of mean 1; if balanced, every class has the same total weight.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Class codes, or values.
    class_weight : {"none", "balanced"}
    classify : bool
        False: a regression, in which every row has weight 1.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> row_weights(np.array([0, 0, 0, 1]), "balanced", classify=True).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """
    if class_weight == "none" or not classify:
        return np.ones(len(y))
    codes, counts = np.unique(y, return_counts=True)
    weight = len(y) / (len(codes) * counts)
    return np.asarray(weight[np.searchsorted(codes, y)], dtype=np.float64)
