"""Compares finished cells: means with intervals, ranks, pairwise tests in words.

Step in the line: RunRecords -> **Comparison** -> table, report. Only records on equal splits are
compared. The table has every cell tried: failed and skipped ones are listed without a rank, with
the reason, and all ranked pairs count in Holm's adjustment. Ranks and Holm's family stay within one
train_size and one measure. The trials of a sweep are one row, the best, whose score is optimistic.
Cells of several train sizes also make learning curves.

With a single test fold (holdout) intervals and tests come from its samples alone, so that they do
not cover another training set.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from smalldata.comparison.entries import Entry, Lineup
from smalldata.comparison.learning_curves import learning_curves
from smalldata.comparison.scores import CellScores
from smalldata.comparison.sweeps import Trials, group_trials
from smalldata.comparison.words import covers_range
from smalldata.errors import ConfigError, SplitError
from smalldata.measures.registry import Measure, find_measure, measures_for
from smalldata.results.comparison import Comparison, ComparisonRow, IntervalName, PairwiseTest, Word
from smalldata.results.record import RunRecord, settings_text
from smalldata.statistics.significance import Interval, holm
from smalldata.statistics.verdict import choose_word, levels_left, smallest_detectable


def compare(
    records: Sequence[RunRecord],
    *,
    measure: str | None = None,
    rope: float | None = None,
    interval: IntervalName = "jackknife",
) -> Comparison:
    """Compare cells that were run on one task and one set of splits.

    Parameters
    ----------
    records : sequence of RunRecord
        At least one; a cell given twice counts once.
    measure : str, optional
        The primary measure; default: that of the records.
    rope : float, optional
        Half width of the region of practical equivalence, in the unit of the primary measure;
        default: 0.01, for RMSE and MAE 2 % of the target's standard deviation.
    interval : {"jackknife", "nadeau_bengio"}
        "nadeau_bengio": the corrected variance of the fold scores (2003), whose 95 % intervals hold
        about 85 to 92 % at 5 x 5 (docs/methods.md), for those who must cite it.

    Returns
    -------
    Comparison
        Each pair is put into one word (`Word`), and each row against the best.

    Raises
    ------
    SplitError
        If the records do not share one set of splits.
    ConfigError
        If there is no record, or their task or primary measure differ.

    Examples
    --------
    >>> from smalldata import evaluate, load_dataset, load_learner, make_splits, make_task
    >>> task = make_task(load_dataset("nutrimouse"))
    >>> splits = make_splits(task, "kfold", n_splits=2)
    >>> learners = [load_learner(name) for name in ("dummy", "linear")]
    >>> records = [evaluate(task, learner, splits, n_jobs=1) for learner in learners]
    >>> table = compare(records)
    >>> [row.model for row in table.rows if row.measure == table.measure]
    ['linear', 'dummy']
    """
    found = list({record.hash: record for record in records}.values())
    if not found:
        raise ConfigError("a comparison needs at least one record; got none. Run a model first.")
    _check_together(found)
    primary = _primary(found, measure)
    groups = group_trials(found, primary)
    entries = _entries(groups)
    first = entries[0].record
    lineup = Lineup(tuple(entries), interval=interval)
    rows: list[ComparisonRow] = []
    tests: list[PairwiseTest] = []
    notes = [note for group in groups if (note := group.note)]
    shown = [primary, *(other for other in measures_for(first.kind) if other is not primary)]
    width = rope if rope is not None else primary.rope_width(lineup.targets)
    ordered = {size: lineup.ordered(primary, size) for size in lineup.sizes}
    for one in shown:
        own_width = width if one is primary else one.rope_width(lineup.targets)
        for size in lineup.sizes:
            pairs = _tests(lineup, one, ordered[size], size, rope=own_width)
            rows += _rows(lineup, one, ordered[size], size, pairs)
            tests += pairs if one is primary else []
    best_corrected = _best_corrected(lineup, primary, ordered)
    if any(len(lineup.scores(entry, primary).values) == 1 for entry in entries):
        notes.append(
            "One test fold: intervals and tests come from its samples; they do not cover the "
            "uncertainty of another training set."
        )
    return Comparison(
        dataset=", ".join(dict.fromkeys(entry.record.dataset for entry in entries)),
        cv=first.cv,
        kind=first.kind,
        classes=first.classes,
        target=first.target,
        measure=primary.name,
        interval=interval,
        n_samples=first.n_samples,
        n_features=first.n_features,
        splits_key=first.splits_key,
        n_folds=first.n_planned,
        n_train=_n_train(entries),
        rows=tuple(rows),
        tests=tuple(tests),
        best_corrected=best_corrected,
        learning=learning_curves(lineup, primary),
        environment=_shared_environment([entry.record.environment for entry in entries]),
        notes=tuple(notes),
    )


# ---------------------------------------------------------------- what may be compared


def _entries(groups: Sequence[Trials]) -> list[Entry]:
    """Return entries in the order given, with labels unique within a train_size."""
    several = len({group.best.dataset for group in groups}) > 1
    entries = []
    for group in groups:
        settings = {"dataset": group.best.dataset} if several else {}
        text = settings_text(settings | group.settings)
        entries.append(Entry(record=group.best, settings=text))
    uses = Counter((entry.record.train_size, entry.label) for entry in entries)
    return [
        entry
        if uses[entry.record.train_size, entry.label] == 1
        else replace(entry, settings=", ".join(filter(None, [entry.settings, entry.record.hash])))
        for entry in entries
    ]


def _check_together(records: list[RunRecord]) -> None:
    usual = Counter(record.splits_key for record in records).most_common(1)[0][0]
    reference = next(record for record in records if record.splits_key == usual)
    for record in records:
        other_folds = record.splits_key != usual
        if other_folds and record.dataset != reference.dataset:
            raise SplitError(
                "all records must share one set of folds; "
                f"{reference.label} on {reference.dataset} and {record.label} on "
                f"{record.dataset} do not. Compare cells of one dataset at a time."
            )
        if (record.kind, record.classes) != (reference.kind, reference.classes):
            raise ConfigError(
                f"all records must be of one task; {reference.label} is a {reference.kind} "
                f"task of {', '.join(reference.classes) or reference.target}, {record.label} a "
                f"{record.kind} task of {', '.join(record.classes) or record.target}. "
                f"Re-run {record.label} with the same dataset.kind and dataset.positive."
            )
        if other_folds:
            advice = f"cv={reference.cv}"
            if record.cv == reference.cv:
                advice += f" on the rows and the target of {reference.label}"
            raise SplitError(
                f"all records must share one split; {reference.label} has {usual[:4]}, "
                f"{record.label} has {record.splits_key[:4]}. Re-run {record.label} with {advice}."
            )


def _primary(records: list[RunRecord], measure: str | None) -> Measure:
    named = {record.measure: record.label for record in records}
    if measure is None and len(named) > 1:
        pairs = " and ".join(f"{name} ({label})" for name, label in named.items())
        raise ConfigError(
            f"a comparison needs one primary measure; the records name {pairs}. Set measure=NAME."
        )
    kind = records[0].kind
    found = find_measure(measure or next(iter(named)), kind)
    if not found.ranked:
        raise ConfigError(
            f"the primary measure must rank the models; {found.name} does not. "
            f"Choose measure={measures_for(kind)[0].name}."
        )
    return found


# ---------------------------------------------------------------- rows and tests


def _rows(
    lineup: Lineup,
    measure: Measure,
    entries: list[Entry],
    size: int | None,
    tests: Sequence[PairwiseTest],
) -> list[ComparisonRow]:
    ranked = lineup.ranked(measure, entries)
    best = ranked[0].label if ranked else ""
    words = {test.second: test.word.turned for test in tests if test.first == best}
    means = {entry: lineup.scores(entry, measure).mean for entry in entries}
    rows = []
    for entry in entries:
        record, scores = entry.record, lineup.scores(entry, measure)
        interval, note = _telling(lineup.interval(entry, measure), measure)
        reason = scores.reason or "; ".join(filter(None, [scores.note, note]))
        if scores.mean is not None and interval is None and not note:
            reason = "; ".join(filter(None, [reason, lineup.why_no_interval(entry, measure)]))
        rank = None
        if entry in ranked:
            rank = 1 + sum(_better(means[other], means[entry], measure) for other in ranked)
        null = record.permuted.get(measure.name)
        n_permuted = 0 if null is None or scores.mean is None else len(null.values)
        rows.append(
            ComparisonRow(
                dataset=record.dataset,
                cv=record.cv,
                train_size=size,
                model=record.model,
                settings=entry.settings,
                hash=record.hash,
                measure=measure.name,
                mean=scores.mean,
                ci_low=interval.low if interval else None,
                ci_high=interval.high if interval else None,
                rank=rank,
                versus_best=None
                if entry not in ranked[1:]
                else words.get(entry.label, Word.UNCLEAR),
                n_scored=_n_scored(record, measure, scores),
                n_ok=sum(fold.status == "ok" for fold in record.folds),
                n_failed=sum(fold.status == "failed" for fold in record.folds),
                status=record.status,
                reason=reason,
                tune_seconds=_seconds(record, "tune", "threshold"),
                fit_seconds=_seconds(record, "fit"),
                predict_seconds=_seconds(record, "predict"),
                explain_seconds=record.explain_seconds,
                optimistic=entry.optimistic,
                n_permutations=n_permuted,
                p_permutation=null.p_value(scores.mean, higher_is_better=measure.higher_is_better)
                if null is not None and scores.mean is not None and n_permuted
                else None,
            )
        )
    return rows


def _telling(interval: Interval | None, measure: Measure) -> tuple[Interval | None, str]:
    """Return an interval, or None and a note if it covers all that the measure can be."""
    if interval is None or not covers_range(interval.low, interval.high, measure):
        return interval, ""
    return None, "no interval: it would cover nearly all possible values"


def _n_scored(record: RunRecord, measure: Measure, scores: CellScores) -> int:
    """Count the folds that a mean covers: without those that lack what the measure needs."""
    if scores.mean is None:
        return 0
    targets = [fold.prediction.y for fold in record.folds if fold.prediction is not None]
    counted = sum(not measure.missing_in(y) for y in targets)
    # As many values as folds that count, or values pooled over all folds of a repeat.
    return counted if len(scores.values) == counted else len(targets)


def _n_train(entries: Sequence[Entry]) -> int | None:
    """Return the mean number of training samples of the folds that no train_size cut."""
    sizes = [
        fold.n_train
        for entry in entries
        if entry.record.train_size is None
        for fold in entry.record.folds
        if fold.status == "ok"
    ]
    return round(float(np.mean(sizes))) if sizes else None


def _better(one: float | None, other: float | None, measure: Measure) -> bool:
    assert one is not None
    assert other is not None
    return one > other if measure.higher_is_better else one < other


def _seconds(record: RunRecord, *parts: str) -> float | None:
    """Return the sum over the folds, or None if no fold has this part."""
    found = [fold.seconds[part] for fold in record.folds for part in parts if part in fold.seconds]
    return float(sum(found)) if found else None


def _tests(
    lineup: Lineup, measure: Measure, entries: list[Entry], size: int | None, *, rope: float
) -> list[PairwiseTest]:
    pairs = list(itertools.combinations(lineup.ranked(measure, entries), 2))
    tested = [((a, b), lineup.contrast(a, b, measure, rope=rope)) for a, b in pairs]
    known = [(pair, test) for pair, test in tested if test is not None]
    adjusted = holm([test.p for _, test in known])
    levels = levels_left(adjusted)
    tests = []
    for ((first, second), test), p_holm, level in zip(known, adjusted, levels, strict=True):
        better, worse = test.p_above, test.p_below
        if not measure.higher_is_better:
            better, worse = worse, better
        tests.append(
            PairwiseTest(
                first=first.label,
                second=second.label,
                measure=measure.name,
                train_size=size,
                difference=test.difference,
                ci_low=test.low,
                ci_high=test.high,
                t=test.t,
                p=test.p,
                p_holm=float(p_holm),
                p_first_better=better,
                p_equal=test.p_equal,
                p_second_better=worse,
                rope=rope,
                word=choose_word(test, p_holm, higher_is_better=measure.higher_is_better),
                detectable=smallest_detectable(test, level=level),
            )
        )
    return tests


def _best_corrected(
    lineup: Lineup, measure: Measure, ordered: Mapping[int | None, list[Entry]]
) -> dict[str, float] | None:
    """Correct the best score for the choice, at the largest train_size with two or more."""
    for size, entries in ordered.items():
        ranked = [entry for entry in lineup.ranked(measure, entries) if not entry.optimistic]
        if len(ranked) < 2:
            continue
        found = lineup.best_corrected(measure, ranked)
        if found is None:
            return None
        best = lineup.scores(ranked[0], measure).mean
        assert best is not None
        return {
            "mean": found.mean,
            "ci_low": found.low,
            "ci_high": found.high,
            "n_models": float(len(ranked)),
            "uncorrected": best,
        } | ({} if size is None else {"train_size": float(size)})
    return None


def _shared_environment(environments: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge environments: a shared value is kept, different ones become a list."""
    merged: dict[str, Any] = {}
    for key in dict.fromkeys(key for environment in environments for key in environment):
        values = [environment.get(key) for environment in environments]
        distinct = [value for i, value in enumerate(values) if value not in values[:i]]
        merged[key] = distinct[0] if len(distinct) == 1 else distinct
    return merged
