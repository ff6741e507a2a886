"""Whether the models of a comparison lean on the same features, in plain numbers and in words.

Step in the line: cells of a comparison + Explanations -> **plain dict**, sentences. Which models
are good enough for their features to count is decided here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from smalldata.explanation.agreement import Agreement, ExplainedModel, agree
from smalldata.report.plain import join_words, name_some
from smalldata.report.sections.scores import Difference
from smalldata.report.sections.scores_words import is_clear
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation

MOST_FEATURES = 60
"""Rows of the table of features."""

FIRST_FEATURES = 15
"""Rows that are shown whether a model uses the feature or not: what comes near is worth a look."""

MOST_NAMED = 6
"""Features named in the sentence on what all good models use."""

MOST_OWN = 3
"""Features named of those that one model alone uses; also most models this is said of."""


def clearly_better(
    tests: Sequence[dict[str, Any]], cell: Mapping[str, Any], *, better: str
) -> set[str]:
    """Return the labels of the cells that are clearly better than one, all pairs counted."""
    sign = 1.0 if better == "higher" else -1.0
    winners = set()
    for test in tests:
        keys = ("difference", "low", "high", "p_holm")
        found = Difference(**{key: test[key] for key in keys}, rope=0.0)
        if test["train_size"] == cell["train_size"] and is_clear(found):
            ahead = sign * test["difference"] > 0
            winner, loser = ("first", "second") if ahead else ("second", "first")
            if test[loser] == cell["label"]:
                winners.add(str(test[winner]))
    return winners


def good_labels(
    cells: Sequence[Mapping[str, Any]], tests: Sequence[dict[str, Any]], *, better: str
) -> set[str]:
    """Return the labels of the cells that predict well enough for their features to count.

    A cell is good that is clearly better than dummy, or the best, or tied with the best. Where
    dummy itself is the best or tied with it, a tie is worth nothing: what a model leans on that
    tells no more than guessing is chance.

    Parameters
    ----------
    cells : sequence of mapping
        Of one train_size; those without a rank and dummy are never good.
    tests : sequence of mapping
        All pairs of the comparison.
    better : str
        Direction of the primary measure: higher or lower.
    """
    ranked = [cell for cell in cells if cell["rank"] is not None]
    dummies = [cell for cell in ranked if cell["model"] == "dummy"]
    beyond = set().union(*(clearly_better(tests, cell, better=better) for cell in dummies))
    guessing_leads = any(_is_at_the_top(cell) for cell in dummies)
    return {
        cell["label"]
        for cell in ranked
        if cell["model"] != "dummy"
        and (cell["label"] in beyond or (_is_at_the_top(cell) and not guessing_leads))
    }


def _is_at_the_top(cell: Mapping[str, Any]) -> bool:
    return bool(cell["rank"] == 1 or cell["tied"])


def summarize_agreement(
    cells: Sequence[dict[str, Any]],
    tests: Sequence[dict[str, Any]],
    explanations: Mapping[str, Explanation],
    nulls: Mapping[str, NullImportances] | None = None,
    *,
    better: str,
) -> dict[str, Any]:
    """Say which features all, some or single models use; empty where fewer than two can be asked.

    Parameters
    ----------
    cells : sequence of mapping
        All of the comparison, best first; those of the largest train_size are set side by side.
    tests : sequence of mapping
    explanations : mapping of str to Explanation
        By the hash of the cell.
    nulls : mapping of str to NullImportances, optional
        By the hash of the cell.
    better : str
        Direction of the primary measure.

    Returns
    -------
    dict
        ``labels``, ``cells`` (their positions), ``good``, ``n_good``, ``top``, ``pairs``,
        ``consensus``, ``own`` (per model the features that only it uses), ``nearest`` (the feature
        most good models use), ``features`` (the table), ``n_left_out``.
    """
    places = {cell["hash"]: place for place, cell in enumerate(cells)}
    group = leading_group(cells)
    good = good_labels(group, tests, better=better)
    explained: list[ExplainedModel] = []
    for cell in group:
        explanation = explanations.get(cell["hash"])
        # Cells of other blocks of one data set may stand beside each other in a table.
        if cell["rank"] is None or explanation is None or not explanation.values.any():
            continue
        usual = explained[0].explanation if explained else explanation
        if (explanation.feature_names, explanation.outputs) != (usual.feature_names, usual.outputs):
            continue
        explained.append(
            ExplainedModel(
                label=cell["label"],
                model=cell["model"],
                good=cell["label"] in good,
                explanation=explanation,
                null=(nulls or {}).get(cell["hash"]),
            )
        )
    if len(explained) < 2:
        return {}
    by_label = {cell["label"]: places[cell["hash"]] for cell in group}
    found = _describe(agree(explained), by_label)
    return found | {
        "has_null": any(entry.null is not None and entry.null.enough for entry in explained)
    }


def leading_group(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the cells of all samples, or where none of them has a rank of the largest subset."""
    full = [cell for cell in cells if cell["train_size"] is None]
    if any(cell["rank"] is not None for cell in full):
        return full
    largest = max((cell["train_size"] or 0 for cell in cells), default=0)
    return [cell for cell in cells if cell["train_size"] == largest]


