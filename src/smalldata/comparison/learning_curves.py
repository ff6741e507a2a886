"""Learning curves of the cells of a comparison: laws with intervals, and who leads at which size.

Step in the line: Lineup -> **LearningCurves** -> comparison. All curves are fitted to the same
draws of the folds, so that differences between models stay paired.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smalldata.comparison.entries import Entry, Lineup
from smalldata.measures.registry import Measure
from smalldata.models import is_deep
from smalldata.results.folds import Array
from smalldata.results.learning_curves import (
    Contest,
    CurvePoint,
    Estimate,
    FittedLaw,
    Lead,
    LearningCurve,
    LearningCurves,
    MissingPoint,
)
from smalldata.results.record import RunRecord
from smalldata.seeding import seed_for
from smalldata.statistics.power_law import (
    N_SIZES,
    REACH,
    Laws,
    Stretch,
    clear_stretches,
    draw_laws,
    find_crossing,
)
from smalldata.statistics.significance import corrected_draws

N_DRAWS = 2000
"""Draws of the folds."""

N_GRID = 121
"""Most sizes at which laws are compared, evenly spaced in log n."""

N_LINE = 41
"""Points of a fitted line."""

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fit:
    """The laws of one curve: of its means and of their draws."""

    label: str
    model: str
    is_network: bool
    law: Laws
    draws: Laws


def learning_curves(lineup: Lineup, measure: Measure) -> LearningCurves | None:
    """Fit the learning curves of a lineup, if it has entries of several train sizes.

    Entries with the same label make a curve; one on the whole training folds is placed at their
    mean size. The best trial of a sweep is left out, since it was chosen by its score.

    Parameters
    ----------
    lineup : Lineup
    measure : Measure
        The primary one.

    Returns
    -------
    LearningCurves or None
        None if no model has several train sizes.
    """
    by_label: dict[str, dict[int, Entry]] = {}
    for entry in sorted(lineup.entries, key=lambda entry: entry.record.train_size is None):
        if not entry.optimistic:  # whole folds come last and win if sizes agree
            by_label.setdefault(entry.label, {})[train_size(entry.record)] = entry
    several = {
        label: dict(sorted(entries.items()))
        for label, entries in by_label.items()
        if len(entries) > 1
    }
    if not several:
        return None
    single = [
        label
        for label, entries in sorted(by_label.items())
        for entry in entries.values()
        if len(entries) == 1
        and is_deep(entry.record.identity)
        and lineup.scores(entry, measure).mean is not None
    ]
    n_scores = Counter(
        len(lineup.scores(entry, measure).values)
        for entries in several.values()
        for entry in entries.values()
    )
    n_scores.pop(0, None)
    n_folds = max(n_scores, key=lambda n: (n_scores[n], n), default=0)
    fits = _fits(lineup, measure, several, n_folds)
    curves = [
        _curve(lineup, measure, label, entries, n_folds, fits.get(label))
        for label, entries in several.items()
    ]
    sign = -1.0 if measure.higher_is_better else 1.0
    curves.sort(key=lambda curve: (not curve.points, sign * _last(curve), curve.label))
    ranked = [fits[curve.label] for curve in curves if curve.label in fits]
    ranked = [fit for fit in ranked if fit.model != "dummy"]
    others = [fit for fit in ranked if not fit.is_network]
    contests = [(one, [other]) for one, other in itertools.combinations(ranked, 2)]
    against = [(one, others) for one in ranked if one.is_network and others]
    return LearningCurves(
        measure=measure.name,
        curves=tuple(curves),
        pairs=_held([_contest(one, rivals, measure) for one, rivals in contests]),
        networks=_held([_contest(one, rivals, measure) for one, rivals in against]),
        single=tuple(single),
    )


def train_size(record: RunRecord) -> int:
    """Return the number of training samples of a cell: the mean over its folds, rounded."""
    if record.train_size is not None:
        return record.train_size
    found = [fold.n_train for fold in record.folds if fold.n_train]
    if found:
        return round(float(np.mean(found)))
    return round(record.n_samples / (1 + record.test_train_ratio))


def _last(curve: LearningCurve) -> float:
    return curve.points[-1].mean if curve.points else 0.0


# ---------------------------------------------------------------- the fits


def _fits(
    lineup: Lineup, measure: Measure, curves: dict[str, dict[int, Entry]], n_folds: int
) -> dict[str, _Fit]:
    """Fit every curve with enough sizes, all to the same draws."""
    if n_folds < 2:
        return {}
    usable = {}
    for label, entries in curves.items():
        kept = {
            size: entry
            for size, entry in entries.items()
            if len(lineup.scores(entry, measure).values) == n_folds
        }
        if len(kept) >= N_SIZES:
            usable[label] = kept
    if not usable:
        return {}
    columns = [entry for entries in usable.values() for entry in entries.values()]
    scores = np.column_stack([lineup.scores(entry, measure).values for entry in columns])
    record = columns[0].record
    drawn = corrected_draws(
        scores,
        ratio=record.test_train_ratio,
        n_draws=N_DRAWS,
        seed=seed_for(0, "learning curves", record.splits_key),
    )
    found, start = {}, 0
    for label, entries in usable.items():
        own = slice(start, start + len(entries))
        start += len(entries)
        first = next(iter(entries.values())).record
        law, draws = draw_laws(
            list(entries),
            scores[:, own].mean(axis=0),
            drawn[:, own],
            higher_is_better=measure.higher_is_better,
            low=measure.low,
            high=measure.high,
            seed=seed_for(0, "learning curves", record.splits_key, label),
        )
        found[label] = _Fit(
            label=label,
            model=first.model,
            is_network=is_deep(first.identity),
            law=law,
            draws=draws,
        )
    return found


def _curve(
    lineup: Lineup,
    measure: Measure,
    label: str,
    entries: dict[int, Entry],
    n_folds: int,
    fit: _Fit | None,
) -> LearningCurve:
    points, missing, scores, done = [], [], [], []
    for size, entry in entries.items():
        found = lineup.scores(entry, measure)
        if found.mean is None:
            reason = found.reason or entry.record.status
            missing.append(MissingPoint(size=size, reason=reason))
            continue
        interval = lineup.interval(entry, measure)
        low, high = (None, None) if interval is None else (interval.low, interval.high)
        points.append(CurvePoint(size=size, mean=found.mean, low=low, high=high))
        scores.append(found.values)
        done.append(entry)
    first = next(iter(entries.values())).record
    gain = None
    if len(scores) > 1 and len(scores[0]) == len(scores[-1]) > 1:
        test = lineup.contrast(done[-1], done[0], measure, rope=0.0)
        varies = points[0].low is not None or points[-1].low is not None
        if test is not None and varies:
            gain = Estimate(value=test.difference, low=test.low, high=test.high)
    return LearningCurve(
        label=label,
        model=first.model,
        is_network=is_deep(first.identity),
        points=tuple(points),
        missing=tuple(missing),
        gain=gain,
        law=None if fit is None else _fitted(fit),
        reason="" if fit is not None else _why_not(len(points), n_folds),
    )


def _why_not(n_points: int, n_folds: int) -> str:
    if n_folds == 1:
        return "one test fold does not show how scores vary with the training samples"
    if n_points < N_SIZES:
        there = "there are no scores"
        if n_points:
            there = f"there {'is a score' if n_points == 1 else 'are scores'} at {n_points}"
        return f"a curve is fitted to at least {N_SIZES} numbers of training samples; {there}"
    return "its sizes were not scored on the same folds"


def _fitted(fit: _Fit) -> FittedLaw:
    law, draws = fit.law, fit.draws
    most, reach = round(law.most), math.floor(law.reach)
    sizes = np.union1d(_whole_sizes(law.fewest, reach, N_LINE), [most])
    line = _read(fit, sizes)
    doubled, last = _read(fit, np.array([2.0 * most, float(reach)]))
    return FittedLaw(
        a=_estimate(float(law.a), draws.a),
        b=_estimate(float(law.b), draws.b),
        c=_estimate(float(law.c), draws.c),
        line=tuple(line),
        doubled=doubled,
        reach=last,
    )


def _estimate(value: float, draws: Array) -> Estimate:
    """Return percentiles of the draws, which always include the value itself."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value=value, low=min(value, float(low)), high=max(value, float(high)))


