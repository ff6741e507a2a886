"""The trials of one outer fold: the source of their values, their scores, when they stop.

Step in the line: inner folds + values -> **Trial**, for `tuner` and `shared.search`. Nothing here
knows where trials are kept.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from smalldata.learner import TRANSFORM, Learner, SearchSpace
from smalldata.pipeline.choices import with_values
from smalldata.pipeline.fitting import describe_failure
from smalldata.results.folds import Trial
from smalldata.tuning.choice import FoldScores, plainness
from smalldata.tuning.inner_folds import InnerFolds
from smalldata.tuning.options import TuningOptions
from smalldata.tuning.pruning import Race, start_race
from smalldata.tuning.samplers import Grid, Study, Values, all_points, grid_points, spread

MOST_PATH_VALUES = 26
"""Most values that one fit gives, evenly spread over their dimension."""

STRETCH = 4
"""Values by which a path grows on all inner folds, as long as that finds better ones."""

Scores = list[list[float | None]]
"""A row per inner fold; a column per value of the path, or one without a path."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attempts:
    """Finds values and tries them on the inner folds of one outer fold.

    Attributes
    ----------
    learner : Learner
        Its own values are the first trial.
    space : SearchSpace
    path : str or None
        Dimension of the space whose values each fit gives.
    options : TuningOptions
    folds : InnerFolds
    seed : int
        Seed of the sampler.
    start : float
        Start of the tuning of this outer fold, by ``time.perf_counter``.
    """

    learner: Learner
    space: SearchSpace
    path: str | None
    options: TuningOptions
    folds: InnerFolds
    seed: int
    start: float

    @cached_property
    def total(self) -> int:
        """Number of trials of the whole study."""
        return min(self.options.trials, self.source().most)

    def is_late(self, seconds_before: float = 0.0) -> bool:
        """Return whether the timeout has passed, counting the time of earlier runs."""
        timeout = self.options.timeout
        elapsed = time.perf_counter() - self.start + seconds_before
        return timeout is not None and elapsed >= timeout

    def source(self) -> Grid | Study:
        """Return the source of values, before the first trial."""
        return make_source(
            self.learner,
            self.space,
            self.path,
            self.options,
            maximise=self.folds.measure.higher_is_better,
            seed=self.seed,
            transform=self.folds.rows.preprocessing.transform,
        )

    def attempt(self, values: Values, ordinal: int, earlier: Sequence[Trial]) -> Trial:
        """Score values on the inner folds; equal values are not fitted twice."""
        path = self.path_values() if ordinal else ()
        for trial in earlier:
            if all(trial.values[key] == value for key, value in values.items()) and (
                trial.ordinal > 0 or not path
            ):
                return replace(trial, ordinal=ordinal, seconds=0.0)
        start = time.perf_counter()
        scores: Scores = []
        race = self._race(earlier) if ordinal else None  # the defaults are scored on all folds
        state, reason = self._score(values, path, race, scores)
        best = self._best_of_path(scores, path)
        n_missed = len(self.folds) - len(scores)
        fold_scores = [row[best] for row in scores] + [None] * n_missed
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

    def estimate(self, trial: Trial, earlier: Sequence[Trial]) -> float | None:
        """Return the score reported to the sampler for a pruned trial, or None."""
        race = self._race(earlier) if trial.state == "pruned" else None
        return None if race is None else race.estimate(trial.fold_scores)

    def score_again(self, folds: InnerFolds, values: Values) -> tuple[FoldScores, str]:
        """Score the values of a trial on other inner folds; return why that failed, "" if not."""
        try:
            tried, preprocessing = with_values(self.learner, folds.rows.preprocessing, values)
            return list(folds.under(preprocessing.transform).scores(tried)), ""
        except MemoryError:
            raise
        except Exception as error:  # an error of the model only concerns these values
            return [], describe_failure(error)

    def path_values(self) -> tuple[int, ...]:
        """Return the values that one fit gives, ascending; none without a path."""
        if self.path is None:
            return ()
        return tuple(spread(self.space.parameters[self.path], MOST_PATH_VALUES))

    # ------------------------------------------------------------ one trial

    def _score(
        self, values: Values, path: Sequence[int], race: Race | None, scores: Scores
    ) -> tuple[Literal["ok", "failed", "pruned"], str]:
        """Add a row of scores for each inner fold; return the state and the reason."""
        try:
            tried, preprocessing = with_values(self.learner, self.folds.rows.preprocessing, values)
            folds = self.folds.under(preprocessing.transform)
            if path:
                return self._walk(folds, tried, path, race, scores)
            for i, score in enumerate(folds.scores(tried)):
                scores.append([score])
                if race is not None and race.is_lost(scores):
                    return "pruned", self._pruned_after(i + 1)
        except MemoryError:  # not due to these values: the fold fails and is tried again
            raise
        except Exception as error:  # an error of the model only concerns this trial
            return "failed", describe_failure(error)
        return "ok", ""

    def _walk(
        self,
        folds: InnerFolds,
        learner: Learner,
        path: Sequence[int],
        race: Race | None,
        scores: Scores,
    ) -> tuple[Literal["ok", "pruned"], str]:
        """Walk a path in stretches, each on all inner folds.

        The walk ends if the simplest value is perfect, if a stretch has a perfect value or no
        better one than before, or if the race is lost.
        """
        if self._is_perfect_from_start(folds, learner, path, scores):
            return "ok", ""
        for first in range(0, len(path), STRETCH):
            rows: Scores = [] if first else scores
            for i in range(len(folds)):
                rows.append(folds.score_path(learner, path[first : first + STRETCH], i))
                if race is not None and race.is_lost(rows):
                    if first:  # more of the path is not worth it; keep what there is
                        return "ok", ""
                    return "pruned", self._pruned_after(i + 1)
            if first:
                for row, found in zip(scores, rows, strict=True):
                    row.extend(found)
            best = self._best_of_path(scores, path)
            if best < first or _mean([row[best] for row in scores]) == self._perfect:
                break
        return "ok", ""

    def _is_perfect_from_start(
        self, folds: InnerFolds, learner: Learner, path: Sequence[int], scores: Scores
    ) -> bool:
        """Try only the first value, fold by fold while it is perfect; the fits continue later.

        On easy tables most trials end here, after a fraction of a stretch.
        """
        assert self.path is not None
        if self.space.parameters[self.path].simpler != "low":
            return False  # a later value would win a tie
        rows: Scores = []
        for i in range(len(folds)):
            rows.append(folds.score_path(learner, path[:1], i))
            if rows[-1][0] not in (self._perfect, None):
                return False
        scores.extend(rows)
        return True

    def _pruned_after(self, n_met: int) -> str:
        return f"pruned after {n_met} of {len(self.folds)} inner folds"

    def _race(self, earlier: Sequence[Trial]) -> Race | None:
        """Return the race for the next trial; None without pruning."""
        if self.options.pruner == "none":
            return None
        return start_race(
            earlier,
            higher_is_better=self.folds.measure.higher_is_better,
            perfect=self._perfect,
        )

    @property
    def _perfect(self) -> float:
        measure = self.folds.measure
        return measure.high if measure.higher_is_better else measure.low

    def _best_of_path(self, scores: Scores, path: Sequence[int]) -> int:
        """Return the position of the best value of the path; ties go to the simpler one."""
        if not path or not scores:
            return 0
        assert self.path is not None
        parameter = self.space.parameters[self.path]
        sign = -1.0 if self.folds.measure.higher_is_better else 1.0
        means = [_mean(column) for column in zip(*scores, strict=True)]
        return min(
            range(len(means)),
            key=lambda i: (sign * (means[i] or 0.0), plainness(parameter, path[i]), i),
        )


