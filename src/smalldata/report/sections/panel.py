"""The signature of one cell in plain numbers and words: sizes, members, stability, the panel.

Step in the line: RunRecord + Panel -> **plain dict** -> figures -> HTML. A cell whose folds chose
no panel has none of it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from smalldata.measures.registry import find_measure
from smalldata.report.plain import (
    count,
    format_interval,
    format_number,
    join_words,
    name_some,
)
from smalldata.report.sections.scores import (
    describe_measure,
    find_test,
    mean_interval,
    rows_of,
)
from smalldata.report.sections.trust_words import EXCELLENT, POOR
from smalldata.results.comparison import Comparison
from smalldata.results.folds import FoldResult
from smalldata.results.panel import Panel
from smalldata.results.record import RunRecord
from smalldata.runtime.sealing import strict_plain
from smalldata.statistics.rank_stability import nogueira
from smalldata.task import Task

MOST_MEMBERS = 30
"""Features drawn and listed by how many folds choose them; the panel's own are always listed."""

MOST_NAMED = 5
"""Members named where there is room for one sentence."""

MOST_LISTED = 20
"""Features named in a sentence of the section itself; its tables name all."""

RANKINGS = {
    "shap": "mean |Shapley value| of the model itself",
    "linear": "order of entry into an elastic-net path",
    "univariate": "association with the target, one by one",
    "variance": "variance",
}
"""What features are ranked by, in words."""


def summarize_signature(
    task: Task,
    record: RunRecord,
    panel: Panel | None = None,
    comparison: Comparison | None = None,
) -> dict[str, Any] | None:
    """Describe the signature of a cell; None where its folds chose none.

    Parameters
    ----------
    task : Task
    record : RunRecord
    panel : Panel, optional
        Of all rows.
    comparison : Comparison, optional
        For the same model with all features.

    Returns
    -------
    dict
        ``measure``, ``ranking``, ``rule``, ``expected`` (the score of the whole procedure),
        ``sizes`` (per size: held-out score with its interval, inner score), ``chosen`` (folds per
        size), ``folds``, ``members`` (features by the share of folds that choose them),
        ``stability``, ``whole`` (the model with all features), ``panel``.
    """
    folds = [fold for fold in record.folds if fold.status == "ok" and fold.selection is not None]
    asked = record.identity.get("signature")
    if not folds or asked is None:
        return None
    names = [str(name) for name in task.dataset.feature_names]
    selections = [fold.selection for fold in folds if fold.selection is not None]
    sizes = selections[0].sizes
    marked = np.zeros((len(folds), task.n_features), dtype=bool)
    for row, selection in enumerate(selections):
        marked[row, list(selection.members)] = True
    counts = marked.sum(axis=0)
    chosen = Counter(selection.k for selection in selections)
    measure = str(asked["measure"])
    summary = {
        "measure": describe_measure(measure, record.kind),
        "ranking": str(asked["ranking"]),
        "rule": str(asked["rule"]),
        "inner_folds": len(selections[0].inner[0]),
        "n_folds": len(folds),
        "n_features": task.n_features,
        "expected": _expected(folds, record, measure),
        "sizes": [_size(place, record, folds, measure) for place in range(len(sizes))],
        "chosen": [{"size": size, "n": chosen.get(size, 0)} for size in sizes],
        "folds": [_fold(fold, measure, names) for fold in folds],
        "members": _members(counts, panel, names),
        "n_ever": int((counts > 0).sum()),
        "stability": _stability(marked),
        "whole": _whole(record, comparison, measure),
        "panel": None if panel is None else _panel(panel, counts, len(folds), names),
    }
    described: dict[str, Any] = strict_plain(summary)
    return described


def say_signature(signature: Mapping[str, Any]) -> dict[str, list[str]]:
    """Say what the signature came to.

    Parameters
    ----------
    signature : mapping
        As `summarize_signature` returned it.

    Returns
    -------
    dict of lists of str
        Sentences: ``score``, ``size``, ``stability``, ``panel``.
    """
    return {
        "score": _say_score(signature),
        "size": _say_size(signature),
        "stability": _say_stability(signature),
        "panel": _say_panel(signature),
    }


def outline_signature(signature: Mapping[str, Any] | None) -> list[str]:
    """Say in one sentence what the panel is and what to expect of it; nothing without one."""
    if signature is None or signature["panel"] is None or signature["expected"]["mean"] is None:
        return []
    names = [member["name"] for member in signature["panel"]["members"]]
    return [
        f"A panel of {count(len(names), 'feature')} ({name_some(names, MOST_NAMED)}) is all that "
        f"was kept; choosing one like it scores {format_number(signature['expected']['mean'])} in "
        f"{signature['measure']['title']} on samples that had no part in the choice."
    ]


