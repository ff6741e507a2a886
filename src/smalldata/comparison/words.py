"""What the numbers of a comparison mean, in the words that files, screen and pages share.

Step in the line: Comparison -> **sentences** -> comparison.md, screen, pages.
"""

from collections.abc import Mapping

from smalldata.measures.registry import Measure, find_measure
from smalldata.results.comparison import Comparison, IntervalName
from smalldata.statistics.verdict import EQUAL, SIGNIFICANT

SAYS_NOTHING = 0.9
"""Share of a measure's range from which on an interval says nothing."""


def covers_range(low: float, high: float, measure: Measure) -> bool:
    """Return whether an interval covers nearly all that a measure can be, and so says nothing.

    Examples
    --------
    >>> from smalldata.measures.registry import find_measure
    >>> from smalldata.task import TaskKind
    >>> auc = find_measure("roc_auc", TaskKind.BINARY)
    >>> covers_range(0.04, 0.98, auc), covers_range(0.2, 0.9, auc)
    (True, False)
    """
    return high - low >= SAYS_NOTHING * (measure.high - measure.low)


def corrected_for_choice(comparison: Comparison) -> Mapping[str, float] | None:
    """Return the score of the best corrected for the choice, unless its interval says nothing."""
    best = comparison.best_corrected
    if best is None:
        return None
    measure = find_measure(comparison.measure, comparison.kind)
    return None if covers_range(best["ci_low"], best["ci_high"], measure) else best


def is_flattered(best: Mapping[str, float], *, higher_is_better: bool) -> bool:
    """Whether the best score is better than the same score corrected for the choice.

    The corrected one is never better; with one candidate, or a clear best, both are equal.
    """
    gain = best["uncorrected"] - best["mean"]
    return gain > 0 if higher_is_better else gain < 0


def say_folds(comparison: Comparison) -> str:
    """Say over how many folds the primary means are: "25 folds", or "15 of 25 folds"."""
    counts = sorted(
        {
            row.n_scored
            for row in comparison.rows
            if row.measure == comparison.measure and row.mean is not None
        }
    )
    n_folds = comparison.n_folds
    noun = "fold" if n_folds == 1 else "folds"
    if not counts or counts == [n_folds]:
        return f"{n_folds} {noun}"
    span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{span} of {n_folds} {noun}"


def say_interval(
    n_train: int | None, *, several_sizes: bool = False, one_fold: bool = False
) -> str:
    """Say what an interval of a score is of.

    Parameters
    ----------
    n_train : int or None
        Samples that a model was trained on; None if it is not known.
    several_sizes : bool
        Whether the rows were trained on different numbers of samples.
    one_fold : bool
        Whether there is only one test fold, so that one fitted model gave all predictions.
    """
    if one_fold:
        return (
            "A 95 % interval is of the score of one model as it was fitted here, on new samples of "
            "this kind of data: not of models trained on other samples, and not of samples from "
            "elsewhere."
        )
    if several_sizes:
        trained = "the number of samples in its row"
    else:
        trained = "this many samples" if n_train is None else f"about {n_train:,} samples"
    return (
        f"A 95 % interval is of the mean score of models trained on {trained} of this kind of "
        "data: not of one model, and not of samples from elsewhere."
    )


def say_interval_of(comparison: Comparison) -> str:
    """Say what the intervals of a comparison are of."""
    sizes = {row.train_size for row in comparison.rows}
    only = next(iter(sizes)) if len(sizes) == 1 else None
    said = say_interval(
        comparison.n_train if only is None else only,
        several_sizes=len(sizes) > 1,
        one_fold=comparison.n_folds == 1,
    )
    if comparison.interval == "nadeau_bengio" and comparison.n_folds > 1:
        said += f" It {describe_variance(comparison.interval, n_folds=comparison.n_folds)}."
    return said


def describe_variance(interval: IntervalName, *, n_folds: int) -> str:
    """Describe the variance that an interval has, as the end of a sentence.

    Example
    -------
    >>> describe_variance("nadeau_bengio", n_folds=25)
    'has the corrected variance of Nadeau and Bengio (2003)'
    """
    if n_folds == 1:
        return "counts only what test samples add to the variance"
    if interval == "nadeau_bengio":
        return "has the corrected variance of Nadeau and Bengio (2003)"
    return "counts what test samples and training samples add to the variance"


def describe_test(comparison: Comparison) -> str:
    """Name the test of two models."""
    if comparison.interval == "nadeau_bengio" and comparison.n_folds > 1:
        return "Corrected resampled t-test on the fold differences"
    variance = describe_variance(comparison.interval, n_folds=comparison.n_folds)
    return f"t-test of the difference, which {variance}"


def define_words(rope: str) -> list[str]:
    """Define the words that compare two models.

    Parameters
    ----------
    rope : str
        The half width of the region of practical equivalence, as it is shown.
    """
    return [
        f"Practically equal: the probability that the two differ by less than {rope} is at least "
        f"{100 * EQUAL:.0f} %.",
        f"Clearly better or worse: the p-value, corrected for all pairs (Holm), is below "
        f"{SIGNIFICANT}, the 95 % interval of the difference excludes 0, and the two are not "
        "practically equal.",
        "Cannot be told apart: everything else, and any two with too few test samples or folds for "
        "a test. It does not mean that the two are equal.",
    ]
