"""Calls of a binary model at a threshold in plain numbers: rates, predictive values, net benefit.

Step in the line: RunRecord + Task -> **Thresholds** -> figures, words, HTML. A sample that is held
out in several repeats counts once, with the share of the repeats that call it positive. Rates that
are exactly 0 or 1 keep an interval with a width (`statistics.proportions`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smalldata.measures.thresholds import net_benefit, predictive_values
from smalldata.report.plain import Estimate
from smalldata.results.folds import Array, FoldResult, Prediction
from smalldata.results.record import RunRecord
from smalldata.statistics.proportions import (
    N_DRAWS,
    draw_rows,
    effective_size,
    ratio_interval,
    size_by_draws,
    weighted_difference,
    wilson_interval,
)
from smalldata.task import Task, TaskKind

GRID = (0.001, 0.002, 0.005, *(k / 100 for k in range(1, 100)), 0.995, 0.998, 0.999)
"""Thresholds that the slider offers."""

USUAL = 0.5
"""Threshold of a cell without a rule: the more probable class."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A likelihood ratio: None if it is 0 / 0, infinite if only the divisor is 0."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Calls:
    """What calling samples from a threshold on comes to.

    Attributes
    ----------
    threshold : float or None
        None: each fold used the one it chose.
    tp, fn, fp, tn : float
        Samples per repeat: positives called so and missed, others called positive and cleared.
    ppv, npv : Estimate
        At the prevalence of the section; no mean if no sample is called so.
    """

    threshold: float | None
    tp: float
    fn: float
    fp: float
    tn: float
    sensitivity: Estimate
    specificity: Estimate
    lr_positive: Ratio
    lr_negative: Ratio
    ppv: Estimate
    npv: Estimate


@dataclass(frozen=True, kw_only=True)
class ChosenThresholds:
    """The thresholds that the folds chose on their training rows.

    Attributes
    ----------
    rule : str
        As in ``threshold.rule``.
    at, cost_ratio : float or None
        What the rule was asked for.
    low, median, high : float
        Over the folds.
    n_folds : int
        Outer folds.
    n_inner : int
        Inner folds; the fewest of any outer fold.
    """

    rule: str
    at: float | None
    cost_ratio: float | None
    low: float
    median: float
    high: float
    n_folds: int
    n_inner: int


@dataclass(frozen=True, kw_only=True)
class NetBenefit:
    """Net benefit at one threshold, per sample.

    Attributes
    ----------
    threshold : float
        Of the risk at the prevalence of the section.
    model : Estimate
    treat_all : float
        Of calling every sample positive; calling none has 0.
    gain : Estimate
        Of the model over the better of calling all and none.
    """

    threshold: float
    model: Estimate
    treat_all: float
    gain: Estimate


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """All numbers of the section.

    Attributes
    ----------
    positive, other : str
        Names of the classes.
    n_positive, n_negative : int
        Held-out samples.
    n_groups : int or None
        Groups that they belong to.
    prevalence : float
        That predictive values and net benefit hold for.
    is_named : bool
        Whether the user named it; else it is the share among the samples.
    chosen : ChosenThresholds or None
        None without a rule.
    at : Calls
        At the thresholds chosen, or at 0.5.
    grid : list of Calls
        At each threshold of `GRID`.
    start : int
        Position in the grid where the slider begins.
    benefit : list of NetBenefit
        At the thresholds of the grid, as risks at the prevalence.
    """

    positive: str
    other: str
    n_positive: int
    n_negative: int
    n_groups: int | None
    prevalence: float
    is_named: bool
    chosen: ChosenThresholds | None
    at: Calls
    grid: list[Calls]
    start: int
    benefit: list[NetBenefit]


def summarize_thresholds(
    task: Task, record: RunRecord, *, prevalence: float | None = None
) -> Thresholds | None:
    """Describe the calls of a binary model at its threshold and at every other.

    Parameters
    ----------
    task : Task
    record : RunRecord
    prevalence : float, optional
        Share of positives that predictive values hold for; default: that of the samples.

    Returns
    -------
    Thresholds or None
        None if the task is not binary, a fold has no probabilities, or the held-out samples lack a
        class.
    """
    if task.kind is not TaskKind.BINARY:
        return None
    folds = [fold for fold in record.folds if fold.status == "ok" and fold.prediction is not None]
    seen = [fold.prediction for fold in folds if fold.prediction is not None]
    if not seen or any(part.probabilities is None for part in seen):
        return None
    samples = _Samples.of(task, record, seen)
    if not 0 < samples.is_positive.sum() < len(samples.row):
        return None
    own = float(samples.is_positive.mean())
    share = own if prevalence is None else prevalence
    grid = np.array(GRID)
    on_grid = samples.rates(samples.calls([grid] * len(seen), seen))
    chosen = _describe_choice(record, folds)
    if chosen is None:
        at = samples.rates(samples.calls([np.array([USUAL])] * len(seen), seen))
    else:
        at = _rates_of_rule(samples, record, folds)
    start = USUAL if chosen is None else chosen.median
    return Thresholds(
        positive=task.classes[1],
        other=task.classes[0],
        n_positive=int(samples.is_positive.sum()),
        n_negative=int((~samples.is_positive).sum()),
        n_groups=None if samples.groups is None else len(np.unique(samples.groups)),
        prevalence=share,
        is_named=prevalence is not None,
        chosen=chosen,
        at=_list_calls(at, [None if chosen else USUAL], prevalence=share)[0],
        grid=_list_calls(on_grid, GRID, prevalence=share),
        start=int(np.argmin(np.abs(grid - start))),
        benefit=_list_benefit(on_grid, _as_risks(grid, own, share), prevalence=share),
    )


