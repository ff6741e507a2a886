"""Logistic recalibration of probabilities: slope and intercept, for many draws of rows at once.

Step in the line: probabilities + drawn weights -> **slope, intercept** -> formulas, draws. Both are
unpenalised maximum likelihood, found by Newton's method.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.results.folds import Array

LOGIT_CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1, where logits are infinite."""

N_STEPS = 60


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
    x, w = (logit - centre) / width, weights[fit]
    beta = np.zeros((2, len(fit), 1))
    best = _likelihood(beta[0] + beta[1] * x, y, w)
    converged = np.zeros(len(fit), dtype=bool)
    for _ in range(N_STEPS):
        p = 0.5 * (1.0 + np.tanh(0.5 * (beta[0] + beta[1] * x)))
        error, weight = w * (y - p), w * p * (1 - p)
        g0, g1 = error.sum(axis=1), error @ x
        converged = np.maximum(np.abs(g0), np.abs(g1)) < 1e-11 * w.sum(axis=1)
        if np.all(converged):
            break
        a, b, c = weight.sum(axis=1), weight @ x, weight @ x**2
        determinant = np.maximum(a * c - b * b, np.finfo(float).tiny)
        step = np.stack([c * g0 - b * g1, a * g1 - b * g0]) / determinant
        step = np.where(converged, 0.0, step)[:, :, None]
        for _ in range(N_STEPS):
            tried = _likelihood(beta[0] + step[0] + (beta[1] + step[1]) * x, y, w)
            worse = tried < best - 1e-12 * np.abs(best)
            if not np.any(worse):
                break
            step[:, worse] /= 2
        beta, best = beta + step, tried
    found[fit] = np.where(converged, beta[1, :, 0] / width, np.nan)
    return found


def _likelihood(eta: Array, y: NDArray[Any], weights: Array) -> Array:
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
    # The mean probability rises with the shift, and these two ends enclose the answer.
    share = np.log(aim) - np.log(total[both] - aim)
    low, high = share - np.max(logit), share - np.min(logit)
    for _ in range(N_STEPS):
        middle = (low + high) / 2
        p = 0.5 * (1.0 + np.tanh(0.5 * (middle[:, None] + logit)))
        above = np.sum(w * p, axis=1) > aim
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    shift[both] = (low + high) / 2
    return shift
