"""What the section on thresholds says: each sentence follows a rule on the numbers.

Step in the line: Thresholds -> **sentences** (plain text; the templates escape it).
"""

import math
from dataclasses import dataclass
from itertools import groupby

from smalldata.report.plain import (
    Estimate,
    count,
    format_interval,
    format_number,
    format_percent,
    join_words,
)
from smalldata.report.sections.thresholds import Calls, NetBenefit, Ratio, Thresholds

MOST_RANGES = 3
"""Most ranges of thresholds that a sentence lists."""


def say_thresholds(found: Thresholds) -> list[str]:
    """Say at which threshold samples are called, how well, and what a call is worth."""
    return [
        _say_rates(found),
        *_say_target(found),
        *_say_predictive(found),
        _say_benefit(found),
    ]


@dataclass(frozen=True, kw_only=True)
class ThresholdTexts:
    """All the section writes, as texts.

    Attributes
    ----------
    sentences : list of str
    title : str
        Of the table at the threshold of the cell.
    counts : dict of str to str
        ``tp``, ``fn``, ``fp``, ``tn`` of that table.
    rows, live : list of tuple
        As `list_rows`: of that table, and of the slider's first position.
    grid : list of dict
        Texts of the slider's table at each of its positions, by the id of the cell.
    prevalence : str
        In percent.
    """

    sentences: list[str]
    title: str
    counts: dict[str, str]
    rows: list[tuple[str, str, str, str]]
    live: list[tuple[str, str, str, str]]
    grid: list[dict[str, str]]
    prevalence: str


def write_texts(found: Thresholds) -> ThresholdTexts:
    """Write everything that the section shows."""
    return ThresholdTexts(
        sentences=say_thresholds(found),
        title=name_rule(found),
        counts=_count(found.at),
        rows=list_rows(found, found.at, at=f" at a prevalence of {_share(found.prevalence)}"),
        live=list_rows(found, found.grid[found.start]),
        grid=grid_texts(found),
        prevalence=f"{100 * found.prevalence:.3g}",
    )


def grid_texts(found: Thresholds) -> list[dict[str, str]]:
    """Write the slider's table at each of its positions, by the id of the cell."""
    return [
        {
            "threshold": f"{calls.threshold:g}",
            **_count(calls),
            **{key: value for key, _, value, _ in list_rows(found, calls)},
            **{f"{key}_interval": text for key, _, _, text in list_rows(found, calls)},
        }
        for calls in found.grid
    ]


def _count(calls: Calls) -> dict[str, str]:
    return {name: format_count(getattr(calls, name)) for name in ("tp", "fn", "fp", "tn")}


def name_rule(found: Thresholds) -> str:
    """Name the threshold of the table: "chosen inside each training fold", or 0.5."""
    if found.chosen is None:
        return "At a probability of 0.5"
    return "At the threshold chosen inside each training fold"


def _say_rule(found: Thresholds) -> str:
    chosen = found.chosen
    if chosen is None:
        return f"If every sample with a probability above 0.5 is called {found.positive}"
    rule = {
        "youden": "with the largest sum of sensitivity and specificity (Youden)",
        "sensitivity": f"for a sensitivity of at least {format_number(chosen.at)}",
        "specificity": f"for a specificity of at least {format_number(chosen.at)}",
        "cost": f"of least cost if a missed {found.positive} costs "
        f"{_trim(chosen.cost_ratio)} false alarms",
    }[chosen.rule]
    span = (
        format_number(chosen.median)
        if chosen.low == chosen.high
        else f"{format_interval(chosen.low, chosen.high)} in "
        f"{count(chosen.n_folds, 'fold')}, median {format_number(chosen.median)}"
    )
    return f"At the threshold {rule}, chosen on training samples alone ({span})"