# ---------------------------------------------------------------- numbers


def _expected(folds: Sequence[FoldResult], record: RunRecord, measure: str) -> dict[str, Any]:
    values = [score.value for fold in folds if (score := fold.scores.get(measure)) is not None]
    return _interval([value for value in values if value is not None], record, measure)


def _interval(values: list[float], record: RunRecord, name: str) -> dict[str, Any]:
    """Mean of fold scores, its interval within the range of the measure, number of folds."""
    mean, *ends = mean_interval(values, record.test_train_ratio)
    measure = find_measure(name, record.kind)
    low, high = (end if end is None else min(max(end, measure.low), measure.high) for end in ends)
    return {"mean": mean, "low": low, "high": high, "n": len(values)}


def _size(
    place: int, record: RunRecord, folds: Sequence[FoldResult], measure: str
) -> dict[str, Any]:
    """Describe one size: its score on held-out rows and on the inner folds."""
    selections = [fold.selection for fold in folds if fold.selection is not None]
    outer = [value for one in selections if (value := one.outer[place]) is not None]
    inner = [selection.inner_means[place] for selection in selections]
    return {
        "size": selections[0].sizes[place],
        **_interval(outer, record, measure),
        "inner": float(np.mean(inner)),
    }


def _fold(fold: FoldResult, measure: str, names: Sequence[str]) -> dict[str, Any]:
    selection = fold.selection
    assert selection is not None
    place = selection.sizes.index(selection.k)
    score = fold.scores.get(measure)
    return {
        "name": fold.name,
        "k": selection.k,
        "inner": selection.inner_means[place],
        "outer": None if score is None else score.value,
        "members": [names[j] for j in selection.members],
    }


def _members(
    counts: np.ndarray[Any, Any], panel: Panel | None, names: Sequence[str]
) -> list[dict[str, Any]]:
    """List features by the number of folds that choose them, the panel's own first of equals."""
    own = () if panel is None else panel.selection.members
    place = {feature: rank for rank, feature in enumerate(own)}
    shown = [j for j in np.flatnonzero(counts > 0).tolist() if j not in place] + list(own)
    shown.sort(key=lambda j: (-counts[j], place.get(j, len(own)), j))
    kept = [j for rank, j in enumerate(shown) if rank < MOST_MEMBERS or j in place]
    return [{"name": names[j], "n": int(counts[j]), "in_panel": j in place} for j in kept]


def _stability(marked: np.ndarray[Any, Any]) -> dict[str, float] | None:
    """Nogueira's index of the chosen sets; None where it is undefined."""
    try:
        index, low, high = nogueira(marked)
    except ValueError:  # one fold, or sets of all features
        return None
    return {"index": index, "low": low, "high": high}


def _whole(record: RunRecord, comparison: Comparison | None, measure: str) -> dict[str, Any] | None:
    """Find the same model with all features in the comparison, and the test against it."""
    own = rows_of(comparison, record.hash).get(measure)
    if comparison is None or own is None:
        return None
    for row in comparison.rows:
        alike = (row.model, row.settings, row.train_size) == (own.model, "", own.train_size)
        if alike and row.measure == measure and row.mean is not None:
            return {
                "mean": row.mean,
                "low": row.ci_low,
                "high": row.ci_high,
                "test": find_test(comparison, own, row) if measure == comparison.measure else None,
            }
    return None


def _panel(
    panel: Panel, counts: np.ndarray[Any, Any], n_folds: int, names: Sequence[str]
) -> dict[str, Any]:
    members = panel.selection.members
    return {
        "k": panel.selection.k,
        "score": panel.score,
        "error": panel.error,
        "members": [
            {
                "name": names[member],
                "n": int(counts[member]),
                "share": float(counts[member] / n_folds),
                "substitutes": [
                    {
                        "name": names[one.feature],
                        "correlation": one.correlation,
                        "score": one.score,
                        "is_equal": one.is_equal,
                    }
                    for one in panel.substitutes
                    if one.member == member
                ],
            }
            for member in members
        ],
    }


# ---------------------------------------------------------------- words


def _say_score(signature: Mapping[str, Any]) -> list[str]:
    expected, title = signature["expected"], signature["measure"]["title"]
    said = []
    if expected["mean"] is not None:
        interval = (
            f" (95 % interval {format_interval(expected['low'], expected['high'])})"
            if expected["low"] is not None
            else ""
        )
        said.append(
            f"Choosing a panel like this one and predicting with it scores "
            f"{format_number(expected['mean'])} in {title} on samples that had no part in the "
            f"choice{interval}: that is what to expect of the panel below on new samples."
        )
    whole = signature["whole"]
    if whole is not None and expected["mean"] is not None:
        said.append(_compare_with_all(whole))
    return said


