"""How reliable the ranking of the features is: each sentence follows a rule on the numbers.

Step in the line: ExplanationSummary -> **sentences** (plain text; the templates escape it). The
thresholds are named here.
"""

from collections.abc import Sequence

from smalldata.report.plain import (
    count,
    format_interval,
    format_number,
    format_percent,
    join_words,
    sentence,
)
from smalldata.report.sections.explanation import ExplanationSummary, RankedFeature
from smalldata.report.sections.explanation_removals import Removals
from smalldata.report.sections.trust import Stability
from smalldata.report.sections.trust_correlation_groups import Twins
from smalldata.results.explanation import N_LEADING
from smalldata.shapley.dispatch import ADDITIVE, QUICK_LOOK, SAMPLED

STEADY, MOSTLY = 0.9, 0.6
"""Share of folds in which a feature leads, for it to be called steady or mostly there."""

POOR, EXCELLENT = 0.4, 0.75
"""Stability below which sets hardly agree, and above which they agree closely (Nogueira, Sechidis &
Brown 2018, after Fleiss)."""

NAMED = 5
"""Most features that a sentence names."""

WEAK_PAIR = 0.1
"""Interaction over what the weaker feature of a pair does alone, below which each acts on its
own."""

NO_PAIRS = (ADDITIVE, SAMPLED)
"""Notes of an explanation that say why it has no interactions."""

FIRST = 10
"""Most features replaced in the example of what the scores lose."""


def say_sureness(explanation: ExplanationSummary | None) -> list[str]:
    """Say how reliable the ranking is: over folds, against chance, by the scores, by sampling."""
    if explanation is None or not any(entry.share > 0 for entry in explanation.features):
        return []
    return [
        *say_stability(explanation),
        *say_null(explanation),
        *say_removals(explanation.removals),
        *say_sampling(explanation),
    ]


# ---------------------------------------------------------------- over the folds


def say_stability(explanation: ExplanationSummary) -> list[str]:
    """Say in how many folds the leading features lead, and how much the sets agree."""
    if explanation.n_folds < 2:
        return ["Only one fold was explained: another may rank the features differently."]
    leading = [entry for entry in explanation.features[:NAMED] if entry.share > 0]
    top_k = explanation.top_k
    sentences = [say_steadiness(leading[:top_k], top_k, explanation.n_folds)]
    found = None if explanation.steady is None else explanation.steady.stability
    if found is not None:
        facts = (
            f"stability {format_number(found.index)}, {found.text}; 1: always the same set, "
            "0: chance"
        )
        sets = f"The top {top_k} features" if top_k > 1 else "The top features"
        sentences.append(f"{sets} of the folds {_agreement(found)} ({facts}).")
    return sentences


def _agreement(found: Stability) -> str:
    if found.low <= 0:
        return "do not clearly agree more than by chance"
    if found.index < POOR:
        return "hardly agree"
    return "agree closely" if found.index > EXCELLENT else "partly agree"


def say_steadiness(leading: Sequence[RankedFeature], top_k: int, n_folds: int) -> str:
    """Say in how many folds the leading features lead."""
    steady = [entry.name for entry in leading if entry.frequency >= STEADY]
    loose = any(entry.frequency < MOSTLY for entry in leading)
    place = f"in the top {top_k}" if top_k > 1 else "first"
    if len(steady) == len(leading):
        verb = "is" if len(steady) == 1 else "are"
        return (
            f"The ranking is stable: {join_words(steady)} {verb} {place} "
            f"in at least {format_percent(STEADY)} of the {n_folds} folds."
        )
    first, *others = [(entry.name, f"{entry.frequency * n_folds:.0f}") for entry in leading]
    counts = [f"{first[0]} is {place} in {first[1]} of {n_folds} folds"]
    counts += [f"{name} in {n}" for name, n in others]
    return f"The ranking is {'not' if loose else 'mostly'} stable: {join_words(counts)}."


# ---------------------------------------------------------------- against chance


def say_null(explanation: ExplanationSummary) -> list[str]:
    """Say how many features exceed what permuted labels reach, and which leading ones do not."""
    null = explanation.null
    if null is None:
        return []
    n = count(null.n, "permutation")
    if not null.enough:
        return [
            f"{n} of the labels are too few to separate features from chance "
            f"({null.needed} are needed)."
        ]
    n_above = len(null.above)
    if not n_above:
        return [
            f"No feature is more important than the most important one over {n} of the labels: by "
            "size alone, none stands out from chance."
        ]
    verb = "is" if n_above == 1 else "are"
    sentences = [
        f"{n_above} of {count(explanation.n_features, 'feature')} {verb} more important than any "
        f"feature was in {n} of the labels."
    ]
    below = [
        entry.name for entry in explanation.features[:NAMED] if entry.share > 0 and not entry.above
    ]
    if below:
        sentences.append(f"Not among them: {join_words(below)}.")
    return sentences


# ---------------------------------------------------------------- in the scores