def _read(fit: _Fit, sizes: Array) -> list[CurvePoint]:
    values, drawn = fit.law.at(sizes), fit.draws.at(sizes)
    found = [_estimate(float(value), drawn[:, i]) for i, value in enumerate(values)]
    return [
        CurvePoint(size=int(size), mean=one.value, low=one.low, high=one.high)
        for size, one in zip(sizes, found, strict=True)
    ]


def _whole_sizes(start: float, stop: float, n: int) -> Array:
    """Return whole numbers from start to stop, evenly spaced in their logarithm."""
    return np.unique(np.round(np.geomspace(math.ceil(start), math.floor(stop), n)))


# ---------------------------------------------------------------- who leads


def _contest(one: _Fit, rivals: Sequence[_Fit], measure: Measure) -> Contest | None:
    """Compare a curve with others; None if they were measured at sizes too far apart."""
    sides = [one, *rivals]
    fewest = max(fit.law.fewest for fit in sides)
    most = min(fit.law.most for fit in sides)
    if fewest >= REACH * most:
        return None
    sizes = _whole_sizes(fewest, REACH * most, N_GRID)
    others = np.stack([fit.law.at(sizes) for fit in rivals])
    sign = 1.0 if measure.higher_is_better else -1.0
    stretches = clear_stretches(
        sizes,
        one.draws.at(sizes),
        np.stack([fit.draws.at(sizes) for fit in rivals]),
        higher_is_better=measure.higher_is_better,
        level=LEVEL,
    )

    def leader(stretch: Stretch) -> str:
        if stretch.ahead:
            return one.label
        place = int(np.searchsorted(sizes, stretch.stop))
        return rivals[int(np.argmax(sign * others[:, place]))].label

    best = sign * (sign * others).max(axis=0)
    return Contest(
        first=one.label,
        rivals=tuple(fit.label for fit in rivals),
        fewest=round(fewest),
        most=round(most),
        reach=int(sizes[-1]),
        leads=tuple(
            Lead(
                leader=leader(found),
                of_first=found.ahead,
                start=int(found.start),
                stop=int(found.stop),
            )
            for found in stretches
        ),
        crossing=_crossing(sizes, one.law.at(sizes) - best, stretches),
    )


def _crossing(sizes: Array, difference: Array, stretches: Sequence[Stretch]) -> Estimate | None:
    if [found.ahead for found in stretches] not in ([True, False], [False, True]):
        return None
    before, after = stretches
    between = (sizes >= before.stop) & (sizes <= after.start)
    found = find_crossing(sizes[between], difference[between])
    if found is None:
        return None
    return Estimate(value=found, low=before.stop, high=after.start)


def _held(contests: Sequence[Contest | None]) -> tuple[Contest, ...]:
    return tuple(contest for contest in contests if contest is not None)