def _compare_with_all(whole: Mapping[str, Any]) -> str:
    score, test = format_number(whole["mean"]), whole["test"]
    if test is None:
        return f"With all features the same model scores {score}."
    interval = f"{format_number(test['low'])} to {format_number(test['high'])}"
    verdict = "no difference can be shown" if test["low"] <= 0 <= test["high"] else "they differ"
    return (
        f"With all features the same model scores {score}; panel minus all features is "
        f"{format_number(test['difference'])} (95 % interval {interval}): {verdict}."
    )


def _say_size(signature: Mapping[str, Any]) -> list[str]:
    taken = [entry for entry in signature["chosen"] if entry["n"]]
    sizes = [entry["size"] for entry in taken]
    often = max(taken, key=lambda entry: entry["n"])
    n_folds = signature["n_folds"]
    rule = (
        "the smallest size whose inner score is not worse than the best by more than one standard "
        "error"
        if signature["rule"] == "one_se"
        else "the size of the best inner score"
    )
    said = [
        f"Each fold ranked the features by {RANKINGS[signature['ranking']]}, on its training "
        f"samples alone, and took {rule}; the ranking was made anew inside each of "
        f"{count(signature['inner_folds'], 'inner fold')}."
    ]
    if len(taken) == 1:
        said.append(f"All {count(n_folds, 'fold')} chose {count(sizes[0], 'feature')}.")
    else:
        said.append(
            f"The folds chose {min(sizes)} to {max(sizes)} features, most often {often['size']} "
            f"({often['n']} of {n_folds})."
        )
    most = signature["chosen"][-1]
    if 2 * most["n"] >= n_folds and most["size"] < signature["n_features"]:
        said.append(
            f"{most['size']} is the largest size that was tried: larger ones (signature.sizes) may "
            "do better."
        )
    if 2 * often["n"] < n_folds:
        said.append("No size has half of the folds: the samples do not tell how many are needed.")
    return said


def _say_stability(signature: Mapping[str, Any]) -> list[str]:
    n_folds = signature["n_folds"]
    always = [entry["name"] for entry in signature["members"] if entry["n"] == n_folds]
    said = [
        f"{count(signature['n_ever'], 'feature')} were chosen in at least one of "
        f"{count(n_folds, 'fold')}, "
        + (f"{name_some(always, MOST_LISTED)} in every one." if always else "none in every one.")
    ]
    stability = signature["stability"]
    if stability is not None:
        said.append(
            f"Stability of the chosen sets {format_number(stability['index'])} (Nogueira; 95 % "
            f"interval {format_interval(stability['low'], stability['high'])}): 1 if all folds "
            f"chose the same features, 0 if they chose at random. {_judge(stability['index'])}"
        )
    return said


def _judge(index: float) -> str:
    """Read the index as Nogueira, Sechidis & Brown (2018) do: below 0.40 poor, above 0.75 good.

    Of the folds, not of new samples: training folds share most of theirs.
    """
    if index < POOR:
        return "That is poor: even folds that share most of their samples choose other members."
    if index <= EXCELLENT:
        return "That is fair: the leading members come again, the others change with the fold."
    return (
        "That is good: the folds choose nearly the same members. They share most of their samples; "
        "new ones may give other members."
    )


def _say_panel(signature: Mapping[str, Any]) -> list[str]:
    panel = signature["panel"]
    if panel is None:
        return ["The panel of all samples has not been chosen yet; the same command does it."]
    names = name_some([member["name"] for member in panel["members"]], MOST_LISTED)
    said = [f"The same procedure on all samples keeps {count(panel['k'], 'feature')}: {names}."]
    often = max(signature["chosen"], key=lambda entry: entry["n"])["size"]
    if often < panel["k"]:
        said.append(
            f"Most folds were content with {often}: the first {often} of these are that panel."
            if often > 1
            else "Most folds were content with one: the first of these."
        )
    rare = [member["name"] for member in panel["members"] if member["share"] < 0.5]
    if rare:
        said.append(
            f"Fewer than half of the folds chose {name_some(rare, MOST_LISTED)}."
            if len(rare) < len(panel["members"])
            else "Fewer than half of the folds chose any one of them."
        )
    equal = [
        (member["name"], one["name"])
        for member in panel["members"]
        for one in member["substitutes"]
        if one["is_equal"]
    ]
    if equal:
        pairs = join_words([f"{other} for {name}" for name, other in equal[:5]])
        more = f", and {len(equal) - 5} more" if len(equal) > 5 else ""
        said.append(
            f"Could stand in without loss: {pairs}{more}. Which of such twins leads is chance."
        )
    return said
