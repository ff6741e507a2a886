"""The tuning of one cell in plain numbers: values chosen, trials, importances, optimism.

Step in the line: RunRecord + CellTrials -> **plain dict** -> figures -> HTML. An untuned cell has
none of it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from smalldata.comparison.tuning_summary import (
    CellTrials,
    Dimension,
    TunedFold,
    agreeing_share,
    dimensions,
    judge_agreement,
    tuned_folds,
)
from smalldata.report.plain import count, round_significant
from smalldata.report.sections.scores import describe_measure, mean_interval
from smalldata.results.record import RunRecord

MOST_TRIALS = 2500
"""Trials that are drawn and listed; of more, those of the first outer folds."""


def summarize_tuning(record: RunRecord, trials: CellTrials | None) -> dict[str, Any] | None:
    """Describe the tuning of a cell; None where it was not tuned or its trials are not known.

    Returns
    -------
    dict
        ``measure``, ``settings``, ``n_inner`` (inner folds that were scored), ``counts`` (trials by
        state), ``failures``, ``seconds``, ``optimism``, ``parameters`` (per hyperparameter: range,
        ticks, choice, agreement, importance), ``folds`` (per outer fold: choice, inner and outer
        score), ``trials``, ``importance``.
    """
    space = dimensions(record)
    if trials is None or not space:
        return None
    folds = tuned_folds(record, trials)
    if not folds:
        return None
    rows = trials.rows()
    tuning = record.identity["tuning"]
    stored = trials.importances or {}
    used = [fold for fold in folds if fold.chosen is not None]
    failures = Counter(row["reason"] for row in rows if row["state"] == "failed")
    return {
        "measure": asdict(describe_measure(trials.measure, record.kind)),
        "settings": {
            key: tuning.get(key)
            for key in ("trials", "inner_folds", "inner_repeats", "sampler", "timeout")
        },
        "n_inner": _inner_folds(trials),
        "n_folds": len(folds),
        "n_untuned": len(folds) - len(used),
        "counts": {
            state: sum(row["state"] == state for row in rows)
            for state in ("ok", "pruned", "failed")
        },
        "n_trials": len(rows),
        "per_fold": sorted({sum(fold.counts.values()) for fold in used}),
        "failures": [{"reason": text, "n": n} for text, n in failures.most_common(3)],
        "fits": dict(record.tuning),
        "seconds": sum(fold.seconds for fold in folds),
        "optimism": summarize_optimism(record, folds),
        "parameters": [_parameter(one, used, stored) for one in space],
        "folds": [_fold(fold, space) for fold in folds],
        "trials": _trials(rows, folds, space, record),
        "importance": _importance(stored, len(folds)),
    }


def _inner_folds(trials: CellTrials) -> list[int]:
    """List how many inner folds, those of all repeats together, have scores: over outer folds."""
    names = [name for name in trials.columns if name.startswith("inner_")]
    met: dict[tuple[int, int], set[str]] = {}
    for row in trials.rows():
        found = met.setdefault((row["repeat"], row["fold"]), set())
        found.update(name for name in names if row[name] is not None)
    return sorted({len(found) for found in met.values() if found})


def summarize_optimism(record: RunRecord, folds: Sequence[TunedFold]) -> dict[str, Any]:
    """Mean inner and outer score of the folds that have both, and the optimism between them."""
    both = [fold for fold in folds if fold.optimism is not None]
    values = [fold.optimism for fold in both if fold.optimism is not None]
    mean, low, high = mean_interval(values, record.test_train_ratio)
    return {
        "mean": mean,
        "low": low,
        "high": high,
        "inner": float(np.mean([fold.inner for fold in both])) if both else None,
        "outer": float(np.mean([fold.outer for fold in both])) if both else None,
        "n": len(both),
    }


def outline_tuning(record: RunRecord, trials: CellTrials | None) -> dict[str, Any] | None:
    """Describe a tuned cell for a table of several models: its trials and its optimism."""
    if not record.identity.get("tuning") or trials is None:
        return None
    folds = tuned_folds(record, trials)
    used = [sum(fold.counts.values()) for fold in folds if fold.chosen is not None]
    if not used:
        return None
    return {
        "fewest": min(used),
        "most": max(used),
        "measure": describe_measure(trials.measure, record.kind).title,
        **summarize_optimism(record, folds),
    }


# ---------------------------------------------------------------- hyperparameters


def _parameter(
    dimension: Dimension, folds: Sequence[TunedFold], stored: Mapping[str, Any]
) -> dict[str, Any]:
    values = [fold.values[dimension.name] for fold in folds]
    share = agreeing_share(dimension, values) if values else 0.0
    known = () if dimension.is_path else stored.get("shares", {}).values()
    shares = [found[dimension.name] for found in known]
    return {
        "name": dimension.name,
        "kind": dimension.kind,
        "log": dimension.log,
        "is_path": dimension.is_path,
        "searched": _searched(dimension),
        "range": _range(dimension),
        "ticks": _ticks(dimension),
        "default": {
            "at": dimension.position(dimension.default),
            "text": write_value(dimension.default),
        },
        "chosen": _chosen(dimension, values),
        "agreeing": share,
        "n_agreeing": round(share * len(values)),
        "agreement": judge_agreement(share, len(values)),
        "importance": None
        if not shares
        else {
            "mean": float(np.mean(shares)),
            "low": float(np.percentile(shares, 10)),
            "high": float(np.percentile(shares, 90)),
        },
    }


def write_value(value: Any) -> str:
    """Write a value of a hyperparameter: three significant digits, whole numbers in full.

    Example
    -------
    >>> write_value(0.0123456), write_value(300), write_value(None), write_value("rbf")
    ('0.0123', '300', '–', 'rbf')
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def _searched(dimension: Dimension) -> str:
    if dimension.kind == "categorical":
        return ", ".join(str(choice) for choice in dimension.choices)
    return f"{_range(dimension)}{', log scale' if dimension.log else ''}"


