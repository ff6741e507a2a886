"""Optuna inside one training fold: trials scored on inner folds, the best values handed back.

Step in the line: training rows of one outer fold -> **learner with its values**. The outer test
rows are never seen. Touches no disk: finished trials go to a log that is handed in, from which an
interrupted fold goes on as if nothing had happened.
"""

import dataclasses
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, Literal, Protocol, get_args

from numpy.typing import NDArray

from smalldata.cells import Tuned
from smalldata.encoding import plain
from smalldata.errors import ConfigError, FitError
from smalldata.fitting import describe_failure
from smalldata.innerfolds import InnerFolds, cut_inner_folds
from smalldata.learner import Learner, Parameter, SearchSpace
from smalldata.measures import Measure, find_measure, measures_for
from smalldata.preprocess import Preprocessing
from smalldata.pruning import Race, count_fits, start_race
from smalldata.results import Trial
from smalldata.searching import Grid, Sampler, Study, Values, grid_points, spread
from smalldata.sharedtrials import NOTE as SHARED_NOTE
from smalldata.sharedtrials import SharedPlace, search_together
from smalldata.task import Task, TaskInfo

Pruner = Literal["none", "paired"]

MOST_PATH_VALUES = 26
"""Values that are read off one fit, evenly spread over their dimension."""

STRETCH = 4
"""Values of a path by which the fits of all inner folds grow, as long as that finds better ones."""


