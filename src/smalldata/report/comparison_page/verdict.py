"""What the first screen of a comparison says: who leads, whether it is real, what to doubt.

Step in the line: plain dict of a comparison -> **sentences** (plain text).
"""

from collections.abc import Sequence
from typing import Any

from smalldata.report.comparison_page.consensus import clearly_better, leading_group, say_agreement
from smalldata.report.plain import (
    count,
    format_interval,
    format_number,
    format_p,
    join_words,
    sentence,
)
from smalldata.report.sections.scores_words import is_clear, say_task
from smalldata.report.sections.trust_doubts import ONE_STUDY, doubt_constants, doubt_size


def say_comparison(summary: dict[str, Any]) -> dict[str, list[str]]:
    """Say who leads, whether it is real, what the simple models say, and what to doubt."""
    group = leading_group(summary["cells"])
    ranked = sorted(
        (cell for cell in group if cell["rank"] is not None), key=lambda cell: cell["rank"]
    )
    return {
        "question": say_task(summary["task"]),
        "leader": _say_leader(summary, ranked),
        "baselines": _say_baselines(summary, ranked),
        "features": say_agreement(summary["agreement"]),
        "doubts": _say_doubts(summary, ranked),
    }


def _score(summary: dict[str, Any], cell: dict[str, Any]) -> dict[str, Any]:
    score: dict[str, Any] = cell["scores"][summary["measure"].name]
    return score


def _say_leader(summary: dict[str, Any], ranked: Sequence[dict[str, Any]]) -> list[str]:
    title = summary["measure"].title
    if not ranked:
        return ["No model has finished all its folds: there is no ranking."]
    best = ranked[0]
    score = _score(summary, best)
    joint = [cell["label"] for cell in ranked if cell["rank"] == best["rank"]]
    interval = (
        f" (95 % interval {format_interval(score['low'], score['high'])})"
        if score["low"] is not None and len(joint) == 1
        else ""
    )
    verb = "has" if len(joint) == 1 else "share"
    lead = f"{join_words(joint)} {verb} the best {title}: {format_number(score['mean'])}{interval}."
    if len(ranked) == 1:
        return [lead, "It is the only ranked model; there is nothing to compare it with."]
    subject = "It is" if len(joint) == 1 else "They are"
    distance = _say_distance(ranked[len(joint) :], subject=subject)
    return [lead, *distance, *_say_choice(summary, len(ranked))]


def _is_behind(cell: dict[str, Any]) -> bool:
    """Whether the difference to the best is clear, all pairs counted."""
    return cell["versus_best"] is not None and is_clear(cell["versus_best"])


def _say_distance(others: Sequence[dict[str, Any]], *, subject: str) -> list[str]:
    tied = [cell["label"] for cell in others if cell["tied"]]
    clear = [cell["label"] for cell in others if not cell["tied"] and _is_behind(cell)]
    unclear = [cell["label"] for cell in others if not cell["tied"] and not _is_behind(cell)]
    sentences = []
    if others and len(clear) == len(others):
        sentences.append(
            f"{subject} clearly ahead of every other model: no interval of a difference contains "
            "0, and every p-value is below 0.05 with all pairs counted (Holm)."
        )
        return sentences
    if tied:
        sentences.append(
            f"{subject} not clearly ahead of {join_words(tied)}: the interval of the difference "
            "contains 0."
        )
    if unclear:
        sentences.append(
            f"{join_words(unclear)} {'is' if len(unclear) == 1 else 'are'} behind, though not "
            "clearly once all pairs are counted (Holm)."
        )
    if clear:
        sentences.append(
            f"{join_words(clear)} {'is' if len(clear) == 1 else 'are'} clearly behind."
        )
    return sentences


def _say_choice(summary: dict[str, Any], n_ranked: int) -> list[str]:
    """Say what is left of the best score once the choice of the best is corrected for."""
    corrected = summary["best_corrected"]
    if not corrected or corrected.get("mean") is None:
        return []
    n_models = int(corrected.get("n_models", n_ranked))
    interval = format_interval(corrected.get("ci_low"), corrected.get("ci_high"))
    expected = f"{format_number(corrected['mean'])} ({interval})"
    best = corrected.get("uncorrected", corrected["mean"])
    change = corrected["mean"] - best
    worse = change < 0 if summary["measure"].better == "higher" else change > 0
    if worse and format_number(best) != format_number(corrected["mean"]):
        return [
            f"Picking the best of {n_models} flatters it; corrected for that, expect {expected}."
        ]
    return [
        f"Picking the best of {n_models} flatters by nothing that these folds show; corrected for "
        f"it, expect {expected}."
    ]


