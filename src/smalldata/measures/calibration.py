"""Logistic recalibration of probabilities: slope and intercept, for many draws of rows at once.

Step in the line: probabilities + drawn weights -> **slope, intercept** -> formulas, draws. Both are
unpenalised maximum likelihood, found by Newton's method.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from smalldata.results.folds import Array

LOGIT_CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1, where logits are infinite."""

N_STEPS = 60

NEAR = 1e-7
"""Gradient a row from which one more of Newton's steps is exact to rounding."""


def logits(p: Array) -> tuple[Array, int]:
    """Return the logits of clipped probabilities, and how many were clipped."""
    clipped = np.clip(p, LOGIT_CLIP, 1 - LOGIT_CLIP)
    return np.log(clipped) - np.log1p(-clipped), int(np.sum(clipped != p))


def separates(logit: Array, y: NDArray[Any], weights: Array) -> NDArray[np.bool_]:
    """Find the draws in which no finite slope exists, because the classes do not overlap.

    In one dimension the maximum likelihood exists exactly if they do (Albert & Anderson 1984). A
    draw without one of the classes, or with one value alone, is separated too.

    Parameters
    ----------
    logit : ndarray of shape (n,)
    y : ndarray of shape (n,)
        0 or 1.
    weights : ndarray of shape (n_draws, n)

    Returns
    -------
    ndarray of shape (n_draws,)
    """
    low, high = [], []
    for code in (0, 1):
        rows = y == code
        drawn = weights[:, rows] > 0
        low.append(np.min(np.where(drawn, logit[rows], np.inf), axis=1, initial=np.inf))
        high.append(np.max(np.where(drawn, logit[rows], -np.inf), axis=1, initial=-np.inf))
    return np.asarray((high[0] <= low[1]) | (high[1] <= low[0]))


def slopes(logit: Array, y: NDArray[Any], weights: Array) -> Array:
    """Return the slope of the logistic regression of y on the logit (Cox 1958), per draw.

    Parameters
    ----------
    logit : ndarray of shape (n,)
    y : ndarray of shape (n,)
        0 or 1.
    weights : ndarray of shape (n_draws, n)

    Returns
    -------
    ndarray of shape (n_draws,)
        NaN if there is no finite slope.

    Example
    -------
    >>> x = np.array([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0])
    >>> slopes(x, np.array([0, 0, 1, 0, 1, 1]), np.ones((1, 6))).round(3)
    array([0.693])
    """
    found = np.full(len(weights), np.nan)
    fit = np.flatnonzero(~separates(logit, y, weights))
    if not len(fit):
        return found
    centre, width = float(np.mean(logit)), float(np.std(logit))
    x = (logit - centre) / width
    # Draws have solutions near that of all rows, so they need few steps from there.
    start = np.zeros((2, 1))
    everything = np.ones((1, len(y)))
    if not separates(logit, y, everything)[0]:
        start, converged = _ascend(x, y, everything, start)
        start = np.where(converged, start, 0.0)
    beta, converged = _ascend(x, y, weights[fit], np.repeat(start, len(fit), axis=1))
    found[fit] = np.where(converged, beta[1] / width, np.nan)
    return found


def _ascend(
    x: Array, y: NDArray[Any], weights: Array, beta: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Return intercepts and slopes of shape (2, n_draws), and whether each was found."""
    converged = np.zeros(len(weights), dtype=bool)
    total = weights.sum(axis=1)
    for _ in range(N_STEPS):
        p = expit(beta[0][:, None] + np.outer(beta[1], x))
        error, weight = weights * (y - p), weights * p * (1 - p)
        # Sums, not matrix products, whose last digits depend on the number of threads.
        g0, g1 = error.sum(axis=1), (error * x).sum(axis=1)
        converged = np.maximum(np.abs(g0), np.abs(g1)) < NEAR * total
        a, b, c = (np.sum(weight * x**power, axis=1) for power in range(3))
        determinant = np.maximum(a * c - b * b, np.finfo(float).tiny)
        step = np.stack([c * g0 - b * g1, a * g1 - b * g0]) / determinant
        # Short steps never overshoot; long ones are halved until the likelihood rises.
        long = np.flatnonzero(np.max(np.abs(step), axis=0) > 0.5)
        if len(long):
            w, at = weights[long], beta[:, long]
            best = _likelihood(x, y, w, at)
            for _ in range(N_STEPS):
                worse = _likelihood(x, y, w, at + step[:, long]) < best - 1e-12 * np.abs(best)
                if not np.any(worse):
                    break
                step[:, long[worse]] /= 2
        beta = beta + step
        if np.all(converged):
            break
    return beta, converged


def _likelihood(x: Array, y: NDArray[Any], weights: Array, beta: Array) -> Array:
    eta = beta[0][:, None] + np.outer(beta[1], x)
    return np.asarray(np.sum(weights * (y * eta - np.logaddexp(0.0, eta)), axis=1))


def intercepts(logit: Array, y: NDArray[Any], weights: Array) -> Array:
    """Return the shift of the logits at which the mean probability is the share of class 1.

    The intercept of the logistic regression whose slope is fixed at 1: calibration in the large.

    Parameters
    ----------
    logit : ndarray of shape (n,)
    y : ndarray of shape (n,)
        0 or 1.
    weights : ndarray of shape (n_draws, n)

    Returns
    -------
    ndarray of shape (n_draws,)
        NaN if a draw lacks a class.

    Example
    -------
    >>> intercepts(np.zeros(4), np.array([0, 1, 1, 1]), np.ones((1, 4))).round(3)
    array([1.099])
    """
    total = weights.sum(axis=1)
    observed = weights @ y
    shift = np.full(len(weights), np.nan)
    both = np.flatnonzero((observed > 0) & (observed < total))
    w, aim = weights[both], observed[both]
    # The mean probability rises with the shift. These ends enclose the answer, rounding included.
    share = np.log(aim) - np.log(total[both] - aim)
    low, high = share - np.max(logit) - 1e-3, share - np.min(logit) + 1e-3
    at = (low + high) / 2
    for _ in range(N_STEPS):
        p = expit(at[:, None] + logit)
        excess = np.sum(w * p, axis=1) - aim
        low, high = np.where(excess > 0, low, at), np.where(excess > 0, at, high)
        slope = np.sum(w * p * (1 - p), axis=1)
        at = at - excess / np.maximum(slope, np.finfo(float).tiny)
        # Newton's step where it stays between the two ends, else their middle.
        at = np.where((at >= low) & (at <= high), at, (low + high) / 2)
        if np.all(np.abs(excess) < NEAR * total[both]):
            break
    shift[both] = at
    return shift