class TrialLog(Protocol):
    """Where finished trials are kept, by the name of their outer fold; used from any process."""

    def start(self, name: str) -> tuple[Trial, ...]:
        """Return the finished trials of a fold, from ordinal 0 on without a gap."""
        ...

    def add(self, name: str, trial: Trial) -> None:
        """Keep one more finished trial."""
        ...

    def restart(self, name: str) -> None:
        """Forget the trials of a fold."""
        ...


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """What is asked of the tuning.

    Attributes
    ----------
    trials : int
        Per outer fold, the untuned default included.
    timeout : float or None
        Seconds per outer fold after which no new trial begins.
    inner_folds : int
        Fewer where the smallest class of the training fold does not fill so many.
    inner_repeats : int
        Of the inner cross-validation.
    sampler : {"tpe", "random", "cmaes", "grid"}
    pruner : {"paired", "none"}
        Whether a trial is stopped after some inner folds where it cannot win any more.
    measure : str or None
        That the trials are judged by; None: the task's primary measure.

    Raises
    ------
    ConfigError
        If a value is not one of these.
    """

    trials: int = 50
    timeout: float | None = None
    inner_folds: int = 5
    inner_repeats: int = 1
    sampler: Sampler = "tpe"
    pruner: Pruner = "paired"
    measure: str | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        for key, least in (("trials", 1), ("inner_folds", 2), ("inner_repeats", 1)):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(
                    f"tune.{key} must be a whole number from {least} on; got {value!r}."
                )
        if self.timeout is not None and not self.timeout > 0:
            raise ConfigError(
                f"tune.timeout must be a number of seconds above 0, or null for none; "
                f"got {self.timeout!r}."
            )
        for key, known in (("sampler", get_args(Sampler)), ("pruner", get_args(Pruner))):
            if getattr(self, key) not in known:
                raise ConfigError(
                    f"tune.{key} must be {', '.join(known)}; got {getattr(self, key)!r}."
                )
        if self.sampler == "cmaes" and find_spec("cmaes") is None:
            raise ConfigError(
                "tune.sampler=cmaes needs the package cmaes, which is not installed; "
                "install smalldata[cmaes] or use tune.sampler=tpe."
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class OptunaTuner:
    """Tunes on the rows of one training fold; made by `make_tuner`, satisfies the Tuner protocol.

    Attributes
    ----------
    space : SearchSpace
    options : TuningOptions
        With the measure named.
    info : TaskInfo
    classes : tuple of str
    usual_measure : str
        The primary measure of such tasks.
    path : str or None
        Hyperparameter of the space whose values are read off each fit (``Traits.path``).
    log : TrialLog or None
        None: an interrupted fold begins anew.
    shared : SharedPlace or None
        Where other machines work on the same trials; does not belong to what `describe` tells.
    """

    space: SearchSpace
    options: TuningOptions
    info: TaskInfo
    classes: tuple[str, ...]
    usual_measure: str
    path: str | None = None
    log: TrialLog | None = None
    shared: SharedPlace | None = None

    @property
    def measure(self) -> Measure:
        """What the trials are judged by."""
        assert self.options.measure is not None
        return find_measure(self.options.measure, self.info.kind)

    def sample(self, n_trials: int) -> "OptunaTuner":
        """Return a tuner of a few random trials that keeps none: to learn what a trial costs."""
        options = replace(self.options, trials=n_trials, sampler="random", timeout=None)
        return replace(self, options=options, log=None, shared=None)

    def describe(self) -> dict[str, Any]:
        """Return everything that can change the choice, as plain values."""
        space = {name: asdict(parameter) for name, parameter in self.space.parameters.items()}
        described: dict[str, Any] = plain({"tuner": "optuna", **asdict(self.options)})
        # Pairs, since the order of the hyperparameters decides ties.
        return {**described, "space": plain(list(space.items())), "path": self.path}

    def settings(self) -> dict[str, Any]:
        """Return ``tuned`` and the options that differ from the defaults."""
        usual = TuningOptions(measure=self.usual_measure)
        changed = {
            f"tune.{field.name}": getattr(self.options, field.name)
            for field in fields(TuningOptions)
            if getattr(self.options, field.name) != getattr(usual, field.name)
        }
        return {"tuned": True, **changed}

    def choose(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the trial whose values are used: best inner score, ties to the simpler values.

        Of equal scores, the hyperparameters decide in the order of the space: where ``simpler``
        says which value is the simpler one, that wins; what is still tied goes to the earlier
        trial.
        """
        sign = -1.0 if self.measure.higher_is_better else 1.0
        scored = [trial for trial in trials if trial.score is not None]
        parameters = self.space.parameters

        def order(trial: Trial) -> tuple[Any, ...]:
            assert trial.score is not None
            plainness = [_plainness(parameters[key], trial.values[key]) for key in parameters]
            return (sign * trial.score, *plainness, trial.ordinal)

        return min(scored, key=order, default=None)

    def tune(
        self,
        learner: Learner,
        X: Any,
        y: NDArray[Any],
        groups: NDArray[Any] | None,
        *,
        name: str,
        preprocessing: Preprocessing,
        seed: int,
        device: str,
    ) -> Tuned:
        """Return the learner with the values that do best on the inner folds of these rows.

        Parameters
        ----------
        learner : Learner
            Its own values are the first trial.
        X : DataFrame of shape (n_train, n_features)
        y : ndarray of shape (n_train,)
        groups : ndarray of shape (n_train,) or None
        name : str
            Of the outer fold, for the log.
        preprocessing : Preprocessing
            Fitted inside each inner fold.
        seed : int
        device : {"cpu", "cuda"}

        Raises
        ------
        FitError
            If every trial fails, or the measure is undefined on every inner fold.
        """
        start = time.perf_counter()
        if not self.space.parameters:
            return Tuned(learner=learner, notes=("not tuned: the model has nothing to tune",))
        folds = self._inner_folds(
            X, y, groups, preprocessing=preprocessing, seed=seed, device=device
        )
        if not folds.pairs:
            return Tuned(
                learner=learner,
                notes=("not tuned: the training rows cannot be cut into 2 inner folds",),
            )
        notes = self._fewer_folds(folds)
        self._check_defined(folds)
        search = _Search(tuner=self, learner=learner, folds=folds, seed=seed, start=start)
        with _quiet():
            if self.shared is None:
                trials, seconds_before = self._search_alone(search, name)
            else:
                trials, seconds_before = self._search_together(search, name), 0.0
                notes = (*notes, SHARED_NOTE)
        if len(trials) < search.total:
            notes = (*notes, self._timed_out(len(trials)))
        best = self.choose(trials)
        if best is None and trials:
            raise FitError(f"all {len(trials)} trials failed, the first one: {trials[0].reason}")
        return Tuned(
            learner=learner if best is None else replace(learner, **best.values),  # type: ignore[type-var]
            notes=notes,
            seconds_before=seconds_before,
            counts=count_fits(
                trials,
                n_folds=sum(not folds.undefined_reason(i) for i in range(len(folds))),
                shares_first=self.path is None,
            ),
        )

    # ------------------------------------------------------------ inside

    def _search_alone(self, search: "_Search", name: str) -> tuple[list[Trial], float]:
        """Return the trials of a study of this process alone, and the seconds of those found."""
        trials = [] if self.log is None else list(self.log.start(name))
        if self.log is not None and trials and all(trial.score is None for trial in trials):
            # A failed fold is tried again on the next run: what made it fail may be mended.
            self.log.restart(name)
            trials = []
        seconds_before = sum(trial.seconds for trial in trials)
        source = search.source()
        for ordinal, trial in enumerate(trials):
            source.replay(trial, estimate=self._estimate(trial, trials[:ordinal]))
        for ordinal in range(len(trials), search.total):
            if search.is_late(seconds_before):
                break
            trial = search.attempt(source.ask(ordinal), ordinal, trials)
            source.tell(trial, estimate=self._estimate(trial, trials))
            if self.log is not None:
                self.log.add(name, trial)
            trials.append(trial)
        return trials, seconds_before

    def _search_together(self, search: "_Search", name: str) -> list[Trial]:
        """Return the trials of a study that other machines may work on too."""
        assert self.shared is not None
        study = self.shared.open(name, maximise=self.measure.higher_is_better)
        trials = search_together(study, search)
        if self.log is not None:
            self.log.restart(name)
            for trial in trials:
                self.log.add(name, trial)
        return trials

    def _timed_out(self, n_trials: int) -> str:
        said = f"tune.timeout of {self.options.timeout:g} s"
        if n_trials == 0:
            return f"not tuned: the {said} passed before the first trial; the defaults are used"
        return f"tuning ended after {n_trials} of {self.options.trials} trials by the {said}"

    def _inner_folds(
        self, X: Any, y: NDArray[Any], groups: NDArray[Any] | None, *, seed: int, **options: Any
    ) -> InnerFolds:
        pairs = cut_inner_folds(
            y,
            groups,
            n_folds=self.options.inner_folds,
            n_repeats=self.options.inner_repeats,
            stratify=self.info.kind.is_classification,
            seed=seed,
        )
        return InnerFolds(
            X=X,
            y=y,
            groups=groups,
            pairs=pairs,
            info=self.info,
            classes=self.classes,
            measure=self.measure,
            seed=seed,
            **options,
        )

    def _fewer_folds(self, folds: InnerFolds) -> tuple[str, ...]:
        asked, n_splits = self.options.inner_folds, len(folds) // self.options.inner_repeats
        if n_splits == asked:
            return ()
        stratify = self.info.kind.is_classification
        why = "more cannot hold each class" if stratify else "there are too few rows or groups"
        return (f"tuned on {n_splits} inner folds instead of {asked}: {why}",)

    def _check_defined(self, folds: InnerFolds) -> None:
        reasons = [folds.undefined_reason(i) for i in range(len(folds))]
        if all(reasons):
            raise FitError(
                f"{self.measure.name} must be defined on the inner folds; on each of them it "
                f"{reasons[0]}. Use fewer tune.inner_folds or another tune.measure."
            )

    def _try(
        self,
        learner: Learner,
        values: Values,
        folds: InnerFolds,
        ordinal: int,
        earlier: Sequence[Trial],
    ) -> Trial:
        """Score values on the inner folds; equal values are not fitted twice."""
        path = self._path_values() if ordinal else ()
        for trial in earlier:
            if all(trial.values[key] == value for key, value in values.items()) and (
                trial.ordinal > 0 or not path
            ):
                return replace(trial, ordinal=ordinal, seconds=0.0)
        start = time.perf_counter()
        # One row per inner fold; a column per value of the path, one where there is no path.
        scores: list[list[float | None]] = []
        race = self._race(earlier) if ordinal else None  # the defaults are always scored whole
        state, reason = self._score(learner, values, path, folds, race, scores)
        best = self._best_of_path(scores, path)
        fold_scores = [row[best] for row in scores] + [None] * (len(folds) - len(scores))
        if path:
            assert self.path is not None
            values = {**values, self.path: path[best]}
        return Trial(
            ordinal=ordinal,
            state=state,
            values={key: values[key] for key in self.space.parameters},
            score=_mean(fold_scores) if state == "ok" else None,
            fold_scores=tuple(fold_scores),
            reason=reason,
            seconds=time.perf_counter() - start,
        )

    def _score(
        self,
        learner: Learner,
        values: Values,
        path: Sequence[int],
        folds: InnerFolds,
        race: Race | None,
        scores: list[list[float | None]],
    ) -> tuple[Literal["ok", "failed", "pruned"], str]:
        """Add a row of scores for each inner fold; say what came of it, and why.

        A path is walked by stretches, each on all inner folds. It is left where a stretch holds no
        better value than those before, where no value could be better, and where the race is lost.
        """
        for first in range(0, max(len(path), 1), STRETCH):
            stretch = path[first : first + STRETCH]
            rows = [] if first else scores
            for i in range(len(folds)):
                try:
                    tried = replace(learner, **values)  # type: ignore[type-var]
                    found = folds.score_path(tried, stretch, i) if path else [folds.score(tried, i)]
                except MemoryError:  # no fault of these values alone: the fold is tried again
                    raise
                except Exception as error:  # whatever a model raises concerns this trial alone
                    return "failed", describe_failure(error)
                rows.append(found)
                if race is not None and race.is_lost(rows):
                    if first:  # more of the path is not worth it, what there is stands
                        return "ok", ""
                    return "pruned", f"pruned after {i + 1} of {len(folds)} inner folds"
            if first:
                for row, found in zip(scores, rows, strict=True):
                    row.extend(found)
            best = self._best_of_path(scores, path)
            if best < first or _mean([row[best] for row in scores]) == self._perfect:
                break
        return "ok", ""

    @property
    def _perfect(self) -> float:
        return self.measure.high if self.measure.higher_is_better else self.measure.low

    def _race(self, earlier: Sequence[Trial]) -> Race | None:
        """Return what the next trial must keep up with; None where nothing is pruned."""
        if self.options.pruner == "none":
            return None
        return start_race(
            earlier, higher_is_better=self.measure.higher_is_better, perfect=self._perfect
        )

    def _estimate(self, trial: Trial, earlier: Sequence[Trial]) -> float | None:
        """Return what the sampler is told of a pruned trial; None of any other."""
        race = self._race(earlier) if trial.state == "pruned" else None
        return None if race is None else race.estimate(trial.fold_scores)

    def _path_values(self) -> tuple[int, ...]:
        """Return the values that are read off one fit, ascending; none without such a dimension."""
        if self.path is None:
            return ()
        return tuple(spread(self.space.parameters[self.path], MOST_PATH_VALUES))

    def _best_of_path(self, scores: Sequence[Sequence[float | None]], path: Sequence[int]) -> int:
        """Return the position of the best value of the path; ties go to the simpler one."""
        if not path or not scores:
            return 0
        assert self.path is not None
        parameter = self.space.parameters[self.path]
        sign = -1.0 if self.measure.higher_is_better else 1.0
        means = [_mean(column) for column in zip(*scores, strict=True)]
        return min(
            range(len(means)),
            key=lambda i: (sign * (means[i] or 0.0), _plainness(parameter, path[i]), i),
        )

    def _source(self, learner: Learner, seed: int) -> Grid | Study:
        searched = self._searched()
        default = {name: getattr(learner, name) for name in self.space.parameters}
        if not searched.parameters:  # all of it is one path
            return Grid([{}], default)
        if self.options.sampler == "grid":
            return Grid(grid_points(searched, default, self.options.trials), default)
        return Study(
            searched,
            default,
            sampler=self.options.sampler,
            maximise=self.measure.higher_is_better,
            seed=seed,
        )

    def _searched(self) -> SearchSpace:
        """Return the space without the dimension that is read off each fit."""
        parameters = self.space.parameters.items()
        return SearchSpace(
            parameters={name: found for name, found in parameters if name != self.path}
        )


def make_tuner(
    task: Task,
    learner: Learner,
    space: SearchSpace,
    *,
    options: TuningOptions | None = None,
    log: TrialLog | None = None,
) -> OptunaTuner:
    """Make the tuner of a cell, after checking that the space fits the learner and the task.

    Parameters
    ----------
    task : Task
    learner : Learner
    space : SearchSpace
        Dimensions without an effect in such tasks are left out.
    options : TuningOptions, optional
    log : TrialLog, optional
        Where finished trials are kept; default: nowhere.

    Returns
    -------
    OptunaTuner

    Raises
    ------
    ConfigError
        If the learner lacks a hyperparameter of the space, the task has no such measure, the
        measure ranks nothing, or the trials are fewer than a grid needs.

    Examples
    --------
    >>> from smalldata.datasets import load_dataset
    >>> from smalldata.models import load_learner, load_space
    >>> from smalldata.task import make_task
    >>> task = make_task(load_dataset("omics"))
    >>> tuner = make_tuner(task, load_learner("knn"), load_space("knn"))
    >>> tuner.describe()["measure"]
    'roc_auc'
    """
    asked = options or TuningOptions()
    known = [field.name for field in dataclasses.fields(learner)]  # type: ignore[arg-type]
    for name in space.parameters:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}."
            raise ConfigError(
                f"space.{name} must be a hyperparameter of the model; it has no {name!r}; {hint}"
            )
    space = space.for_kind(task.kind)
    usual = measures_for(task.kind)[0].name
    measure = find_measure(asked.measure or task.measure, task.kind)
    if not measure.ranked:
        raise ConfigError(
            f"tune.measure must rank the trials; {measure.name} does not. Use tune.measure={usual}."
        )
    tuner = OptunaTuner(
        space=space,
        options=replace(asked, measure=measure.name),
        info=task.info,
        classes=task.classes,
        usual_measure=usual,
        path=learner.traits.path if learner.traits.path in space.parameters else None,
        log=log,
    )
    if asked.sampler == "grid":
        tuner._source(learner, 0)
    return tuner


@dataclass(frozen=True, kw_only=True, eq=False)
class _Search:
    """The search of one outer fold: what its trials are and how they are scored."""

    tuner: OptunaTuner
    learner: Learner
    folds: InnerFolds
    seed: int
    start: float

    @property
    def total(self) -> int:
        return min(self.tuner.options.trials, self.source().most)

    @property
    def space(self) -> SearchSpace:
        return self.tuner.space

    def source(self) -> Grid | Study:
        return self.tuner._source(self.learner, self.seed)

    def attempt(self, values: Values, ordinal: int, earlier: Sequence[Trial]) -> Trial:
        return self.tuner._try(self.learner, values, self.folds, ordinal, earlier)

    def estimate(self, trial: Trial, earlier: Sequence[Trial]) -> float | None:
        return self.tuner._estimate(trial, earlier)

    def is_late(self, seconds_before: float = 0.0) -> bool:
        timeout = self.tuner.options.timeout
        elapsed = time.perf_counter() - self.start + seconds_before
        return timeout is not None and elapsed >= timeout


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Optuna, and what models warn of in trials.

    A resumed fold does not fit its finished trials again, and its notes must not differ from those
    of an undisturbed one; the fit with the chosen values warns of the same things.
    """
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _plainness(parameter: Parameter, value: Any) -> float:
    """Return a number that is least for the simplest value of a dimension."""
    if isinstance(parameter.simpler, tuple):
        return float(parameter.simpler.index(value)) if value in parameter.simpler else math.inf
    if parameter.simpler is None:
        return 0.0
    return float(value) if parameter.simpler == "low" else -float(value)


def _mean(scores: Sequence[float | None]) -> float | None:
    """Mean of the folds where the measure is defined; None where it is on none of them."""
    found = [score for score in scores if score is not None]
    # fsum: equal scores in another order of the folds are a tie to the last bit.
    return math.fsum(found) / len(found) if found else None