def _say_baselines(summary: dict[str, Any], ranked: Sequence[dict[str, Any]]) -> list[str]:
    """Say what dummy, the linear model and the neural network tell."""
    if not ranked:
        return []
    sentences = []
    dummy = next((cell for cell in ranked if cell["model"] == "dummy"), None)
    if dummy is None:
        sentences.append(
            "There is no dummy in this table: add model=dummy to see what guessing scores."
        )
    if len(ranked) == 1:
        return sentences
    if dummy is not None:
        sentences.append(_say_dummy(summary, dummy, ranked))
    linear = next((cell for cell in ranked if cell["model"] == "linear"), None)
    if linear is not None and linear["rank"] == 1:
        sentences.append("The linear model leads: nothing here calls for a more complex one.")
    elif linear is not None and linear["versus_best"] is not None:
        gap = linear["versus_best"]
        facts = f"difference {format_number(abs(gap.difference))}, {format_p(gap.p_holm)}"
        if linear["tied"]:
            sentences.append(
                "The linear model does as well as the best, as far as these folds can tell "
                f"({facts})."
            )
        elif is_clear(gap):
            sentences.append(f"The linear model is clearly behind the best ({facts}).")
        else:
            sentences.append(
                "The linear model is behind the best, though not clearly once all pairs are "
                f"counted ({facts})."
            )
    network = next((cell for cell in ranked if cell["model"] == "mlp"), None)
    others = [cell for cell in ranked if cell["model"] not in ("mlp", "dummy")]
    if network is not None and others:
        sentences.append(_say_network(summary, network, others))
    return sentences


def _say_dummy(
    summary: dict[str, Any], dummy: dict[str, Any], ranked: Sequence[dict[str, Any]]
) -> str:
    """Name the models clearly better than dummy, each by its own test against it."""
    score = format_number(_score(summary, dummy)["mean"])
    beaten_by = clearly_better(summary["tests"], dummy, better=summary["measure"].better)
    others = [cell["label"] for cell in ranked if cell["model"] != "dummy"]
    better = [label for label in others if label in beaten_by]
    if not better:
        return f"No model is clearly better than dummy, which ignores the features ({score})."
    told = "every other model" if len(better) == len(others) else join_words(better)
    verb = "is" if len(better) in (1, len(others)) else "are"
    return f"Ignoring the features (dummy) gives {score}; {told} {verb} clearly better."


def _say_network(
    summary: dict[str, Any], network: dict[str, Any], others: Sequence[dict[str, Any]]
) -> str:
    """Set the best network against the simpler models; dummy is none of them."""
    if network["rank"] == 1:
        if all(not cell["tied"] and _is_behind(cell) for cell in others):
            return "Deep learning (mlp) pays here: it is clearly ahead of every simpler model."
        return (
            "Deep learning (mlp) has the best mean here, but not clearly: see the simpler models."
        )
    score = format_number(_score(summary, network)["mean"])
    if network["tied"]:
        return f"Deep learning (mlp, {score}) keeps up with the best but does not beat it."
    clearly = "clearly " if _is_behind(network) else ""
    return f"Deep learning (mlp, {score}) does not pay here: it is {clearly}behind the best."


def _say_doubts(summary: dict[str, Any], ranked: Sequence[dict[str, Any]]) -> list[str]:
    doubts = []
    failed = [cell for cell in summary["cells"] if cell["status"] == "failed"]
    skipped = [cell for cell in summary["cells"] if cell["status"] == "skipped"]
    if failed:
        doubts.append(
            f"{join_words([cell['label'] for cell in failed])} did not finish and "
            f"{'is' if len(failed) == 1 else 'are'} not ranked."
        )
    if skipped:
        doubts.append(
            f"{join_words([cell['label'] for cell in skipped])} "
            f"{'was' if len(skipped) == 1 else 'were'} skipped "
            "(reasons in the table)."
        )
    optimistic = [cell["label"] for cell in ranked if cell["optimistic"]]
    if optimistic:
        doubts.append(
            f"{join_words(optimistic)}: optimistic, the settings were chosen by the folds that the "
            "score is measured on."
        )
    n_pairs = len(summary["tests"])
    if n_pairs > 1:
        doubts.append(
            f"{count(n_pairs, 'pair')} of models were tested; p-values are corrected for that "
            "(Holm)."
        )
    doubts += [*doubt_size(summary["task"]), *doubt_constants(summary["task"])]
    doubts += [sentence(text) for text in (*summary["task"].warnings, *summary["notes"])]
    return [*doubts, ONE_STUDY]
