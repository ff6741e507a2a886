"""Sentences of a report about the signature, each a rule over the numbers of its summary.

Step in the line: SignatureSummary -> **sentences** (plain text; the templates escape it).
"""

from smalldata.report.plain import (
    count,
    format_interval,
    format_number,
    join_words,
    name_some,
)
from smalldata.report.sections.difference_words import is_not_worse, say_facts
from smalldata.report.sections.panel import AllFeatures, SignatureSummary
from smalldata.report.sections.trust_words import EXCELLENT, POOR
from smalldata.results.comparison import Word

MOST_NAMED = 5
"""Members named when there is room for one sentence."""

MOST_LISTED = 20
"""Features named in a sentence of the section itself; its tables list all."""

RANKINGS = {
    "shap": "mean |Shapley value| of the model itself",
    "linear": "order of entry into an elastic-net path",
    "univariate": "their individual association with the target",
    "variance": "variance",
}
"""What features are ranked by, in words."""


def say_signature(signature: SignatureSummary) -> dict[str, list[str]]:
    """Describe the result of the signature: ``score``, ``size``, ``stability``, ``panel``."""
    return {
        "score": _say_score(signature),
        "size": _say_size(signature),
        "stability": _say_stability(signature),
        "panel": _say_panel(signature),
    }


def outline_signature(signature: SignatureSummary | None) -> list[str]:
    """Say in one sentence what the panel is and how well it should do; nothing without a panel."""
    if signature is None or signature.panel is None or signature.expected.mean is None:
        return []
    names = [member.name for member in signature.panel.members]
    return [
        f"A panel of {count(len(names), 'feature')} ({name_some(names, MOST_NAMED)}) was "
        f"kept. The procedure that chose it scores {format_number(signature.expected.mean)} in "
        f"{signature.measure.title} on samples that had no part in the choice; the panel itself "
        "has no score of its own."
    ]


def _say_score(signature: SignatureSummary) -> list[str]:
    expected, title = signature.expected, signature.measure.title
    said = []
    if expected.mean is not None:
        interval = (
            f" (95 % interval {format_interval(expected.low, expected.high)})"
            if expected.low is not None
            else ""
        )
        said.append(
            f"Choosing a panel this way and predicting with it scores "
            f"{format_number(expected.mean)} in {title} on samples that had no part in the "
            f"choice{interval}. That is the score of the procedure, whose panels differ from fold "
            "to fold. The panel below is what the procedure chooses on all samples; no samples are "
            "left to score it on."
        )
    whole = signature.whole
    if whole is not None and expected.mean is not None:
        said.append(_compare_with_all(whole))
    return said


def _compare_with_all(whole: AllFeatures) -> str:
    score, test = format_number(whole.mean), whole.test
    if test is None:
        return f"With all features, the same model scores {score}."
    if test.word.is_clear:
        verdict = f"the panel is {test.word} than all features"
    elif test.word is Word.EQUAL:
        verdict = "the two are practically equal"
    elif is_not_worse(test):
        verdict = f"the panel is not worse by more than {format_number(test.rope)}"
    else:
        verdict = "the two cannot be told apart"
    return (
        f"With all features, the same model scores {score}. Panel minus all features: {verdict} "
        f"({say_facts(test)})."
    )


def _say_size(signature: SignatureSummary) -> list[str]:
    sizes = [size for size, n in signature.chosen if n]
    often, n_often = signature.most_chosen
    n_folds = signature.n_folds
    rule = (
        "the smallest size whose inner score is within one standard error of the best"
        if signature.rule == "one_se"
        else "the size with the best inner score"
    )
    said = [
        f"Each fold ranked the features by {RANKINGS[signature.ranking]}, using its training "
        f"samples only, and took {rule}. The ranking was repeated inside each of "
        f"{count(signature.inner_folds, 'inner fold')}."
    ]
    if len(sizes) == 1:
        said.append(f"All {count(n_folds, 'fold')} chose {count(sizes[0], 'feature')}.")
    else:
        said.append(
            f"The folds chose {min(sizes)} to {max(sizes)} features, most often {often} "
            f"({n_often} of {n_folds})."
        )
    largest, n_largest = signature.chosen[-1]
    if 2 * n_largest >= n_folds and largest < signature.n_features:
        said.append(
            f"{largest} is the largest size tried; larger ones (signature.sizes) may do better."
        )
    if 2 * n_often < n_folds:
        said.append(
            "No size was chosen by half of the folds: the samples do not show how many features "
            "are needed."
        )
    return said


def _say_stability(signature: SignatureSummary) -> list[str]:
    n_folds = signature.n_folds
    always = [entry.name for entry in signature.members if entry.n == n_folds]
    said = [
        f"{count(signature.n_ever, 'feature')} {'was' if signature.n_ever == 1 else 'were'} "
        f"chosen by at least one of {count(n_folds, 'fold')}; "
        f"{name_some(always, MOST_LISTED) if always else 'none'} by every one."
    ]
    stability = signature.stability
    if stability is not None:
        said.append(
            f"The stability of the chosen sets is {format_number(stability.index)} (Nogueira's "
            f"index; {stability.text}). It is 1 if "
            "all folds choose the same features and 0 if they choose at random. "
            f"{_judge(stability.index)}"
        )
    return said


def _judge(index: float) -> str:
    """Read the index as Nogueira, Sechidis & Brown (2018) do: below 0.40 poor, above 0.75 good.

    The index is about the folds, not about new samples: training folds share most samples.
    """
    if index < POOR:
        return "That is poor: even folds that share most of their samples choose different members."
    if index <= EXCELLENT:
        return "That is fair: the leading members recur, the others change from fold to fold."
    return (
        "That is good: the folds choose nearly the same members. But they share most of their "
        "samples, and new samples may give other members."
    )


def _say_panel(signature: SignatureSummary) -> list[str]:
    panel = signature.panel
    if panel is None:
        return [
            "The panel of all samples has not been chosen yet; run the same command to choose it."
        ]
    names = name_some([member.name for member in panel.members], MOST_LISTED)
    said = [f"The same procedure on all samples keeps {count(panel.k, 'feature')}: {names}."]
    often, _ = signature.most_chosen
    if often < panel.k:
        said.append(
            f"Most folds chose only {often}: the first {often} of these are that panel."
            if often > 1
            else "Most folds chose only one: the first of these."
        )
    rare = [member.name for member in panel.members if member.share < 0.5]
    if rare:
        said.append(
            f"Fewer than half of the folds chose {name_some(rare, MOST_LISTED)}."
            if len(rare) < len(panel.members)
            else "None of these was chosen by half of the folds."
        )
    equal = [
        (member.name, one.name)
        for member in panel.members
        for one in member.substitutes
        if one.is_equal
    ]
    if equal:
        pairs = join_words([f"{other} for {name}" for name, other in equal[:5]])
        more = f", and {len(equal) - 5} more" if len(equal) > 5 else ""
        said.append(
            f"Substitutes without loss: {pairs}{more}. Which one of two equal features is chosen "
            "is chance."
        )
    return said