def make_source(
    learner: Learner,
    space: SearchSpace,
    path: str | None,
    options: TuningOptions,
    *,
    maximise: bool,
    seed: int,
    transform: str = "auto",
) -> Grid | Study:
    """Make the source of the trials' values, which starts with the learner's own and `transform`.

    A space of choices alone that the trials can hold is tried whole.

    Raises
    ------
    ConfigError
        If the trials are fewer than a grid needs.
    """
    parameters = {name: found for name, found in space.parameters.items() if name != path}
    searched = SearchSpace(parameters=parameters)
    default = {
        name: transform if name == TRANSFORM else getattr(learner, name)
        for name in space.parameters
    }
    if not searched.parameters:  # the path is the whole space
        return Grid([{}], default)
    if points := all_points(searched, most=options.trials - 1):
        return Grid(points, default)
    if options.sampler == "grid":
        return Grid(grid_points(searched, default, options.trials), default)
    return Study(searched, default, sampler=options.sampler, maximise=maximise, seed=seed)


def _mean(scores: Sequence[float | None]) -> float | None:
    """Return the mean of the folds where the measure is defined; None if there is none."""
    found = [score for score in scores if score is not None]
    # fsum makes equal scores in another order of folds tie exactly.
    return math.fsum(found) / len(found) if found else None
