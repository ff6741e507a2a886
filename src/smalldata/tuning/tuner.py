"""Optuna inside one training fold: scores trials on inner folds and returns the chosen values.

Step in the line: training rows of one outer fold -> **learner with its values**. It never sees the
outer test rows and does no I/O: finished trials go to a log that is passed in, from which an
interrupted fold continues as if nothing had happened.
"""

import dataclasses
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Protocol

from smalldata.errors import ConfigError, FitError, did_you_mean
from smalldata.learner import TRANSFORM, Learner, Parameter, SearchSpace
from smalldata.measures.registry import Measure, find_measure, measures_for
from smalldata.pipeline.choices import Tuned, with_values
from smalldata.pipeline.preprocess import Preprocessing
from smalldata.pipeline.training import TrainingRows
from smalldata.results.folds import Trial
from smalldata.runtime.quiet import quiet_optuna
from smalldata.runtime.sealing import plain
from smalldata.task import Task, TaskInfo
from smalldata.tuning.choice import CONFIRMED, ONE_SE, FoldScores, best_trial, is_clear, pool_spread
from smalldata.tuning.inner_folds import InnerFolds
from smalldata.tuning.options import TuningOptions
from smalldata.tuning.pruning import count_fits
from smalldata.tuning.shared.search import NOTE as SHARED_NOTE
from smalldata.tuning.shared.search import SharedPlace, search_together
from smalldata.tuning.trials import Attempts, make_source

NO_DEFAULT = "the best trial was taken, since the untuned default failed on the inner folds"
NOT_CONFIRMED = "the untuned default stayed, since the best trial failed on inner folds cut anew"


