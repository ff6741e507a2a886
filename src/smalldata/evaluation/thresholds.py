"""The threshold of one fold: chosen on inner out-of-fold predictions of its training rows.

Step in the line: training rows of one outer fold -> **ThresholdChoice** -> calls on the held-out
rows. The rows that are held out take no part, and no training row is predicted by a model that has
seen it: predictions of rows that a model was fitted to are too sure, and a threshold taken from
them is too extreme.
"""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from smalldata.errors import ConfigError, FitError
from smalldata.learner import Array, Learner
from smalldata.measures.thresholds import (
    Rule,
    check_prevalence,
    choose_on_draws,
    choose_threshold,
    is_number,
    rates_at,
)
from smalldata.pipeline.fitting import fit_rows, predict_rows
from smalldata.pipeline.training import TrainingRows
from smalldata.results.thresholds import ThresholdChoice
from smalldata.seeding import seed_for
from smalldata.tuning.inner_folds import cut_inner_folds

USUAL_TARGET = 0.9
"""Sensitivity or specificity to reach if none is named."""


@dataclass(frozen=True, kw_only=True)
class ThresholdOptions:
    """How a fold chooses the probability from which on a row is called positive.

    Attributes
    ----------
    rule : {"youden", "sensitivity", "specificity", "cost"}
        See `smalldata.measures.thresholds.choose_threshold`.
    at : float or None
        The sensitivity or specificity to reach on the training rows; None: 0.9.
    cost_ratio : float or None
        What a missed positive costs, in false alarms; needed for the rule ``cost``.
    inner_folds : int
        Fewer if the smallest class of the training fold has fewer rows.
    prevalence : float or None
        Share of positives where the model will be used. Only the rule ``cost`` depends on it; None:
        that of the training rows.

    Raises
    ------
    ConfigError
        If a value is not one of these, or does not go with the rule.
    """

    rule: Rule = "youden"
    at: float | None = None
    cost_ratio: float | None = None
    inner_folds: int = 5
    prevalence: float | None = None

    def __post_init__(self) -> None:
        """Check the values, and fill in the target of the rules that have one."""
        if self.rule not in get_args(Rule):
            raise ConfigError(
                f"threshold.rule must be none, {', '.join(get_args(Rule)[:-1])} or "
                f"{get_args(Rule)[-1]}; got {self.rule!r}."
            )
        has_target = self.rule in ("sensitivity", "specificity")
        if self.at is not None and not has_target:
            raise ConfigError(
                "threshold.at goes with threshold.rule=sensitivity or specificity; the rule is "
                f"{self.rule}. Leave it out."
            )
        if self.at is not None and not (is_number(self.at) and 0 < self.at <= 1):
            raise ConfigError(f"threshold.at must be above 0 and at most 1; got {self.at!r}.")
        if has_target and self.at is None:
            object.__setattr__(self, "at", USUAL_TARGET)
        if (self.cost_ratio is not None) != (self.rule == "cost"):
            raise ConfigError(
                "threshold.cost_ratio goes with threshold.rule=cost, which needs it; got "
                f"threshold.rule={self.rule} and threshold.cost_ratio={self.cost_ratio}. Set "
                "both or neither."
            )
        if self.cost_ratio is not None and not (is_number(self.cost_ratio) and self.cost_ratio > 0):
            raise ConfigError(
                "threshold.cost_ratio must be a number above 0, the cost of a missed positive in "
                f"false alarms; got {self.cost_ratio!r}."
            )
        if (
            isinstance(self.inner_folds, bool)
            or not isinstance(self.inner_folds, int)
            or self.inner_folds < 2
        ):
            raise ConfigError(
                f"threshold.inner_folds must be a whole number of at least 2; "
                f"got {self.inner_folds!r}."
            )
        check_prevalence(self.prevalence)

    def describe(self) -> dict[str, Any]:
        """Return everything that can change the choice, as plain values."""
        described = {"rule": self.rule, "inner_folds": self.inner_folds, **self._details()}
        return described

    def settings(self) -> dict[str, Any]:
        """Return the rule and what differs from the defaults, for the label of the cell."""
        changed = {f"threshold.{key}": value for key, value in self._details().items()}
        if self.inner_folds != ThresholdOptions().inner_folds:
            changed["threshold.inner_folds"] = self.inner_folds
        return {"threshold": self.rule, **changed}

    def _details(self) -> dict[str, Any]:
        details: dict[str, Any] = {"at": self.at, "cost_ratio": self.cost_ratio}
        if self.rule == "cost":
            details["prevalence"] = self.prevalence
        return {key: value for key, value in details.items() if value is not None}


def choose_on_inner_folds(
    learner: Learner, rows: TrainingRows, options: ThresholdOptions, *, draws: Array
) -> ThresholdChoice:
    """Choose the threshold of a fold on its training rows.

    Parameters
    ----------
    learner : Learner
        With the values the fold is fitted with.
    rows : TrainingRows
        Of a binary task, with the preprocessing the fold is fitted with, whose features are
        selected again for each inner fold. Their seed is that of the fit on them.
    options : ThresholdOptions
    draws : ndarray of shape (n_draws, n_train)
        How often each row is drawn (`statistics.proportions.draw_rows`).

    Returns
    -------
    ThresholdChoice

    Raises
    ------
    FitError
        If the rows cannot be cut into two inner folds.
    """
    rows = rows.take(np.arange(len(rows.y)), seed=seed_for(rows.seed, "threshold"))
    pairs = cut_inner_folds(
        rows.y,
        rows.groups,
        n_folds=options.inner_folds,
        n_repeats=1,
        stratify=True,
        seed=rows.seed,
    )
    if not pairs:
        raise FitError(
            "a threshold is chosen on inner folds, and the training rows cannot be cut into 2; "
            "set threshold.rule=none."
        )
    score = np.empty(len(rows.y))
    for number, (train, test) in enumerate(pairs):
        pipeline = fit_rows(learner, rows.take(train, seed=seed_for(rows.seed, "fit", number)))
        found = predict_rows(pipeline, rows.X, rows.y, rows=test, n_classes=2)
        assert found.probabilities is not None
        score[test] = found.probabilities[:, 1]
    asked: dict[str, Any] = {"rule": options.rule, "prevalence": options.prevalence}
    asked |= {} if options.at is None else {"at": options.at}
    asked |= {} if options.cost_ratio is None else {"cost_ratio": options.cost_ratio}
    value = choose_threshold(rows.y, score, **asked)
    drawn = choose_on_draws(rows.y, score, draws, **asked)
    sensitivity, specificity = rates_at(rows.y, score, np.array([value]))
    return ThresholdChoice(
        rule=options.rule,
        value=value,
        sensitivity=float(sensitivity[0]),
        specificity=float(specificity[0]),
        n_rows=len(rows.y),
        n_folds=len(pairs),
        draws=tuple(np.where(np.isnan(drawn), value, drawn).tolist()),
    )
