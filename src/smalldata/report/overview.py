"""A comparison in plain numbers and words: who leads, whether that is real, and what every model leans on.

Step in the line: Comparison + RunRecords + Task (+ Explanations) -> **plain dict** -> figures -> HTML.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from smalldata.measures import measures_for
from smalldata.report.outcomes import (
    calibration,
    curve_outputs,
    pool_repeats,
    roc_curves,
)
from smalldata.report.plain import count, format_interval, format_number, format_p, join_words, plain
from smalldata.report.summarize import describe_measure, find_test, summarize_task
from smalldata.results import Comparison, ComparisonRow, Explanation, RunRecord
from smalldata.task import Task

N_DRAWN = 7
"""Most models whose curves share a figure: the best ones."""

N_SHARED_FEATURES = 25
"""Rows of the table of features that several models lean on."""

SIGNIFICANT = 0.05


def summarize_comparison(
    comparison: Comparison,
    records: Sequence[RunRecord],
    task: Task,
    explanations: Mapping[str, Explanation] | None = None,
) -> dict[str, Any]:
    """Describe a comparison with Python scalars, lists and dicts alone.

    Parameters
    ----------
    comparison : Comparison
    records : sequence of RunRecord
        The cells of the table, in any order.
    task : Task
    explanations : mapping of str to Explanation, optional
        By the hash of the cell.
    """
    names = [measure.name for measure in measures_for(comparison.kind)]
    names.sort(key=lambda name: name != comparison.measure)
    by_hash = {record.hash: record for record in records}
    order = list(dict.fromkeys(row.hash for row in comparison.rows))
    cells = [_cell(comparison, key, names, by_hash.get(key)) for key in order]
    ranked = [cell for cell in cells if cell["rank"] is not None]
    sizes = sorted({cell["train_size"] for cell in cells if cell["train_size"] is not None})
    summary: dict[str, Any] = {
        "task": summarize_task(task),
        "dataset": comparison.dataset,
        "cv": comparison.cv,
        "measure": describe_measure(comparison.measure, comparison.kind),
        "measures": [describe_measure(name, comparison.kind) for name in names],
        "n_folds": comparison.n_folds,
        "cells": cells,
        "tests": _tests(comparison, cells),
        "best_corrected": plain(comparison.best_corrected),
        "sizes": sizes,
        "notes": [str(note) for note in comparison.notes],
        "environment": sorted(
            (str(key), str(value)) for key, value in comparison.environment.items()
        ),
        "fold_scores": _fold_scores(cells, by_hash, names),
        "curves": _curves(task, ranked, by_hash),
        "shared": _shared_features(ranked, explanations or {}),
        "splits_key": comparison.splits_key,
    }
    summary["words"] = say_comparison(summary)
    return summary


def _cell(
    comparison: Comparison, key: str, names: Sequence[str], record: RunRecord | None
) -> dict[str, Any]:
    rows = {row.measure: row for row in comparison.rows if row.hash == key}
    own = rows.get(comparison.measure) or next(iter(rows.values()))
    seconds = {
        "tune": own.tune_seconds,
        "fit": own.fit_seconds,
        "predict": own.predict_seconds,
        "explain": own.explain_seconds,
    }
    best = _best(comparison, own)
    versus = None
    if best is not None and best.hash != own.hash and own.rank is not None:
        versus = find_test(comparison, own, best)
    label = f"{own.model} ({own.settings})" if own.settings else own.model
    if own.train_size is not None:
        label = f"{label}, {own.train_size} samples"
    return {
        "hash": key,
        "model": own.model,
        "settings": own.settings,
        "label": label,
        "train_size": own.train_size,
        "href": f"{own.model}-{key}/report.html",
        "has_report": record is not None and record.status != "skipped",
        "rank": own.rank,
        "tied": own.tied_with_best,
        "status": own.status,
        "reason": own.reason,
        "n_ok": own.n_ok,
        "n_failed": own.n_failed,
        "optimistic": own.optimistic,
        "seconds": seconds,
        "total_seconds": sum(value for value in seconds.values() if value is not None),
        "scores": {
            name: {"mean": rows[name].mean, "low": rows[name].ci_low, "high": rows[name].ci_high}
            for name in names
            if name in rows
        },
        "versus_best": versus,
    }


def _best(comparison: Comparison, own: ComparisonRow) -> ComparisonRow | None:
    peers = [
        row
        for row in comparison.rows
        if row.measure == comparison.measure
        and row.train_size == own.train_size
        and row.rank is not None
    ]
    return min(peers, key=lambda row: row.rank or 0, default=None)


def _tests(comparison: Comparison, cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All pairwise tests, with the labels of the table."""
    names = {
        name: cell["label"]
        for cell in cells
        for name in (cell["hash"], f"{cell['model']}-{cell['hash']}")
    }
    return [
        {
            "first": names.get(test.first, test.first),
            "second": names.get(test.second, test.second),
            "train_size": test.train_size,
            "difference": test.difference,
            "low": test.ci_low,
            "high": test.ci_high,
            "p": test.p,
            "p_holm": test.p_holm,
            "p_first": test.p_first_better,
            "p_equal": test.p_equal,
            "p_second": test.p_second_better,
            "rope": test.rope,
            "real": test.p_holm < SIGNIFICANT,
        }
        for test in comparison.tests
    ]