class TrialLog(Protocol):
    """Keeps finished trials by the name of their outer fold; used from any process."""

    def start(self, name: str) -> tuple[Trial, ...]:
        """Return the finished trials of a fold, from ordinal 0 to the first gap."""
        ...

    def add(self, name: str, trial: Trial) -> None:
        """Add a finished trial."""
        ...

    def restart(self, name: str) -> None:
        """Forget the trials of a fold."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class OptunaTuner:
    """Tunes on the rows of one training fold; made by `make_tuner`, satisfies the Tuner protocol.

    Attributes
    ----------
    space : SearchSpace
    options : TuningOptions
        With the measure set.
    info : TaskInfo
    classes : tuple of str
    usual_measure : str
        The default measure of such tasks.
    path : str or None
        Hyperparameter of the space whose values each fit gives (``Traits.path``).
    log : TrialLog or None
        None: an interrupted fold starts over.
    shared : SharedPlace or None
        Where other machines work on the same trials; not part of `describe`.
    together : bool or None
        Whether the inner folds of a trial are fitted as one program, see `InnerFolds`; only changes
        rounding.
    """

    space: SearchSpace
    options: TuningOptions
    info: TaskInfo
    classes: tuple[str, ...]
    usual_measure: str
    path: str | None = None
    log: TrialLog | None = None
    shared: SharedPlace | None = None
    together: bool | None = None

    @property
    def measure(self) -> Measure:
        """The measure that trials are judged by."""
        assert self.options.measure is not None
        return find_measure(self.options.measure, self.info.kind)

    def count_trials(self, learner: Learner) -> int:
        """Return the trials per outer fold: fewer than requested if the space is smaller."""
        with _quiet():
            source = make_source(
                learner, self.space, self.path, self.options, maximise=True, seed=0
            )
        return min(self.options.trials, source.most)

    def sample(self, n_trials: int) -> "OptunaTuner":
        """Return a tuner of a few random trials that are not kept, to time a trial."""
        options = replace(
            self.options, trials=n_trials, sampler="random", choose="best", timeout=None
        )
        return replace(self, options=options, log=None, shared=None)

    def describe(self) -> dict[str, Any]:
        """Return everything that can change the choice, as plain values."""
        space = {name: asdict(parameter) for name, parameter in self.space.parameters.items()}
        described: dict[str, Any] = plain({"tuner": "optuna", **asdict(self.options)})
        # Pairs, since the order of the hyperparameters breaks ties.
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

    def find_chosen(self, trials: Sequence[Trial], values: Mapping[str, Any]) -> Trial | None:
        """Return the trial whose values an outer fold was fitted with; None without trials."""
        return next(
            (
                trial
                for trial in trials
                if trial.score is not None
                and all(values[name] == value for name, value in trial.values.items())
            ),
            None,
        )

    def tune(self, learner: Learner, rows: TrainingRows, *, name: str) -> Tuned:
        """Return the learner with the values chosen on the inner folds of these rows.

        Parameters
        ----------
        learner : Learner
            Its own values are the first trial.
        rows : TrainingRows
            Their preprocessing is fitted inside each inner fold.
        name : str
            Name of the outer fold, for the log.

        Raises
        ------
        FitError
            If every trial fails, or the measure is undefined on every inner fold.
        """
        start = time.perf_counter()
        if not self.space.parameters:
            return Tuned(learner=learner, notes=("not tuned: the model has nothing to tune",))
        folds = InnerFolds.cut(
            rows,
            n_folds=self.options.inner_folds,
            n_repeats=self.options.inner_repeats,
            classes=self.classes,
            measure=self.measure,
            together=self.together,
        )
        if not folds.pairs:
            return Tuned(
                learner=learner,
                notes=("not tuned: the training rows cannot be cut into 2 inner folds",),
            )
        notes = self._fewer_folds(folds)
        folds.check_defined(key="tune")
        attempts = Attempts(
            learner=learner,
            space=self.space,
            path=self.path,
            options=self.options,
            folds=folds,
            seed=rows.seed,
            start=start,
        )
        with _quiet():
            if self.shared is None:
                trials, seconds_before = self._search_alone(attempts, name)
            else:
                trials, seconds_before = self._search_together(attempts, name), 0.0
                notes = (*notes, SHARED_NOTE)
            total = attempts.total
        if len(trials) < total:
            notes = (*notes, self._timed_out(len(trials), total))
        if trials and all(trial.score is None for trial in trials):
            raise FitError(f"all {len(trials)} trials failed, the first one: {trials[0].reason}")
        notes = (*notes, *folds.shortages())
        with _quiet():
            chosen, more = self._choose(trials, attempts)
        notes = (*notes, *more)
        counts = count_fits(
            trials,
            n_folds=sum(not folds.undefined_reason(i) for i in range(len(folds))),
            shares_first=self.path is None,
        )
        values = {} if chosen is None else chosen.values
        return Tuned(
            learner=with_values(learner, rows.preprocessing, values)[0],
            transform=values.get(TRANSFORM),
            notes=notes,
            seconds_before=seconds_before,
            counts={**counts, "stayed": int(bool(trials) and chosen is trials[0])},
        )

    # ------------------------------------------------------------ inside

    def _choose(
        self, trials: Sequence[Trial], attempts: Attempts
    ) -> tuple[Trial | None, tuple[str, ...]]:
        """Return the trial whose values are used, and what must be noted about the choice."""
        best = best_trial(trials, self.space, measure=self.measure)
        if best is None or self.options.choose == "best":
            return best, ()
        default, folds = trials[0], attempts.folds
        if default.score is None:
            return best, (f"{NO_DEFAULT}: {default.reason}",)
        if best.values == default.values:
            return default, ()
        found: FoldScores = best.fold_scores
        usual: FoldScores = default.fold_scores
        errors, n_splits = ONE_SE, len(folds) // self.options.inner_repeats
        notes: tuple[str, ...] = ()
        if self.options.choose == "confirmed":
            folds.forget()  # the memory of two cuts is not needed at once
            fresh = folds.cut_again(self.options.inner_folds, repeat=self.options.inner_repeats)
            errors, n_splits = CONFIRMED, len(fresh)
            found, reason = attempts.score_again(fresh, best.values)
            usual, usual_reason = attempts.score_again(fresh, default.values)
            notes = fresh.shortages()
            if usual_reason:
                return best, (*notes, f"{NO_DEFAULT}: {usual_reason}")
            if reason:
                return default, (*notes, f"{NOT_CONFIRMED}: {reason}")
        is_better = is_clear(
            found,
            usual,
            measure=self.measure,
            spread=pool_spread(trials),
            n_splits=n_splits,
            errors=errors,
        )
        return (best if is_better else default), notes

    def _search_alone(self, attempts: Attempts, name: str) -> tuple[list[Trial], float]:
        """Return the trials of a study that is not shared, and the seconds of those found."""
        trials = [] if self.log is None else list(self.log.start(name))
        if self.log is not None and trials and all(trial.score is None for trial in trials):
            # Try a failed fold again on the next run: its cause may be fixed.
            self.log.restart(name)
            trials = []
        seconds_before = sum(trial.seconds for trial in trials)
        source = attempts.source()
        for ordinal, trial in enumerate(trials):
            source.replay(trial, estimate=attempts.estimate(trial, trials[:ordinal]))
        for ordinal in range(len(trials), attempts.total):
            if attempts.is_late(seconds_before):
                break
            trial = attempts.attempt(source.ask(ordinal), ordinal, trials)
            source.tell(trial, estimate=attempts.estimate(trial, trials))
            if self.log is not None:
                self.log.add(name, trial)
            trials.append(trial)
        return trials, seconds_before

    def _search_together(self, attempts: Attempts, name: str) -> list[Trial]:
        """Return the trials of a study that other machines may work on too."""
        assert self.shared is not None
        study = self.shared.open(name, maximise=self.measure.higher_is_better)
        trials = search_together(study, attempts)
        if self.log is not None:
            self.log.restart(name)
            for trial in trials:
                self.log.add(name, trial)
        return trials

    def _timed_out(self, n_trials: int, total: int) -> str:
        limit = f"tune.timeout of {self.options.timeout:g} s"
        if n_trials == 0:
            return f"not tuned: the {limit} passed before the first trial; the defaults are used"
        return f"tuning ended after {n_trials} of {total} trials by the {limit}"

    def _fewer_folds(self, folds: InnerFolds) -> tuple[str, ...]:
        asked, n_splits = self.options.inner_folds, len(folds) // self.options.inner_repeats
        if n_splits == asked:
            return ()
        stratify = self.info.kind.is_classification
        why = "more cannot hold each class" if stratify else "there are too few rows or groups"
        return (f"tuned on {n_splits} inner folds instead of {asked}: {why}",)


def make_tuner(
    task: Task,
    learner: Learner,
    space: SearchSpace,
    *,
    options: TuningOptions | None = None,
    log: TrialLog | None = None,
) -> OptunaTuner:
    """Make the tuner of a cell, and check that the space fits the learner and the task.

    Parameters
    ----------
    task : Task
    learner : Learner
    space : SearchSpace
        Dimensions without an effect in this kind of task are left out.
    options : TuningOptions, optional
    log : TrialLog, optional
        Where to keep finished trials; default: nowhere.

    Returns
    -------
    OptunaTuner

    Raises
    ------
    ConfigError
        If the learner lacks a hyperparameter of the space, the task has no such measure, the
        measure cannot rank, or there are too few trials for a grid.

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
    if learner.traits.needs_scaling:
        known.append(TRANSFORM)
    for name in space.parameters:
        if name not in known:
            hint = did_you_mean(name, known, f"it has {', '.join(known) or 'none'}.")
            raise ConfigError(
                f"space.{name} must be a hyperparameter of the model; it has no {name!r}; {hint}"
            )
    space = space.for_kind(task.kind)
    for name, parameter in space.parameters.items():
        _check_values(learner, name, parameter)
    usual = measures_for(task.kind)[0].name
    key = "tune.measure" if asked.measure else "measure"
    measure = find_measure(asked.measure or task.measure, task.kind, key=key)
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
        path=_path(learner, space),
        log=log,
    )
    if asked.sampler == "grid":  # fails now if the trials are too few
        tuner.count_trials(learner)
    return tuner


def _path(learner: Learner, space: SearchSpace) -> str | None:
    """Return the dimension whose values each fit gives; one given as choices is searched."""
    path = learner.traits.path
    found = None if path is None else space.parameters.get(path)
    return path if found is not None and found.kind == "int" else None


def _check_values(learner: Learner, name: str, parameter: Parameter) -> None:
    """Refuse a dimension whose bounds or choices the learner does not take."""
    low, high = parameter.low, parameter.high
    values: tuple[Any, ...] = parameter.choices
    if low is not None and high is not None:
        whole = parameter.kind == "int"
        # Bounds may be whole by chance, a value in between is not.
        values = (int(low), int(high)) if whole else (low, high, low + (high - low) * 0.381966)
    for value in values:
        try:
            with_values(learner, Preprocessing(), {name: value})
        except ConfigError as error:
            raise ConfigError(
                f"space.{name} must have values that the model takes: {error}"
            ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Optuna and the warnings of models in trials.

    A resumed fold does not fit its finished trials again, so its notes would differ from those of
    an uninterrupted one; the fit with the chosen values gives the same warnings.
    """
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
