"""What to doubt about one cell: each doubt follows a rule on the numbers.

Step in the line: CellSummary -> **sentences** (plain text; the templates escape it). The thresholds
are named here.
"""

from smalldata.report.plain import (
    Estimate,
    count,
    format_interval,
    format_number,
    format_percent,
    name_some,
    sentence,
)
from smalldata.report.sections.cell import CellSummary
from smalldata.report.sections.difference_words import is_not_worse, say_facts
from smalldata.report.sections.explanation import ExplanationSummary
from smalldata.report.sections.scores import Difference, Score
from smalldata.report.sections.scores_words import MOST_CONSTANT
from smalldata.report.sections.task import TaskFacts
from smalldata.report.sections.trust_words import MOSTLY, NAMED, NO_PAIRS, POOR, say_twins
from smalldata.report.sections.tuning import TuningSummary
from smalldata.report.sections.tuning_words import doubt_tuning
from smalldata.results.comparison import Word

FEW_SAMPLES = 100
FEW_IN_CLASS = 20
RARE_CLASS = 0.2
WIDE_INTERVAL = 0.15
"""Width of an interval, for measures that range over 0 to 1."""
NOISY_VALUES = 0.1
"""Standard error over mean |phi| above which sampled Shapley values are called noisy."""
SLOPE = (0.7, 1.4)
"""Calibration slopes outside this range mean too extreme or too timid probabilities."""
TWINS_DOUBTED = 2
"""Most groups of features that share credit to name among the doubts."""
ONE_STUDY = (
    "All numbers come from one data set; only samples from elsewhere show whether they hold there."
)


def say_doubts(
    summary: CellSummary,
    primary: Score | None,
    tuning: TuningSummary | None = None,
) -> list[str]:
    """List what weakens the result, gravest first; one sentence each."""
    task, cell, against = summary.task, summary.cell, summary.against
    doubts = []
    if cell.failed:
        rest = "the scores cover only the others, and " if cell.n_ok else ""
        doubts.append(
            f"{len(cell.failed)} of {cell.n_planned} folds failed; {rest}the cell is not "
            f"ranked. First reason: {cell.failed[0].reason.rstrip('.')}."
        )
    elif cell.status == "failed" and cell.n_ok < cell.n_planned:
        doubts.append(f"Only {cell.n_ok} of {cell.n_planned} folds finished.")
    if cell.optimistic or (against is not None and against.optimistic):
        instead = f"; to search inside the folds, run {cell.instead}" if cell.instead else ""
        doubts.append(
            "This score is optimistic: the settings were chosen on the same folds that it is "
            f"measured on{instead}."
        )
    if cell.train_size is not None:
        doubts.append(
            f"Trained on only {cell.train_size} samples; more data may change the result."
        )
    doubts += [*doubt_size(task), *doubt_constants(task)]
    if primary is not None:
        doubts += doubt_interval(primary, task)
    slope = next((s for s in summary.scores if s.name == "calibration_slope"), None)
    if slope is not None:
        doubts += doubt_calibration(slope)
    linear = against.linear if against is not None and cell.model != "dummy" else None
    if primary is not None and linear is not None:
        doubts += doubt_beyond_linear(linear)
    doubts += [sentence(text) for text in task.warnings]
    doubts += doubt_explanation(summary.explanation, task.n_samples)
    doubts += doubt_tuning(tuning)
    for note in cell.notes[:4]:
        folds = f" ({count(note.n, 'fold')})" if note.n < cell.n_ok else ""
        doubts.append(sentence(f"{note.text.rstrip('.')}{folds}"))
    return [*doubts, ONE_STUDY]


def doubt_size(task: TaskFacts) -> list[str]:
    """Few samples, a small or rare class, more features than samples; groups count, not rows."""
    doubts = []
    grouped = task.n_groups is not None and task.n_groups < task.n_samples
    unit = "group" if grouped else "sample"
    n_units = task.n_groups if grouped and task.n_groups is not None else task.n_samples
    if n_units < FEW_SAMPLES:
        of_samples = f" of {count(task.n_samples, 'sample')}" if grouped else ""
        doubts.append(
            f"{count(n_units, unit)}{of_samples} are few: expect different numbers on new data."
        )
    if task.classes:
        sizes = {
            entry.name: (entry.n_groups if grouped else None) or entry.n for entry in task.classes
        }
        smallest = min(task.classes, key=lambda entry: sizes[entry.name])
        n_smallest = sizes[smallest.name]
        if n_smallest < FEW_IN_CLASS:
            which = (
                "Each class"
                if len(set(sizes.values())) == 1
                else f"The smallest class, {smallest.name},"
            )
            doubts.append(f"{which} has only {count(n_smallest, unit)}.")
        elif len(task.classes) == 2 and smallest.share < RARE_CLASS:
            doubts.append(
                f"The classes are unequal: {smallest.name} makes up "
                f"{format_percent(smallest.share)} of the samples. "
                "Check average precision and the confusion matrix too."
            )
    if task.n_features > n_units:
        ratio = task.n_features / n_units
        doubts.append(
            f"There are {ratio:.1f} times as many features as {unit}s: some will fit by chance."
        )
    if task.missing > 0.05:
        doubts.append(f"{format_percent(task.missing)} of the values are missing.")
    return doubts