def say_removals(removals: Removals | None) -> list[str]:
    """Say whether the leading features cost the score more than random ones."""
    if removals is None:
        return []
    gap = removals.gap
    if gap.mean is None:
        return []
    worse = "lower" if removals.better == "higher" else "higher"
    size = f"{removals.title} {worse} by {format_number(abs(gap.mean))} on average"
    if gap.low is None or gap.high is None:
        return [
            f"In the only fold, replacing the leading features costs "
            f"{'more' if gap.mean > 0 else 'no more'} than replacing random ones."
        ]
    interval = f"interval {format_interval(gap.low, gap.high)}"
    difference = f"(difference {format_number(gap.mean)}, {interval})"
    if gap.low > 0 and gap.mean < removals.rope:
        return [
            "Replacing the leading features costs the score more than replacing random ones, but "
            f"too little to matter ({size}, {interval}; less than "
            f"{format_number(removals.rope)} counts as equal)."
        ]
    if gap.low > 0:
        sentences = [
            "The leading features carry the score: replacing them costs more than replacing the "
            f"same number of random ones ({size}, {interval})."
        ]
        return sentences + _say_example(removals)
    if gap.high < 0:
        return [
            "The leading features do not carry the score: replacing them costs less than replacing "
            f"random ones {difference}."
        ]
    return [
        "The leading features are not shown to carry the score: replacing them does not clearly "
        f"cost more than replacing random ones {difference}."
    ]


def _say_example(removals: Removals) -> list[str]:
    """Give the scores at the size where leading and random features are furthest apart.

    Of at most `FIRST` features, unless they make no difference.
    """
    scores = {
        point.n: (point.leading.mean, point.random.mean)
        for point in removals.points
        if point.leading.mean is not None and point.random.mean is not None
    }
    sizes = [n for n in scores if 0 < n < max(scores)]
    if not sizes or 0 not in scores:
        return []
    sign = 1 if removals.better == "higher" else -1

    def furthest(among: list[int]) -> int:
        return max(among, key=lambda n: sign * (scores[n][1] - scores[n][0]))

    n = furthest([n for n in sizes if n <= FIRST] or sizes)
    if format_number(scores[n][0]) == format_number(scores[n][1]):
        n = furthest(sizes)
    whole, (leading, random) = scores[0][0], scores[n]
    first = "the first feature" if n == 1 else f"the first {n}"
    return [
        f"{removals.title} is {format_number(whole)} with no feature replaced, "
        f"{format_number(leading)} with {first} replaced and {format_number(random)} with "
        f"{n} at random."
    ]


# ---------------------------------------------------------------- in the sampling


def say_sampling(explanation: ExplanationSummary) -> list[str]:
    """Say how exact the values are."""
    if explanation.standard_error is None:
        return ["The Shapley values are exact."]
    quick = any(note.startswith(QUICK_LOOK) for note in explanation.notes)
    values = "values, a quick look by expected gradients," if quick else "Shapley values"
    if explanation.relative_error is None:
        return [f"The {values} are sampled."]
    return [
        f"The {values} are sampled, with a standard error of "
        f"{format_percent(explanation.relative_error)} of a typical value of the leading "
        "features."
    ]


# ---------------------------------------------------------------- in company


def say_company(explanation: ExplanationSummary | None) -> list[str]:
    """Say which features share their credit, and which act together."""
    if explanation is None:
        return []
    return [*say_twins(explanation.twins), *say_pairs(explanation)]


def say_twins(twins: Twins | None, *, leading: int = N_LEADING, most: int = NAMED) -> list[str]:
    """Name the groups that rise and fall together and hold one of the ``leading`` features."""
    if twins is None:
        return []
    ranks = {leaf.name: leaf.rank for leaf in twins.leaves if leaf.rank <= leading}
    groups = [group for group in twins.groups if any(name in ranks for name in group.members)]
    groups.sort(key=lambda group: min(ranks.get(name, 10**9) for name in group.members))
    sentences: list[str] = []
    for group in groups[:most]:
        members = group.members
        others = len(members) - NAMED
        names = [*members[:NAMED], *([count(others, "other")] if others > 0 else [])]
        alike = f"|r| {'=' if len(members) == 2 else 'around'} {group.r:.2f}"
        either = "either" if len(members) == 2 else "any of them"
        joint = format_number(group.joint)
        if sentences:
            sentences.append(f"So do {join_words(names)} ({alike}; together {joint}).")
            continue
        sentences.append(
            f"{join_words(names)} rise and fall together ({alike}): the model may credit {either}; "
            f"together they move the prediction by {joint} on average."
        )
    n_more = len(groups) - most
    if n_more > 0:
        sentences.append(f"The tree shows {count(n_more, 'more such group')}.")
    return sentences


def say_pairs(explanation: ExplanationSummary) -> list[str]:
    """Name the strongest interactions, or say why there are none."""
    pairs = explanation.pairs
    if pairs is None:
        told = [sentence(text) for text in explanation.notes if text in NO_PAIRS]
        return told or [
            "Interactions of features were not computed (explain.interactions=20 computes them)."
        ]
    strongest = [pair for pair in pairs.strongest[-1] if pair.mean > 0]
    if not strongest:
        return ["None of the features looked at interact: every interaction is zero."]
    first = strongest[0]
    names = f"{first.first} and {first.second}"
    moves = format_number(first.mean)
    if first.share is None:
        return [f"The strongest interaction is between {names}: {moves} on average."]
    share = f"{format_percent(first.share)} of what the weaker of the two does alone"
    if first.share < WEAK_PAIR:
        return [
            f"The features act almost independently: even the strongest interaction, between "
            f"{names}, is {moves} on average, {share}."
        ]
    next_ones = [f"{pair.first} and {pair.second}" for pair in strongest[1:3]]
    then = f" Next: {', '.join(next_ones)}." if next_ones else ""
    return [f"The strongest interaction is between {names}: {moves} on average, {share}.{then}"]