def _describe(agreement: Agreement, places: Mapping[str, int]) -> dict[str, Any]:
    own: dict[str, list[str]] = {}
    for use in sorted(agreement.features, key=lambda use: -max(use.shares)):
        sole = agreement.sole_user(use)
        if sole is not None:
            own.setdefault(sole, []).append(use.name)
    consensus = [use.name for use in agreement.consensus]
    counted = agreement.good or range(len(agreement.labels))
    used = [use for use in agreement.features if use.users]
    shown = [
        use for place, use in enumerate(agreement.features) if use.users or place < FIRST_FEATURES
    ]
    nearest = max(used, key=agreement.count_voices, default=None)
    order = list(dict.fromkeys(agreement.models[m] for m in agreement.good))
    return {
        "top": agreement.top_k,
        "labels": list(agreement.labels),
        "cells": [places[label] for label in agreement.labels],
        "good": [m in agreement.good for m in range(len(agreement.labels))],
        "n_good": agreement.n_voices,
        "good_models": order,
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "overlap": pair.overlap,
                "correlation": pair.correlation,
                "low": pair.low,
                "high": pair.high,
                "n_rows": pair.n_rows,
            }
            for pair in agreement.pairs
        ],
        "consensus": consensus,
        "own": [{"model": model, "features": own[model]} for model in order if model in own],
        "nearest": None
        if nearest is None
        else {"name": nearest.name, "n": agreement.count_voices(nearest)},
        "features": [
            {
                "name": use.name,
                "share": sum(use.shares[m] for m in counted) / len(counted),
                "places": list(use.places),
                "frequencies": list(use.frequencies),
                "used": [m in use.users for m in range(len(agreement.labels))],
                "n_good": agreement.count_voices(use),
                "in_all": use.name in consensus,
                "only": agreement.sole_user(use),
            }
            for use in shown[:MOST_FEATURES]
        ],
        "n_left_out": max(0, len(shown) - MOST_FEATURES),
    }


# ---------------------------------------------------------------- words


def say_agreement(found: Mapping[str, Any]) -> list[str]:
    """Say what all good models lean on, what one alone does, and how alike the rankings are."""
    if not found:
        return []
    n_good = found["n_good"]
    if n_good == 0:
        return ["No explained model predicts well enough for its features to count."]
    if n_good == 1:
        return [
            f"Of the explained models only {found['good_models'][0]} predicts well enough for "
            "its features to count."
        ]
    all_models = "both" if n_good == 2 else f"all {n_good}"
    sentences = []
    if found["consensus"]:
        names = name_some(found["consensus"], MOST_NAMED)
        sentences.append(f"{all_models.capitalize()} good models lean on {names}.")
    elif found["nearest"] is not None and found["nearest"]["n"] > 1:
        nearest = found["nearest"]
        sentences.append(
            f"No feature carries {all_models} good models; {nearest['name']} comes nearest, "
            f"in {nearest['n']}."
        )
    else:
        sentences.append(
            f"The {n_good} good models share no leading feature: each goes its own way."
        )
    sentences += _say_own(found["own"])
    return sentences + _say_overlap(found)


def _say_own(own: Sequence[Mapping[str, Any]]) -> list[str]:
    if not own:
        return []
    if len(own) > MOST_OWN:
        models = join_words([entry["model"] for entry in own])
        return [f"{models} each lean on features that no other good model uses: see the table."]
    used = [(entry["model"], name_some(entry["features"], MOST_OWN)) for entry in own]
    others = [f"; only {model} on {features}" for model, features in used[1:]]
    return [f"Only {used[0][0]} leans on {used[0][1]}{''.join(others)}."]


def _say_overlap(found: Mapping[str, Any]) -> list[str]:
    """Name the pairs of good models whose rankings are most and least alike."""
    labels, good = found["labels"], found["good"]
    pairs = [pair for pair in found["pairs"] if good[pair["first"]] and good[pair["second"]]]
    if not pairs:
        return []
    pairs.sort(key=lambda pair: -pair["overlap"])
    most, least = pairs[0], pairs[-1]

    def named(pair: Mapping[str, Any]) -> str:
        return f"{labels[pair['first']]} and {labels[pair['second']]}"

    if len(pairs) == 1:
        return [f"Their rankings overlap by {most['overlap']:.2f} (1: the same)."]
    return [
        f"The rankings of {named(most)} are most alike (overlap {most['overlap']:.2f}; "
        f"1: the same), those of {named(least)} least ({least['overlap']:.2f})."
    ]