def _range(dimension: Dimension) -> str:
    if dimension.kind == "categorical":
        return count(len(dimension.choices), "choice")
    return f"{_number(dimension, dimension.low)} to {_number(dimension, dimension.high)}"


def _ticks(dimension: Dimension) -> list[dict[str, Any]]:
    """Both ends of a number, all choices of a category."""
    if dimension.kind == "categorical":
        return [
            {"at": dimension.position(choice), "text": str(choice)} for choice in dimension.choices
        ]
    return [
        {"at": at, "text": _number(dimension, end)}
        for at, end in ((0.0, dimension.low), (1.0, dimension.high))
    ]


def _number(dimension: Dimension, value: Any) -> str:
    return str(int(value)) if dimension.kind == "int" else write_value(float(value))


def _chosen(dimension: Dimension, values: Sequence[Any]) -> str:
    """Write what was chosen: each category with its folds, a number as median and ends."""
    if not values:
        return "–"
    if dimension.kind == "categorical":
        counts = Counter(str(value) for value in values).most_common()
        if len(counts) == 1:
            return counts[0][0]
        return ", ".join(f"{name} ({n})" for name, n in counts)
    low, high = min(values), max(values)
    if low == high:
        return _number(dimension, low)
    middle = float(np.median(values))
    median = f"{middle:g}" if dimension.kind == "int" else write_value(middle)
    return f"{_number(dimension, low)} to {_number(dimension, high)}, median {median}"


# ---------------------------------------------------------------- folds and trials


def _fold(fold: TunedFold, space: Sequence[Dimension]) -> dict[str, Any]:
    return {
        "name": fold.name,
        "trial": fold.chosen,
        "n_trials": sum(fold.counts.values()),
        "counts": {state: fold.counts.get(state, 0) for state in ("ok", "pruned", "failed")},
        "seconds": fold.seconds,
        "inner": fold.inner,
        "outer": fold.outer,
        "optimism": fold.optimism,
        "values": [
            {
                "at": None if fold.chosen is None else one.position(fold.values[one.name]),
                "text": write_value(fold.values[one.name]),
            }
            for one in space
        ],
    }


def _trials(
    rows: Sequence[dict[str, Any]],
    folds: Sequence[TunedFold],
    space: Sequence[Dimension],
    record: RunRecord,
) -> dict[str, Any]:
    """Trials of the finished folds: where each value lies, the best scores last."""
    places = {(fold.repeat, fold.fold): position for position, fold in enumerate(folds)}
    listed: list[dict[str, Any]] = []
    n_folds = 0
    for key, position in places.items():
        own = [row for row in rows if (row["repeat"], row["fold"]) == key]
        if listed and len(listed) + len(own) > MOST_TRIALS:
            break
        n_folds = position + 1
        for row in own:
            values = [_stored_value(one, row.get(f"value_{one.name}")) for one in space]
            listed.append(
                {
                    "fold": position,
                    "trial": row["trial"],
                    "state": row["state"],
                    "chosen": bool(row["chosen"]),
                    "score": None if row["score"] is None else round_significant(row["score"], 5),
                    "values": values,
                    "at": [one.position(value) for one, value in zip(space, values, strict=True)],
                }
            )
    return {"rows": listed, "n_folds": n_folds}


def _stored_value(dimension: Dimension, value: Any) -> Any:
    """Round a number; a column with gaps holds whole numbers as floats."""
    if not isinstance(value, float):
        return value
    return int(value) if dimension.kind == "int" else round_significant(value, 4)


def _importance(stored: Mapping[str, Any], n_folds: int) -> dict[str, Any]:
    """How many folds have importances, and the commonest reason where one has none."""
    shares, reasons = stored.get("shares", {}), stored.get("reasons", {})
    common = Counter(reasons.values()).most_common(1)
    return {
        "n_known": len(shares),
        "n_asked": stored.get("n_asked", 0),
        "n_folds": n_folds,
        "reason": common[0][0] if common else "they are not stored with the trials",
    }