def _trim(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _say_rates(found: Thresholds) -> str:
    sens, spec = found.at.sensitivity, found.at.specificity
    return (
        f"{_say_rule(found)}, {format_percent(sens.mean or 0.0)} of {found.positive} are found "
        f"(sensitivity {_with_interval(sens)}) and {format_percent(spec.mean or 0.0)} of "
        f"{found.other} are cleared (specificity {_with_interval(spec)})."
    )


def _with_interval(one: Estimate) -> str:
    if one.low is None or one.high is None:
        return format_number(one.mean)
    return f"{format_number(one.mean)}, 95 % interval {format_interval(one.low, one.high)}"


def _say_target(found: Thresholds) -> list[str]:
    """Say whether the held-out samples reach what the rule was asked for."""
    chosen = found.chosen
    if chosen is None or chosen.at is None:
        return []
    reached = found.at.sensitivity if chosen.rule == "sensitivity" else found.at.specificity
    assert reached.low is not None
    assert reached.high is not None
    asked = f"The {chosen.rule} of {format_number(chosen.at)} that was asked for"
    if reached.low > chosen.at:
        return [f"{asked} is exceeded: the whole interval on held-out samples lies above it."]
    if reached.high < chosen.at:
        return [f"{asked} is missed: the whole interval on held-out samples lies below it."]
    return [f"{asked} lies within the interval on held-out samples."]


def _say_predictive(found: Thresholds) -> list[str]:
    share = _share(found.prevalence)
    source = "the prevalence named" if found.is_named else "the share among these samples"
    words = []
    for one, called, short in (
        (found.at.ppv, found.positive, "PPV"),
        (found.at.npv, found.other, "NPV"),
    ):
        if one.mean is None:
            words.append(f"no sample is called {called}, so there is no {short}")
        else:
            words.append(
                f"a call of {called} is right in {_of_hundred(one.mean)} cases ({short} "
                f"{_with_interval(one)})"
            )
    sentences = [
        f"Where {share} of those tested are {found.positive} ({source}), {words[0]}, and "
        f"{words[1]}."
    ]
    if not found.is_named:
        sentences.append(
            "Predictive values hold for that share alone: set threshold.prevalence to the share "
            "where the model would be used."
        )
    return sentences


def _of_hundred(share: float) -> str:
    if 0.995 <= share < 1:
        return "more than 99 of 100"
    if 0 < share < 0.005:
        return "fewer than 1 of 100"
    return f"{100 * share:.0f} of 100"


def _say_benefit(found: Thresholds) -> str:
    """Say where the net benefit is above that of treating all and of treating none."""
    gain = (
        f"The gain is over the better of calling every sample {found.positive} and calling none so."
    )
    ranges = better_ranges(found.benefit)
    if not ranges:
        return (
            f"At no threshold does the 95 % interval of the gain in net benefit lie above 0. {gain}"
        )
    shown = [
        _trim(low) if low == high else f"{_trim(low)} to {_trim(high)}" for low, high in ranges
    ]
    where = (
        f"thresholds of {join_words(shown)}"
        if len(shown) <= MOST_RANGES
        else f"{sum(is_better(one) for one in found.benefit)} of {len(found.benefit)} "
        f"thresholds between {_trim(ranges[0][0])} and {_trim(ranges[-1][1])}"
    )
    return (
        f"At {where}, each taken alone, the 95 % interval of the gain in net benefit lies above 0. "
        f"{gain}"
    )


def is_better(one: NetBenefit) -> bool:
    """Whether the interval of the gain over the better of all and none lies above 0."""
    return one.gain.low is not None and one.gain.low > 0


def better_ranges(benefit: list[NetBenefit]) -> list[tuple[float, float]]:
    """List the ranges of neighbouring thresholds at which the model is better."""
    ranges = []
    for better, members in groupby(benefit, key=is_better):
        if better:
            values = [one.threshold for one in members]
            ranges.append((values[0], values[-1]))
    return ranges


# ---------------------------------------------------------------- tables


def list_rows(found: Thresholds, calls: Calls, *, at: str = "") -> list[tuple[str, str, str, str]]:
    """List the figures of a threshold: key, name, value and interval, as texts.

    ``at`` says at which prevalence predictive values hold.
    """
    rates = [
        ("sensitivity", f"Sensitivity: {found.positive} found", calls.sensitivity),
        ("specificity", f"Specificity: {found.other} cleared", calls.specificity),
        ("ppv", f"PPV{at}: right among calls of {found.positive}", calls.ppv),
        ("npv", f"NPV{at}: right among calls of {found.other}", calls.npv),
    ]
    return [
        *((k, name, format_number(e.mean), format_interval(e.low, e.high)) for k, name, e in rates),
        *(
            (key, name, format_ratio(one), format_ratio_interval(one))
            for key, name, one in (
                ("lr_positive", "Likelihood ratio of a positive call", calls.lr_positive),
                ("lr_negative", "Likelihood ratio of a negative call", calls.lr_negative),
            )
        ),
    ]


def format_ratio(ratio: Ratio) -> str:
    """Write a likelihood ratio.

    Example
    -------
    >>> format_ratio(Ratio(value=math.inf, low=4.9, high=math.inf))
    'unbounded'
    """
    if ratio.value is None:
        return "–"
    return "unbounded" if math.isinf(ratio.value) else format_number(ratio.value)


def format_ratio_interval(ratio: Ratio) -> str:
    """Write the interval of a likelihood ratio, which may have no upper end.

    Example
    -------
    >>> format_ratio_interval(Ratio(value=math.inf, low=4.904, high=math.inf))
    'at least 4.90'
    """
    if ratio.low is None or ratio.high is None:
        return "–"
    if math.isinf(ratio.high):
        return f"at least {format_number(ratio.low)}"
    return format_interval(ratio.low, ratio.high)


def _share(share: float) -> str:
    """Write a prevalence with three significant digits."""
    return f"{100 * share:.3g}\u202f%"


def format_count(value: float) -> str:
    """Write samples per repeat: whole, or with one decimal.

    Example
    -------
    >>> format_count(12.0), format_count(12.25)
    ('12', '12.2')
    """
    return f"{round(value)}" if abs(value - round(value)) < 1e-6 else f"{value:.1f}"