def _fold_scores(
    cells: Sequence[dict[str, Any]], by_hash: Mapping[str, RunRecord], names: Sequence[str]
) -> list[dict[str, Any]]:
    rows = []
    for position, cell in enumerate(cells):
        record = by_hash.get(cell["hash"])
        for fold in record.folds if record is not None else ():
            for m, name in enumerate(names):
                score = fold.scores.get(name)
                if fold.status == "ok" and score is not None and score.value is not None:
                    rows.append(
                        {
                            "c": position,
                            "m": m,
                            "repeat": fold.repeat,
                            "fold": fold.fold,
                            "value": float(f"{score.value:.5g}"),
                        }
                    )
    return rows


def _curves(
    task: Task, ranked: Sequence[dict[str, Any]], by_hash: Mapping[str, RunRecord]
) -> dict[str, Any]:
    """Mean ROC curve and calibration per model and class, of the best models with probabilities."""
    if not task.kind.is_classification:
        return {}
    drawn = []
    for cell in ranked:
        record = by_hash.get(cell["hash"])
        repeats = [] if record is None else pool_repeats(record.folds)
        if repeats and all(repeat.probabilities is not None for repeat in repeats):
            drawn.append((cell, repeats))
    outputs = curve_outputs(task)
    return {
        "outputs": [task.classes[code] for code in outputs],
        "labels": [cell["label"] for cell, _ in drawn[:N_DRAWN]],
        "n_left_out": max(0, len(drawn) - N_DRAWN),
        "roc": [
            {"c": c, "k": k, **point}
            for c, (_, repeats) in enumerate(drawn[:N_DRAWN])
            for k, code in enumerate(outputs)
            for point in roc_curves(repeats, code)["mean"]
        ],
        "calibration": [
            {"c": c, "k": k, **point}
            for c, (_, repeats) in enumerate(drawn[:N_DRAWN])
            for k, code in enumerate(outputs)
            for point in calibration(repeats, code)["pooled"]
        ],
    }


