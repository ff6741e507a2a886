"""How much each hyperparameter mattered for the inner score of each fold: Optuna's fANOVA.

Step in the line: the finished trials of a cell -> **shares of importance** -> `trials.parquet`.
Computed once, when the cell is finished: a forest per outer fold takes seconds for a whole cell,
too long to repeat for every page that shows them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from smalldata.learner import SearchSpace
from smalldata.results.folds import Trial
from smalldata.runtime.quiet import quiet_optuna
from smalldata.seeding import seed_for
from smalldata.tuning.samplers import Study

N_TREES = 32
"""Trees for one outer fold; the mean over the folds is steadier than any single fold."""

LEAST_TRIALS = 10
"""Scored trials below which an outer fold has no importances; two per hyperparameter are also
needed."""

MOST_WORK = 500_000
"""Folds x trials^2 x hyperparameters above which only some folds, evenly spaced, are used: a forest
of a few hundred trials takes seconds, and the time grows with the square of their number."""

LEAST_FOLDS = 5
"""Outer folds that are used at any amount of work."""


def weigh_parameters(
    trials: Mapping[str, Sequence[Trial]], space: SearchSpace, *, path: str | None = None
) -> dict[str, Any]:
    """Return the share of each hyperparameter in the variance of the inner score, per outer fold.

    fANOVA (Hutter, Hoos & Leyton-Brown 2014, *ICML*): a forest is fitted to the inner scores, and
    the variance of its prediction due to one hyperparameter, all others averaged out, is divided by
    the sum over all of them.

    Parameters
    ----------
    trials : mapping of str to sequence of Trial
        Finished trials by the name of their outer fold.
    space : SearchSpace
    path : str, optional
        Hyperparameter that no trial chooses, since each fit gives all its values.

    Returns
    -------
    dict
        ``shares``: by outer fold and hyperparameter, summing to 1; ``reasons``: why a fold has
        none; ``n_asked``: outer folds that were used.
    """
    searched = {name: found for name, found in space.parameters.items() if name != path}
    trials = {name: found for name, found in trials.items() if found}
    names = list(trials)
    if len(searched) < 2:
        only = next(iter(searched), path or "")
        reason = f"only {only} was searched" if searched else f"only {only} was read off each fit"
        return {"shares": {}, "reasons": dict.fromkeys(names, reason), "n_asked": len(names)}
    asked = _asked(trials, len(searched))
    shares: dict[str, dict[str, float]] = {}
    reasons: dict[str, str] = {}
    for name in asked:
        found = _weigh_fold(trials[name], SearchSpace(parameters=searched), seed=seed_for(0, name))
        if isinstance(found, str):
            reasons[name] = found
        else:
            shares[name] = {key: found[key] for key in searched}
    return {"shares": shares, "reasons": reasons, "n_asked": len(asked)}


def _asked(trials: Mapping[str, Sequence[Trial]], n_parameters: int) -> list[str]:
    """Return the outer folds to use: all, or as many evenly spaced ones as the work allows."""
    names = list(trials)
    n_trials = max((len(found) for found in trials.values()), default=0)
    most = max(LEAST_FOLDS, MOST_WORK // max(1, n_trials**2 * n_parameters))
    if most >= len(names):
        return names
    return [names[i] for i in np.linspace(0, len(names) - 1, most).round().astype(int)]


def _weigh_fold(
    trials: Sequence[Trial], space: SearchSpace, *, seed: int
) -> dict[str, float] | str:
    """Return the shares of one outer fold, or why there are none."""
    import optuna

    scored = [trial for trial in trials if trial.score is not None]
    least = max(LEAST_TRIALS, 2 * len(space.parameters))
    if len(scored) < least:
        return f"it takes {least} scored trials in a fold to tell"
    try:
        with quiet_optuna():
            study = Study(space, scored[0].values, sampler="random", maximise=True, seed=seed)
            for trial in scored:
                study.replay(trial)
            kept = study.study.get_trials(deepcopy=False)
            if len(kept) < least:
                return f"it takes {least} scored trials in a fold, inside the space, to tell"
            if len({trial.value for trial in kept}) < 2:
                return "all trials scored the same"
            evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=N_TREES, seed=seed)
            found = optuna.importance.get_param_importances(study.study, evaluator=evaluator)
    except RuntimeError:  # fANOVA raises this if no tree of its forest found a difference
        return "hardly any trial scored otherwise than the rest"
    return {key: round(float(value), 6) for key, value in found.items()}
