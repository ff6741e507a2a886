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
from typing import Any, Protocol, get_args

from numpy.typing import NDArray

from smalldata.cells import Tuned
from smalldata.encoding import plain
from smalldata.errors import ConfigError, FitError, SplitError
from smalldata.fitting import describe_failure, fit_rows, predict_rows
from smalldata.learner import Learner, Parameter, SearchSpace
from smalldata.measures import Measure, find_measure, measures_for
from smalldata.preprocess import Preprocessing
from smalldata.results import Rows, Trial
from smalldata.searching import Grid, Sampler, Study, Values, grid_points
from smalldata.seeding import seed_for
from smalldata.splitting import largest_n_splits, make_folds
from smalldata.task import Task, TaskInfo


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
        if self.sampler not in get_args(Sampler):
            raise ConfigError(
                f"tune.sampler must be {', '.join(get_args(Sampler))}; got {self.sampler!r}."
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
    log : TrialLog or None
        None: an interrupted fold begins anew.
    """

    space: SearchSpace
    options: TuningOptions
    info: TaskInfo
    classes: tuple[str, ...]
    usual_measure: str
    log: TrialLog | None = None

    @property
    def measure(self) -> Measure:
        """What the trials are judged by."""
        assert self.options.measure is not None
        return find_measure(self.options.measure, self.info.kind)

    @property
    def n_fits(self) -> int:
        """Fits of one outer fold, the last one aside, if no trial is cut short."""
        return self.options.trials * self.options.inner_folds * self.options.inner_repeats

    def describe(self) -> dict[str, Any]:
        """Return everything that can change the choice, as plain values."""
        space = {name: asdict(parameter) for name, parameter in self.space.parameters.items()}
        described: dict[str, Any] = plain({"tuner": "optuna", **asdict(self.options)})
        # Pairs, since the order of the hyperparameters decides ties.
        return {**described, "space": plain(list(space.items()))}

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
        folds, notes = self._inner_folds(y, groups, seed)
        if not folds:
            return Tuned(learner=learner, notes=notes)
        data = _Inner(X=X, y=y, groups=groups, folds=folds, preprocessing=preprocessing)
        self._check_defined(data)
        trials = [] if self.log is None else list(self.log.start(name))
        if self.log is not None and trials and all(trial.score is None for trial in trials):
            # A failed fold is tried again on the next run: what made it fail may be mended.
            self.log.restart(name)
            trials = []
        seconds_before = sum(trial.seconds for trial in trials)
        with _quiet():
            source = self._source(learner, seed)
            for trial in trials:
                source.replay(trial)
            for ordinal in range(len(trials), min(self.options.trials, source.most)):
                elapsed = time.perf_counter() - start + seconds_before
                if self.options.timeout is not None and elapsed >= self.options.timeout:
                    notes = (*notes, self._timed_out(ordinal))
                    break
                values = source.ask(ordinal)
                trial = self._try(learner, values, data, ordinal, trials, seed, device)
                source.tell(trial)
                if self.log is not None:
                    self.log.add(name, trial)
                trials.append(trial)
        best = self.choose(trials)
        if best is None and trials:
            raise FitError(f"all {len(trials)} trials failed, the first one: {trials[0].reason}")
        return Tuned(
            learner=learner if best is None else replace(learner, **best.values),  # type: ignore[type-var]
            notes=notes,
            seconds_before=seconds_before,
        )

    # ------------------------------------------------------------ inside

    def _timed_out(self, n_trials: int) -> str:
        said = f"tune.timeout of {self.options.timeout:g} s"
        if n_trials == 0:
            return f"not tuned: the {said} passed before the first trial; the defaults are used"
        return f"tuning ended after {n_trials} of {self.options.trials} trials by the {said}"

    def _inner_folds(
        self, y: NDArray[Any], groups: NDArray[Any] | None, seed: int
    ) -> tuple[list[tuple[Rows, Rows]], tuple[str, ...]]:
        """Inner (train, test) pairs and what is to be said of them; none where none can be cut."""
        stratify = self.info.kind.is_classification
        asked = self.options.inner_folds
        for n_splits in range(
            min(asked, largest_n_splits(y, stratify=stratify, groups=groups)), 1, -1
        ):
            try:
                folds = [
                    pair
                    for repeat in range(self.options.inner_repeats)
                    for pair in make_folds(
                        y,
                        n_splits,
                        stratify=stratify,
                        groups=groups,
                        seed=seed_for(seed, "inner", repeat),
                    )
                ]
            except SplitError:  # whole groups would take a class away; fewer folds may not
                continue
            why = "more cannot hold each class" if stratify else "there are too few rows or groups"
            few = f"tuned on {n_splits} inner folds instead of {asked}: {why}"
            return folds, () if n_splits == asked else (few,)
        return [], ("not tuned: the training rows cannot be cut into 2 inner folds",)

    def _check_defined(self, data: "_Inner") -> None:
        reasons = [self.measure.missing_in(data.y[test]) for _, test in data.folds]
        if all(reasons):
            raise FitError(
                f"{self.measure.name} must be defined on the inner folds; on each of them it "
                f"{reasons[0]}. Use fewer tune.inner_folds or another tune.measure."
            )

    def _try(
        self,
        learner: Learner,
        values: Values,
        data: "_Inner",
        ordinal: int,
        earlier: Sequence[Trial],
        seed: int,
        device: str,
    ) -> Trial:
        """Score values on the inner folds; equal values are not fitted twice."""
        for trial in earlier:
            if trial.values == values:
                return replace(trial, ordinal=ordinal, seconds=0.0)
        start = time.perf_counter()
        scores: list[float | None] = [None] * len(data.folds)
        reason = ""
        try:
            tried = replace(learner, **values)  # type: ignore[type-var]
            for i in range(len(data.folds)):
                scores[i] = self._score_fold(tried, data, i, seed_for(seed, "fit", i), device)
        except MemoryError:  # no fault of these values alone: the fold fails and is tried again
            raise
        except Exception as error:  # whatever a model raises concerns this trial alone
            reason = describe_failure(error)
        found = [score for score in scores if score is not None]
        return Trial(
            ordinal=ordinal,
            state="failed" if reason else "ok",
            values=values,
            # fsum: equal scores in another order of the folds are a tie to the last bit.
            score=None if reason else math.fsum(found) / len(found),
            fold_scores=tuple(scores),
            reason=reason,
            seconds=time.perf_counter() - start,
        )

    def _score_fold(
        self, learner: Learner, data: "_Inner", fold: int, seed: int, device: str
    ) -> float | None:
        """Score on one inner fold; None where the measure is undefined there for every model."""
        train, test = data.folds[fold]
        measure = self.measure
        if measure.missing_in(data.y[test]):
            return None
        pipeline = fit_rows(
            learner,
            data.X,
            data.y,
            data.groups,
            info=self.info,
            rows=train,
            preprocessing=data.preprocessing,
            seed=seed,
            device=device,
        )
        prediction = predict_rows(pipeline, data.X, data.y, rows=test, n_classes=len(self.classes))
        score = measure.score(prediction, classes=self.classes)
        if score.value is None:
            raise FitError(f"{measure.name} is undefined on inner fold {fold + 1}: {score.reason}")
        return float(score.value)

    def _source(self, learner: Learner, seed: int) -> Grid | Study:
        default = {name: getattr(learner, name) for name in self.space.parameters}
        if self.options.sampler == "grid":
            return Grid(grid_points(self.space, default, self.options.trials), default)
        return Study(
            self.space,
            default,
            sampler=self.options.sampler,
            maximise=self.measure.higher_is_better,
            seed=seed,
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
    usual = measures_for(task.kind)[0].name
    measure = find_measure(asked.measure or task.measure, task.kind)
    if not measure.ranked:
        raise ConfigError(
            f"tune.measure must rank the trials; {measure.name} does not. Use tune.measure={usual}."
        )
    if asked.sampler == "grid":
        default = {name: getattr(learner, name) for name in space.parameters}
        grid_points(space, default, asked.trials)
    return OptunaTuner(
        space=space,
        options=replace(asked, measure=measure.name),
        info=task.info,
        classes=task.classes,
        usual_measure=usual,
        log=log,
    )


# ---------------------------------------------------------------- one training fold


@dataclass(frozen=True, kw_only=True, eq=False)
class _Inner:
    """The rows of one training fold and how they are cut."""

    X: Any
    y: NDArray[Any]
    groups: NDArray[Any] | None
    folds: list[tuple[Rows, Rows]]
    preprocessing: Preprocessing


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