# ---------------------------------------------------------------- rates


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rates:
    """Sensitivity and specificity at several thresholds, and the rows each is worth."""

    sensitivity: Array
    specificity: Array
    n_sensitivity: Array
    n_specificity: Array
    n_positive: int
    n_negative: int


@dataclass(frozen=True, kw_only=True, eq=False)
class _Samples:
    """The samples that were held out, each once."""

    row: NDArray[np.int64]
    is_positive: NDArray[np.bool_]
    groups: NDArray[np.int64] | None

    @classmethod
    def of(cls, task: Task, record: RunRecord, parts: Sequence[Prediction]) -> "_Samples":
        row = np.unique(np.concatenate([part.row for part in parts]))
        groups = None if record.groups is None else np.array(record.groups)[row]
        return cls(row=row, is_positive=task.y[row] == 1, groups=groups)

    def calls(self, thresholds: Sequence[Array], parts: Sequence[Prediction]) -> Array:
        """Return the share of its repeats that call each sample positive, per threshold."""
        called = np.zeros((len(self.row), len(thresholds[0])))
        times = np.zeros((len(self.row), 1))
        for part, at in zip(parts, thresholds, strict=True):
            assert part.probabilities is not None
            place = np.searchsorted(self.row, part.row)
            np.add.at(called, place, part.probabilities[:, 1:] > at)
            np.add.at(times, place, 1.0)
        return called / times

    def rates(self, calls: Array) -> _Rates:
        """Return both rates per column of calls."""
        found = []
        for of_class in (self.is_positive, ~self.is_positive):
            groups = None if self.groups is None else self.groups[of_class]
            found.append((calls[of_class].mean(axis=0), effective_size(calls[of_class], groups)))
        (sensitivity, n_sensitivity), (false_rate, n_specificity) = found
        return _Rates(
            sensitivity=sensitivity,
            specificity=1 - false_rate,
            n_sensitivity=n_sensitivity,
            n_specificity=n_specificity,
            n_positive=int(self.is_positive.sum()),
            n_negative=int((~self.is_positive).sum()),
        )


def _rates_of_rule(samples: _Samples, record: RunRecord, folds: Sequence[FoldResult]) -> _Rates:
    """Return the rates at the thresholds that the folds chose.

    The rows they are worth also count how far the choice depends on the samples: all calls of a
    fold move with its threshold.
    """
    parts = [fold.prediction for fold in folds if fold.prediction is not None]
    choices = [fold.threshold for fold in folds if fold.threshold is not None]
    rates = samples.rates(samples.calls([np.array([one.value]) for one in choices], parts))
    groups = None if record.groups is None else np.array(record.groups)
    weights = draw_rows(record.n_samples, groups, seed=int(record.identity.get("seed", 0)))
    if any(len(one.draws) != N_DRAWS for one in choices):
        return rates
    called, drawn = np.zeros((2, N_DRAWS)), np.zeros((2, N_DRAWS))
    for part, one in zip(parts, choices, strict=True):
        assert part.probabilities is not None
        here = weights[:, part.row]
        hits = here * (part.probabilities[:, 1] > np.array(one.draws)[:, None])
        for code in (0, 1):
            called[code] += hits[:, part.y == code].sum(axis=1)
            drawn[code] += here[:, part.y == code].sum(axis=1)
    shares = np.divide(called, drawn, out=np.full_like(called, np.nan), where=drawn > 0)
    sizes = [
        size_by_draws(float(rate[0]), share, float(most[0]))
        for rate, share, most in (
            (rates.sensitivity, shares[1], rates.n_sensitivity),
            (1 - rates.specificity, shares[0], rates.n_specificity),
        )
    ]
    return _Rates(
        sensitivity=rates.sensitivity,
        specificity=rates.specificity,
        n_sensitivity=np.array(sizes[:1]),
        n_specificity=np.array(sizes[1:]),
        n_positive=rates.n_positive,
        n_negative=rates.n_negative,
    )


