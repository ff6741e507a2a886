"""What the first screen of a comparison says: who leads, whether it is real, what to doubt.

Step in the line: plain dict of a comparison -> **sentences** (plain text).
"""

from collections.abc import Sequence
from typing import Any

from smalldata.report.plain import (
    count,
    format_interval,
    format_number,
    format_p,
    join_words,
    sentence,
)
from smalldata.report.wording import ONE_STUDY, doubt_size, say_task


def say_comparison(summary: dict[str, Any]) -> dict[str, list[str]]:
    """Say who leads, whether it is real, what the simple models say, and what to doubt."""
    largest = summary["sizes"][-1] if summary["sizes"] else None
    full = [cell for cell in summary["cells"] if cell["train_size"] is None]
    group = (
        full
        if any(cell["rank"] is not None for cell in full)
        else [cell for cell in summary["cells"] if cell["train_size"] == largest]
    )
    ranked = sorted(
        (cell for cell in group if cell["rank"] is not None), key=lambda cell: cell["rank"]
    )
    return {
        "question": say_task(summary["task"]),
        "leader": _say_leader(summary, ranked),
        "baselines": _say_baselines(summary, ranked),
        "features": _say_shared(summary["shared"]),
        "doubts": _say_doubts(summary, ranked),
    }


def _score(summary: dict[str, Any], cell: dict[str, Any]) -> dict[str, Any]:
    score: dict[str, Any] = cell["scores"][summary["measure"]["name"]]
    return score


def _say_leader(summary: dict[str, Any], ranked: Sequence[dict[str, Any]]) -> list[str]:
    title = summary["measure"]["title"]
    if not ranked:
        return ["No model has finished all its folds: there is no ranking."]
    best = ranked[0]
    score = _score(summary, best)
    interval = (
        f" (95 % interval {format_interval(score['low'], score['high'])})"
        if score["low"] is not None
        else ""
    )
    lead = f"{best['label']} has the best {title}: {format_number(score['mean'])}{interval}."
    if len(ranked) == 1:
        return [lead, "It is the only ranked model; there is nothing to compare it with."]
    tied = [cell["label"] for cell in ranked[1:] if cell["tied"]]
    behind = [cell["label"] for cell in ranked[1:] if not cell["tied"]]
    sentences = [lead]
    if not tied:
        sentences.append(
            "It is ahead of every other model: no interval of a difference to it contains 0."
        )
    else:
        sentences.append(
            f"It is not clearly ahead of {join_words(tied)}: the interval of the difference "
            "contains 0."
        )
        if behind:
            verb = "is" if len(behind) == 1 else "are"
            sentences.append(f"{join_words(behind)} {verb} clearly behind.")
    corrected = summary["best_corrected"]
    if corrected and corrected.get("mean") is not None:
        sentences.append(
            f"Picking the best of {int(corrected.get('n_models', len(ranked)))} flatters it; "
            "corrected for that, "
            f"expect {format_number(corrected['mean'])} "
            f"({format_interval(corrected.get('ci_low'), corrected.get('ci_high'))})."
        )
    return sentences


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
    elif dummy["rank"] == 1 or dummy["tied"]:
        sentences.append("No model is clearly better than dummy, which ignores the features.")
    else:
        sentences.append(
            f"Ignoring the features (dummy) gives {format_number(_score(summary, dummy)['mean'])}."
        )
    linear = next((cell for cell in ranked if cell["model"] == "linear"), None)
    if linear is not None and linear["rank"] == 1:
        sentences.append("The linear model leads: nothing here calls for a more complex one.")
    elif linear is not None and linear["versus_best"] is not None:
        gap = linear["versus_best"]
        facts = f"difference {format_number(abs(gap['difference']))}, {format_p(gap['p_holm'])}"
        if linear["tied"]:
            sentences.append(
                "The linear model does as well as the best, as far as these folds can tell "
                f"({facts})."
            )
        else:
            sentences.append(f"The linear model is clearly behind the best ({facts}).")
    network = next((cell for cell in ranked if cell["model"] == "mlp"), None)
    if network is not None:
        sentences.append(_say_network(summary, network, ranked))
    return sentences


def _say_network(
    summary: dict[str, Any], network: dict[str, Any], ranked: Sequence[dict[str, Any]]
) -> str:
    if network["rank"] == 1:
        others = [cell for cell in ranked[1:] if cell["tied"]]
        if others:
            return (
                "Deep learning (mlp) has the best mean here, but not clearly: simpler models "
                "are tied with it."
            )
        return "Deep learning (mlp) pays here: it is clearly ahead of every other model."
    score = format_number(_score(summary, network)["mean"])
    if network["tied"]:
        return f"Deep learning (mlp, {score}) keeps up with the best but does not beat it."
    return f"Deep learning (mlp, {score}) does not pay here: it is clearly behind the best."


def _say_shared(shared: dict[str, Any]) -> list[str]:
    if not shared:
        return []
    n_models = len(shared["labels"])
    everywhere = [entry["name"] for entry in shared["features"] if entry["n_top"] == n_models]
    if everywhere:
        return [
            f"{join_words(everywhere[:6])} {'is' if len(everywhere) == 1 else 'are'} among the "
            f"first {shared['top']} "
            f"of all {n_models} explained models."
        ]
    most = max(shared["features"], key=lambda entry: entry["n_top"])
    if most["n_top"] < 2:
        return [
            f"The {n_models} explained models share no feature among their first {shared['top']}: "
            "each goes its own way."
        ]
    return [
        f"No feature is among the first {shared['top']} of all {n_models} explained models; "
        f"{most['name']} comes nearest, "
        f"in {most['n_top']}."
    ]


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
    doubts += doubt_size(summary["task"])
    doubts += [sentence(text) for text in (*summary["task"]["warnings"], *summary["notes"])]
    return [*doubts, ONE_STUDY]