def _shared_features(
    ranked: Sequence[dict[str, Any]], explanations: Mapping[str, Explanation]
) -> dict[str, Any]:
    """Rank of each leading feature in every explained model, by its mean share of |phi|."""
    explained = [cell for cell in ranked if cell["hash"] in explanations]
    shares = {}
    for cell in explained:
        explanation = explanations[cell["hash"]]
        mean = np.abs(explanation.values).mean(axis=(0, 2), dtype=np.float64)
        if mean.sum() > 0:
            shares[cell["hash"]] = mean / mean.sum()
    explained = [cell for cell in explained if cell["hash"] in shares]
    if len(explained) < 2:
        return {}
    names = explanations[explained[0]["hash"]].feature_names
    matrix = np.stack([shares[cell["hash"]] for cell in explained])
    places = np.argsort(np.argsort(-matrix, axis=1, kind="stable"), axis=1, kind="stable") + 1
    leading = np.argsort(-matrix.mean(axis=0), kind="stable")[:N_SHARED_FEATURES]
    top = min(10, max(1, len(names) // 3))
    rows = []
    for j in leading:
        inside = [bool(value) for value in (places[:, j] <= top) & (matrix[:, j] > 0)]
        rows.append(
            {
                "name": str(names[j]),
                "share": float(matrix[:, j].mean()),
                "places": [int(value) for value in places[:, j]],
                "shares": [float(value) for value in matrix[:, j]],
                "n_top": sum(inside),
            }
        )
    return {"top": top, "labels": [cell["label"] for cell in explained], "features": rows}


# ---------------------------------------------------------------- words


def say_comparison(summary: dict[str, Any]) -> dict[str, list[str]]:
    """Say who leads, whether it is real, what the simple models say, and what to doubt."""
    largest = summary["sizes"][-1] if summary["sizes"] else None
    full = [cell for cell in summary["cells"] if cell["train_size"] is None]
    group = full if any(cell["rank"] is not None for cell in full) else [
        cell for cell in summary["cells"] if cell["train_size"] == largest
    ]
    ranked = sorted(
        (cell for cell in group if cell["rank"] is not None), key=lambda cell: cell["rank"]
    )
    return {
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
        sentences.append("It is ahead of every other model: no interval of a difference to it contains 0.")
    else:
        sentences.append(
            f"It is not clearly ahead of {join_words(tied)}: the interval of the difference contains 0."
        )
        if behind:
            verb = "is" if len(behind) == 1 else "are"
            sentences.append(f"{join_words(behind)} {verb} clearly behind.")
    corrected = summary["best_corrected"]
    if corrected and corrected.get("mean") is not None:
        sentences.append(
            f"Picking the best of {int(corrected.get('n_models', len(ranked)))} flatters it; corrected for that, "
            f"expect {format_number(corrected['mean'])} "
            f"({format_interval(corrected.get('ci_low'), corrected.get('ci_high'))})."
        )
    return sentences


def _say_baselines(summary: dict[str, Any], ranked: Sequence[dict[str, Any]]) -> list[str]:
    """What dummy, the linear model and the neural network say about the question of the project."""
    if not ranked:
        return []
    sentences = []
    dummy = next((cell for cell in ranked if cell["model"] == "dummy"), None)
    if dummy is None:
        sentences.append("There is no dummy in this table: add model=dummy to see what guessing scores.")
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
                f"The linear model does as well as the best, as far as these folds can tell ({facts})."
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
            return "Deep learning (mlp) has the best mean here, but not clearly: simpler models are tied with it."
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
            f"{join_words(everywhere[:6])} {'is' if len(everywhere) == 1 else 'are'} among the first {shared['top']} "
            f"of all {n_models} explained models."
        ]
    most = max(shared["features"], key=lambda entry: entry["n_top"])
    return [
        f"No feature is among the first {shared['top']} of all {n_models} explained models; {most['name']} comes nearest, "
        f"in {most['n_top']}."
    ]


def _say_doubts(summary: dict[str, Any], ranked: Sequence[dict[str, Any]]) -> list[str]:
    from smalldata.report.wording import doubt_size

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
            f"{join_words([cell['label'] for cell in skipped])} {'was' if len(skipped) == 1 else 'were'} skipped "
            "(reasons in the table)."
        )
    optimistic = [cell["label"] for cell in ranked if cell["optimistic"]]
    if optimistic:
        doubts.append(
            f"{join_words(optimistic)}: optimistic, the settings were chosen by the folds that the score is measured on."
        )
    n_pairs = len(summary["tests"])
    if n_pairs > 1:
        doubts.append(
            f"{count(n_pairs, 'pair')} of models were tested; p-values are corrected for that (Holm)."
        )
    doubts += doubt_size(summary["task"])
    doubts += [f"{text.rstrip('.')}." for text in (*summary["task"]["warnings"], *summary["notes"])]
    return doubts
