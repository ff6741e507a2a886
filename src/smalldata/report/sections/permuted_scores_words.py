"""What a report says of the scores on permuted labels.

Step in the line: PermutedSummary -> **sentences** (plain text; the template escapes it).
"""

from smalldata.report.plain import count, format_number, format_p
from smalldata.report.sections.permuted_scores import PermutedSummary


def outline_permuted(permuted: PermutedSummary | None) -> list[str]:
    """Say the p-value and what it is of, for the first screen."""
    if permuted is None:
        return []
    return [
        f"Permutation {format_p(permuted.p)} ({count(permuted.n, 'permutation')}): how often this "
        f"whole procedure scores as {_good(permuted)} when labels carry nothing."
    ]


def say_permuted(permuted: PermutedSummary) -> list[str]:
    """Say what permuted labels score, the p-value, and what it does not say."""
    n, n_as_good = permuted.n, permuted.n_as_good
    within = ", choices inside the folds included," if permuted.chooses else ""
    sentences = [
        f"The labels were permuted {count(n, 'time')}, and the whole procedure{within} was run on "
        f"each permutation.{_say_exchange(permuted)}"
    ]
    if permuted.values:
        low, high = format_number(permuted.values[0]), format_number(permuted.values[-1])
        span = low if low == high else f"{low} to {high}"
        sentences.append(
            f"Permuted labels score {span}; the true ones score {format_number(permuted.score)}, "
            f"and {_say_number(n_as_good, n)} as {_good(permuted)}."
        )
    if permuted.n_undefined:
        sentences.append(
            f"{count(permuted.n_undefined, 'permutation')} had no score, which counts as the worst."
        )
    smallest = ", the smallest that this number of permutations can give" if not n_as_good else ""
    p = format_p(permuted.p, bare=True)
    sentences.append(
        f"p = (1 + {n_as_good}) / (1 + {n}) = {p}{smallest}: how often this whole "
        f"procedure scores as {_good(permuted)} when features and labels have nothing to do with "
        "each other. It is not corrected for the number of models."
    )
    return sentences


def _good(permuted: PermutedSummary) -> str:
    return "high" if permuted.higher else "low"


def _say_number(n_as_good: int, n: int) -> str:
    return f"{n_as_good or 'none'} of {n} permutations score{'s' if n_as_good == 1 else ''}"


def _say_exchange(permuted: PermutedSummary) -> str:
    if permuted.exchange == "whole groups":
        return " Whole groups exchanged their labels, among groups with as many samples."
    if permuted.exchange == "within groups":
        return (
            " Samples exchanged labels within their group, so this does not test what "
            "distinguishes the groups."
        )
    return ""
