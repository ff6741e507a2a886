"""The source of a trial's values: an Optuna study in memory, or a grid in order.

Used by `tuner` and `trials`. Both start with the defaults, and an interruption changes nothing: the
study is rebuilt from finished trials, the grid is enumerated.
"""

import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from smalldata.errors import ConfigError, FitError
from smalldata.learner import Parameter, SearchSpace
from smalldata.results.folds import Trial
from smalldata.seeding import seed_for

Sampler = Literal["tpe", "random", "cmaes", "grid"]
Values = Mapping[str, Any]


class Study:
    """An Optuna study in memory; the sampler gets a new seed for each trial, from its ordinal.

    So a study rebuilt from finished trials proposes the same values as an uninterrupted one.
    """

    def __init__(
        self, space: SearchSpace, default: Values, *, sampler: Sampler, maximise: bool, seed: int
    ) -> None:
        import optuna

        self.space, self.default, self.sampler, self.seed = space, default, sampler, seed
        self.most = sys.maxsize
        self.study = optuna.create_study(direction="maximize" if maximise else "minimize")
        self.distributions = distributions_of(space)
        self.asked: Any = None

    def ask(self, ordinal: int) -> Values:
        """Return the values to try, the defaults first."""
        if ordinal == 0:
            return self.default
        seed = seed_for(self.seed, "sampler", ordinal)
        self.study.sampler = make_sampler(self.sampler, seed=seed)
        self.asked = self.study.ask(self.distributions)
        return dict(self.asked.params)

    def tell(self, trial: Trial, *, estimate: float | None = None) -> None:
        """Record the result of the last values.

        Parameters
        ----------
        trial : Trial
        estimate : float, optional
            Estimated score of a pruned trial.
        """
        import optuna

        if trial.ordinal == 0:
            self._add(trial, estimate)
        elif estimate is not None:
            self.asked.report(estimate, _n_met(trial))
            self.study.tell(self.asked, state=optuna.trial.TrialState.PRUNED)
        elif trial.score is None:
            self.study.tell(self.asked, state=optuna.trial.TrialState.FAIL)
        else:
            self.study.tell(self.asked, trial.score)

    def replay(self, trial: Trial, *, estimate: float | None = None) -> None:
        """Record a trial that was finished before."""
        if self.sampler != "cmaes":
            self._add(trial, estimate)
            return
        # This sampler keeps its state in its trials, as a pickle that the log does not have, so ask
        # it again.
        asked = self.ask(trial.ordinal)
        if any(trial.values[name] != value for name, value in asked.items()):
            raise FitError(
                "the finished trials must be those this sampler proposes; they were made with "
                "another version of optuna or cmaes. Remove the cell's tuning folder."
            )
        self.tell(trial, estimate=estimate)

    def _add(self, trial: Trial, estimate: float | None) -> None:
        import optuna

        values = {name: trial.values[name] for name in self.space.parameters}
        dimensions = self.space.parameters
        if not all(dimensions[name].contains(value) for name, value in values.items()):
            return  # user defaults outside the space: scored, but no help to the search
        states = optuna.trial.TrialState
        state = states.FAIL if trial.score is None else states.COMPLETE
        self.study.add_trial(
            optuna.trial.create_trial(
                state=state if estimate is None else states.PRUNED,
                value=trial.score if estimate is None else estimate,
                params=values,
                distributions=self.distributions,
                intermediate_values=None if estimate is None else {_n_met(trial): estimate},
            )
        )


def _n_met(trial: Trial) -> int:
    """Return the number of inner folds on which a trial has scores."""
    return sum(score is not None for score in trial.fold_scores)


def distributions_of(space: SearchSpace) -> dict[str, Any]:
    """Return the dimensions of a space as Optuna's distributions, by name."""
    return {name: _distribution(parameter) for name, parameter in space.parameters.items()}


def _distribution(parameter: Parameter) -> Any:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if parameter.kind == "categorical":
        return CategoricalDistribution(parameter.choices)
    assert parameter.low is not None
    assert parameter.high is not None
    if parameter.kind == "int":
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return FloatDistribution(float(parameter.low), float(parameter.high), log=parameter.log)


def make_sampler(name: str, *, seed: int) -> Any:
    """Make Optuna's sampler tpe, random or cmaes; a grid is enumerated and has none."""
    from optuna.samplers import CmaEsSampler, RandomSampler, TPESampler

    if name == "random":
        return RandomSampler(seed=seed)
    if name == "cmaes":
        # Without its pruned trials, a generation would only learn from the good ones.
        return CmaEsSampler(seed=seed, warn_independent_sampling=False, consider_pruned_trials=True)
    # Set explicitly, since Optuna's defaults have changed between versions.
    return TPESampler(
        seed=seed, n_startup_trials=10, multivariate=True, group=False, constant_liar=False
    )


class Grid:
    """The points of a grid in order, after the defaults."""

    def __init__(self, points: Sequence[Values], default: Values) -> None:
        self.points, self.default = points, default
        self.most = len(points) + 1

    def ask(self, ordinal: int) -> Values:
        """Return the values to try, the defaults first."""
        return self.points[ordinal - 1] if ordinal else self.default

    def tell(self, trial: Trial, *, estimate: float | None = None) -> None:
        """Do nothing: results do not change the grid."""

    replay = tell


def grid_points(space: SearchSpace, default: Values, n_trials: int) -> list[Values]:
    """Enumerate a grid of at most ``n_trials - 1`` points.

    Categoricals get all choices. Numbers start with their default alone and get one more level in
    turn, in the order of the space, while the grid still fits. With two or more levels they span
    the dimension evenly (on the log scale if it has one), including both ends.
    """
    parameters = space.parameters
    levels: dict[str, list[Any]] = {
        name: list(parameter.choices) if parameter.kind == "categorical" else [default[name]]
        for name, parameter in parameters.items()
    }
    budget = n_trials - 1
    least = math.prod(len(found) for found in levels.values())
    if least > budget:
        raise ConfigError(
            f"a grid needs tune.trials of at least {least + 1} for the choices of this space and "
            f"the default; got {n_trials}."
        )
    counts = {name: 1 for name, found in parameters.items() if found.kind != "categorical"}
    grown = True
    while grown:
        grown = False
        for name, count in counts.items():
            wider = {**levels, name: spread(parameters[name], count + 1)}
            fits = math.prod(len(found) for found in wider.values()) <= budget
            if fits and wider[name] != levels[name]:
                levels, counts[name], grown = wider, count + 1, True
    return [dict(zip(levels, point, strict=True)) for point in itertools.product(*levels.values())]


def all_points(space: SearchSpace, *, most: int) -> list[Values]:
    """Return every point of a space of choices alone; none where they are more than ``most``."""
    choices = {name: found.choices for name, found in space.parameters.items()}
    if not all(choices.values()) or math.prod(map(len, choices.values())) > most:
        return []
    return [
        dict(zip(choices, point, strict=True)) for point in itertools.product(*choices.values())
    ]


def spread(parameter: Parameter, n_levels: int) -> list[Any]:
    """Return at most ``n_levels`` values of a number, including both ends; whole numbers once each.

    They are evenly spaced, on the log scale if the dimension has one.
    """
    low, high = parameter.low, parameter.high
    assert low is not None
    assert high is not None
    spaced = np.geomspace if parameter.log else np.linspace
    found = np.clip(spaced(low, high, n_levels), low, high)
    if parameter.kind == "int":
        return [int(value) for value in np.unique(np.round(found))]
    return [float(value) for value in np.unique(found)]