def doubt_constants(task: TaskFacts) -> list[str]:
    """Features that never vary: a column read wrongly looks like this."""
    names = task.constant
    if not names:
        return []
    return [
        f"{count(len(names), 'feature')} {'is' if len(names) == 1 else 'are'} constant "
        f"({name_some(names, MOST_CONSTANT)}): check the table, or leave "
        f"{'it' if len(names) == 1 else 'them'} out (dataset.drop)."
    ]


def doubt_interval(primary: Score, task: TaskFacts) -> list[str]:
    """Interval too wide to tell much, or folds that disagree."""
    low, high = primary.low, primary.high
    if primary.mean is None:
        return []
    if low is None or high is None:
        if "show no variation" in primary.no_interval:
            return []  # dummy: its score does not move
        if "without one of its samples" in primary.no_interval:
            return [
                "Without one of its samples the measure would be undefined, so there is no "
                "interval: how far the score may move is unknown."
            ]
        if "nearly all" in primary.no_interval:
            return ["There is no interval: it would cover nearly all that the measure can be."]
        if primary.n > 1:
            return [
                f"{primary.n} folds are too few for an interval: how far the score may move is "
                "unknown."
            ]
        return ["One fold gives no interval: the spread is unknown."]
    sd = task.target_values.sd if task.target_values else None
    wide = WIDE_INTERVAL * sd if sd and primary.in_target_unit else WIDE_INTERVAL
    if high - low > wide:
        reach = (
            f"; single folds range from {format_number(primary.min)} to "
            f"{format_number(primary.max)}"
            if primary.n > 1
            else ""
        )
        return [f"The interval is wide ({format_interval(low, high)}){reach}."]
    return []


def doubt_calibration(slope: Estimate | Score) -> list[str]:
    """Probabilities that are too extreme or too timid: the slope and its interval are off 1."""
    mean, low, high = slope.mean, slope.low, slope.high
    if mean is None or low is None or high is None or low <= 1 <= high:
        return []
    facts = f"calibration slope {format_number(mean)}, interval {format_interval(low, high)}"
    if mean < SLOPE[0]:
        return [
            f"The probabilities are too extreme ({facts}): use them to rank samples, not as risks."
        ]
    if mean > SLOPE[1]:
        return [
            f"The probabilities are too timid ({facts}): true risks are further from the middle."
        ]
    return []


def doubt_beyond_linear(own: Difference) -> list[str]:
    """Point at a linear model that is better, or not worse, or that the folds cannot tell apart.

    Parameters
    ----------
    own : Difference
        Of the cell from the linear model.
    """
    linear = own.turned()
    facts = f"({say_facts(linear)})"
    if linear.word is Word.BETTER:
        return [f"A linear model is clearly better {facts}."]
    if is_not_worse(linear):
        return [
            f"A linear model is not worse by more than {format_number(linear.rope)}, with a "
            f"probability of {format_percent(1 - linear.p_worse)} {facts}."
        ]
    if linear.word is Word.UNCLEAR:
        return [f"A linear model cannot be told apart from this one {facts}."]
    return []


def doubt_explanation(explanation: ExplanationSummary | None, n_samples: int) -> list[str]:
    """Point at rows left out, noise, a ranking that is not stable or not supported, twins."""
    if explanation is None:
        return []
    doubts = []
    if explanation.n_samples < n_samples:
        doubts.append(f"Only {explanation.n_samples} of {n_samples} samples were explained.")
    error = explanation.relative_error
    if error is not None and error > NOISY_VALUES:
        doubts.append(
            "The Shapley values are sampled and noisy: their standard error is "
            f"{format_percent(error)} of a typical value."
        )
    n_leading = min(NAMED, explanation.top_k)
    leading = [entry for entry in explanation.features[:n_leading] if entry.share > 0]
    if explanation.n_folds > 1 and leading:
        loose = [entry.name for entry in leading if entry.frequency < MOSTLY]
        stability = None if explanation.steady is None else explanation.steady.stability
        poor = stability is not None and stability.index < POOR
        if 2 * len(loose) > len(leading) or poor:
            doubts.append(
                "Which features lead depends on the fold, so do not rely on any single one."
            )
    null = explanation.null
    if leading and null is not None and null.enough and not null.above:
        doubts.append("No feature is more important than what chance alone can produce.")
    removals = explanation.removals
    if leading and removals is not None and not _carries(removals.gap):
        doubts.append(
            "The leading features are not shown to carry the score: replacing random ones may cost "
            "just as much."
        )
    twins = say_twins(explanation.twins, leading=NAMED, most=TWINS_DOUBTED)
    if twins:
        doubts.append(" ".join(twins))
    doubts += [sentence(text) for text in explanation.notes if text not in NO_PAIRS]
    return doubts


def _carries(gap: Estimate) -> bool:
    """Whether the leading features cost more than random ones; of one fold there is no interval."""
    bound = gap.mean if gap.low is None else gap.low
    return bound is not None and bound > 0
