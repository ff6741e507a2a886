"""Binary calls at a threshold: which threshold a rule takes, and what its calls are worth.

Arrays and numbers in, numbers out. Step in the line: out-of-fold probabilities of training rows ->
**threshold** -> calls on held-out rows; rates of these calls -> **predictive values, net benefit**
-> report. A row is called positive if its probability is above the threshold.
"""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ConfigError
from smalldata.results.folds import Array

Rule = Literal["youden", "sensitivity", "specificity", "cost"]

BELOW_ALL = -1e-6
"""A threshold that calls even probabilities of 0."""

ROUNDING = 1e-12
"""Rates and costs that differ by less count as equal."""


def candidate_thresholds(score: NDArray[Any]) -> Array:
    """Return a threshold for every set of rows that some threshold calls positive.

    They fall from one that calls no row to one that calls all, halfway between neighbouring scores.

    Parameters
    ----------
    score : ndarray of shape (n_rows,)
        Probabilities of the positive class.

    Example
    -------
    >>> candidate_thresholds(np.array([0.2, 0.6, 0.2])).tolist()
    [0.8, 0.4, 0.1]
    """
    levels = np.unique(score)[::-1]
    top = (1 + levels[0]) / 2
    bottom = levels[-1] / 2 if levels[-1] > 0 else BELOW_ALL
    return np.concatenate([[top], (levels[:-1] + levels[1:]) / 2, [bottom]])


def rates_at(y: NDArray[Any], score: NDArray[Any], thresholds: NDArray[Any]) -> tuple[Array, Array]:
    """Return sensitivity and specificity at each threshold.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        1 for the positive class; both classes must be present.
    score : ndarray of shape (n_rows,)
    thresholds : ndarray of shape (n_thresholds,)
    """
    positive, negative = np.sort(score[y == 1]), np.sort(score[y != 1])
    missed = np.searchsorted(positive, thresholds, side="right")
    cleared = np.searchsorted(negative, thresholds, side="right")
    return 1 - missed / len(positive), cleared / len(negative)


def choose_threshold(
    y: NDArray[Any],
    score: NDArray[Any],
    *,
    rule: Rule,
    at: float = 0.9,
    cost_ratio: float = 1.0,
    prevalence: float | None = None,
) -> float:
    """Choose the threshold that a rule takes on these rows.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        1 for the positive class; both classes must be present.
    score : ndarray of shape (n_rows,)
        Probabilities from models that had not seen their row.
    rule : {"youden", "sensitivity", "specificity", "cost"}
        The largest sum of sensitivity and specificity (Youden 1950, *Cancer* 3:32); the largest
        specificity among thresholds whose sensitivity is at least ``at``, or the reverse; the least
        expected cost.
    at : float
    cost_ratio : float
        What a missed positive costs, in false alarms.
    prevalence : float, optional
        Share of positives that costs are expected for; default: that of the rows.

    Returns
    -------
    float
        Among thresholds that do equally well, the one at which sensitivity and specificity differ
        least, then the highest.

    Example
    -------
    >>> y, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.3, 0.8])
    >>> round(choose_threshold(y, score, rule="sensitivity", at=1.0), 2)
    0.2
    """
    once = np.ones((1, len(y)))
    options = {"at": at, "cost_ratio": cost_ratio, "prevalence": prevalence}
    return float(choose_on_draws(y, score, once, rule=rule, **options)[0])


def choose_on_draws(
    y: NDArray[Any],
    score: NDArray[Any],
    weights: Array,
    *,
    rule: Rule,
    at: float | None = 0.9,
    cost_ratio: float | None = 1.0,
    prevalence: float | None = None,
) -> Array:
    """Choose a threshold on each draw of the rows, as `choose_threshold` does.

    Parameters
    ----------
    weights : ndarray of shape (n_draws, n_rows)
        How often each row was drawn.

    Returns
    -------
    ndarray of shape (n_draws,)
        NaN for a draw without rows of both classes.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(score[order][1:] != score[order][:-1], True)
    called = []
    for of_class in (y[order] == 1, y[order] != 1):
        drawn = np.cumsum(weights[:, order] * of_class, axis=1)[:, last]
        total = np.where(drawn[:, -1:] > 0, drawn[:, -1:], np.nan)
        called.append(np.pad(drawn, ((0, 0), (1, 0))) / total)
    sensitivity, specificity = called[0], 1 - called[1]
    if rule == "youden":
        worth = sensitivity + specificity
    elif rule == "cost":
        of_draws = weights @ (y == 1) / weights.sum(axis=1)
        share = of_draws[:, None] if prevalence is None else prevalence
        assert cost_ratio is not None
        worth = -(share * cost_ratio * (1 - sensitivity) + (1 - share) * (1 - specificity))
    else:
        kept, other = sensitivity, specificity
        if rule == "specificity":
            kept, other = other, kept
        assert at is not None
        worth = np.where(kept >= at - ROUNDING, other, kept - 2.0)
    is_defined = ~np.isnan(worth).any(axis=1)
    best = worth >= worth.max(axis=1, keepdims=True) - ROUNDING
    uneven = np.where(best, np.round(np.abs(sensitivity - specificity), 12), np.inf)
    chosen = candidate_thresholds(score)[np.argmin(uneven, axis=1)]
    return np.where(is_defined, chosen, np.nan)


def predictive_values(ratio_positive: Any, ratio_negative: Any, prevalence: Any) -> tuple[Any, Any]:
    """Return PPV and NPV at a prevalence, from the likelihood ratios, by Bayes' rule.

    Both rise or fall with their ratio alone, so bounds of the ratios give bounds of the values. A
    ratio that is not a number gives a value that is not one.

    Example
    -------
    >>> ppv, npv = predictive_values(np.array([9.0, np.inf]), np.array([0.1, 0.0]), 0.1)
    >>> ppv.round(2).tolist(), npv.round(3).tolist()
    ([0.5, 1.0], [0.989, 1.0])
    """
    odds = prevalence / (1 - prevalence)
    with np.errstate(divide="ignore", invalid="ignore"):
        ppv = np.where(np.isinf(ratio_positive), 1.0, odds * ratio_positive)
        ppv = np.where(np.isinf(ratio_positive), 1.0, ppv / (1 + ppv))
        npv = np.where(np.isinf(ratio_negative), 0.0, 1 / (1 + odds * ratio_negative))
    return ppv, npv


def net_benefit(sensitivity: Any, specificity: Any, *, prevalence: Any, threshold: Any) -> Any:
    """Return the net benefit of treating who is called positive (Vickers & Elkin 2006, *MDM* 26).

    It counts true positives per sample, minus false positives per sample times the odds of the
    threshold: at the threshold t a true positive is worth (1 - t) / t false ones.

    Example
    -------
    >>> round(net_benefit(1.0, 0.0, prevalence=0.2, threshold=0.1), 4)  # treat all
    0.1111
    """
    odds = threshold / (1 - threshold)
    return prevalence * sensitivity - (1 - prevalence) * odds * (1 - specificity)


def check_prevalence(prevalence: float | None) -> None:
    """Refuse a prevalence that is not a share.

    Raises
    ------
    ConfigError
        If it is not above 0 and below 1.
    """
    if prevalence is not None and not (is_number(prevalence) and 0 < prevalence < 1):
        raise ConfigError(
            "threshold.prevalence must be a share above 0 and below 1, such as 0.05; "
            f"got {prevalence!r}."
        )


def is_number(value: object) -> bool:
    """Whether a setting is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