def _describe_choice(record: RunRecord, folds: Sequence[FoldResult]) -> ChosenThresholds | None:
    choices = [fold.threshold for fold in folds if fold.threshold is not None]
    if not choices or len(choices) < len(folds):
        return None
    values = np.array([one.value for one in choices])
    asked = record.identity.get("threshold") or {}
    return ChosenThresholds(
        rule=choices[0].rule,
        at=asked.get("at"),
        cost_ratio=asked.get("cost_ratio"),
        low=float(values.min()),
        median=float(np.median(values)),
        high=float(values.max()),
        n_folds=len(choices),
        n_inner=min(one.n_folds for one in choices),
    )


# ---------------------------------------------------------------- figures of calls


def _list_calls(
    rates: _Rates, thresholds: Sequence[float | None], *, prevalence: float
) -> list[Calls]:
    sensitivity, specificity = rates.sensitivity, rates.specificity
    sens = wilson_interval(sensitivity, rates.n_sensitivity)
    spec = wilson_interval(specificity, rates.n_specificity)
    positive = _list_ratios(sensitivity, rates.n_sensitivity, 1 - specificity, rates.n_specificity)
    negative = _list_ratios(1 - sensitivity, rates.n_sensitivity, specificity, rates.n_specificity)
    return [
        Calls(
            threshold=threshold,
            tp=float(sensitivity[i] * rates.n_positive),
            fn=float((1 - sensitivity[i]) * rates.n_positive),
            fp=float((1 - specificity[i]) * rates.n_negative),
            tn=float(specificity[i] * rates.n_negative),
            sensitivity=_estimate(sensitivity[i], sens.low[i], sens.high[i]),
            specificity=_estimate(specificity[i], spec.low[i], spec.high[i]),
            lr_positive=positive[i],
            lr_negative=negative[i],
            ppv=_predictive(positive[i], prevalence, of_positive=True),
            npv=_predictive(negative[i], prevalence, of_positive=False),
        )
        for i, threshold in enumerate(thresholds)
    ]


def _list_ratios(first: Array, n_first: Array, second: Array, n_second: Array) -> list[Ratio]:
    first, second = np.where(first < 1e-12, 0.0, first), np.where(second < 1e-12, 0.0, second)
    low, high = ratio_interval(first, n_first, second, n_second)
    found = []
    for i in range(len(first)):
        if first[i] == 0 and second[i] == 0:
            found.append(Ratio(value=None, low=None, high=None))
        else:
            value = math.inf if second[i] == 0 else float(first[i] / second[i])
            found.append(Ratio(value=value, low=float(low[i]), high=float(high[i])))
    return found


def _predictive(ratio: Ratio, prevalence: float, *, of_positive: bool) -> Estimate:
    """Return PPV or NPV with the bounds that those of its likelihood ratio give."""
    if ratio.value is None or ratio.low is None or ratio.high is None:
        return Estimate(mean=None, low=None, high=None)
    ratios = np.array([ratio.value, ratio.low, ratio.high])
    ppv, npv = predictive_values(ratios, ratios, prevalence)
    if of_positive:
        return _estimate(ppv[0], ppv[1], ppv[2])
    return _estimate(npv[0], npv[2], npv[1])  # it falls as the ratio rises


def _as_risks(thresholds: Array, own: float, prevalence: float) -> Array:
    """Return thresholds of the model's probabilities as risks where positives have another share.

    The odds move by the ratio of the two prior odds (Elkan 2001, *IJCAI*); ranks do not change.
    """
    odds = thresholds / (1 - thresholds) * (prevalence / (1 - prevalence)) * ((1 - own) / own)
    return np.asarray(odds / (1 + odds))


def _list_benefit(rates: _Rates, thresholds: Array, *, prevalence: float) -> list[NetBenefit]:
    odds = thresholds / (1 - thresholds)
    gained, lost = np.full(len(odds), prevalence), (1 - prevalence) * odds
    sens, spec = rates.sensitivity, rates.specificity
    n_sens, n_spec = rates.n_sensitivity, rates.n_specificity
    model = net_benefit(sens, spec, prevalence=prevalence, threshold=thresholds)
    treat_all = net_benefit(1.0, 0.0, prevalence=prevalence, threshold=thresholds)
    over_none = weighted_difference(gained, sens, n_sens, lost, 1 - spec, n_spec)
    over_all = weighted_difference(lost, spec, n_spec, gained, 1 - sens, n_sens)
    is_all = treat_all > 0
    return [
        NetBenefit(
            threshold=float(thresholds[i]),
            model=_estimate(model[i], over_none.low[i], over_none.high[i]),
            treat_all=float(treat_all[i]),
            gain=_estimate(model[i] - treat_all[i], over_all.low[i], over_all.high[i])
            if is_all[i]
            else _estimate(model[i], over_none.low[i], over_none.high[i]),
        )
        for i in range(len(thresholds))
    ]


def _estimate(mean: float, low: float, high: float) -> Estimate:
    return Estimate(mean=float(mean), low=float(low), high=float(high))
