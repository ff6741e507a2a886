"""An Explanation in plain numbers: how much each feature counts and how sure that is.

Step in the line: Explanation + Task -> **plain dict** -> figures. Every row was explained by a
model that never saw it; where a sample was explained in several repeats, the figures show its mean.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.report.plain import round_significant
from smalldata.results import Explanation
from smalldata.task import Task

N_TABLE = 500
"""Most rows of the feature table."""

N_BEESWARM = 20
"""Features of the importance bars and of the beeswarm."""

N_PLOTTED = 200
"""Most features kept sample by sample where not all can be."""

MAX_CELLS = 60_000
"""Most Shapley values in one report; above it features are cut, never samples."""


def summarize_explanation(task: Task, explanation: Explanation) -> dict[str, Any]:
    """Say what an explanation holds, as Python scalars and lists.

    Parameters
    ----------
    task : Task
        The task that was explained.
    explanation : Explanation

    Returns
    -------
    dict
        ``features`` (the table, most important first), ``kept`` (names of the features drawn sample
        by sample, in order of importance), ``phi`` (n_outputs x n_kept x n_samples, None where a
        sample was not explained), ``rest`` (sum of the features not kept), ``order`` (per output,
        positions in ``kept`` by importance), ``importance``, ``blocks`` and what is known of the
        accuracy of the values.
    """
    magnitude = np.abs(explanation.values)
    fold_means = _fold_means(magnitude, explanation)
    per_output = magnitude.mean(axis=0, dtype=np.float64)
    overall = per_output.mean(axis=1)
    ranking = np.argsort(-overall, kind="stable")
    kept = _kept(ranking, per_output, task.n_samples)
    table = ranking[:N_TABLE]
    fold_overall = fold_means.mean(axis=2)
    top_k = max(1, min(10, task.n_features // 3))
    frequency = _top_frequency(fold_overall, top_k)
    direction = _directions(task, explanation, table)
    total = float(overall.sum())
    low, high = np.quantile(fold_overall, [0.1, 0.9], axis=0)
    spread = fold_overall.std(axis=0, ddof=1) if len(fold_overall) > 1 else np.zeros_like(overall)
    names = explanation.feature_names
    blocks = task.dataset.feature_blocks
    missing = task.X.isna().sum(axis=0).to_numpy()
    features = [
        {
            "rank": position + 1,
            "name": str(names[j]),
            "block": str(blocks[j]),
            "mean": float(overall[j]),
            "sd": float(spread[j]),
            "low": float(low[j]),
            "high": float(high[j]),
            "share": float(overall[j]) / total if total > 0 else 0.0,
            "frequency": float(frequency[j]),
            "direction": direction[position],
            "n_missing": int(missing[j]),
        }
        for position, j in enumerate(table)
    ]
    return {
        "scale": explanation.scale,
        "outputs": [str(name) for name in explanation.outputs],
        "n_features": len(names),
        "n_rows": len(explanation.row),
        "n_samples": len(np.unique(explanation.row)),
        "n_repeats": len(np.unique(explanation.repeat)),
        "n_folds": len(fold_means),
        "top_k": top_k,
        "features": features,
        "total": total,
        "n_unused": int((overall == 0).sum()),
        "additivity_error": float(explanation.additivity_error),
        **_sampling_error(explanation, ranking),
        "background": explanation.options.get("background"),
        "seconds": float(explanation.seconds),
        "notes": [str(note) for note in explanation.notes],
        "blocks": _blocks(task, fold_overall, overall),
        "importance": _importance(fold_means, per_output, ranking),
        **_samples(task, explanation, kept, per_output),
    }


def _fold_means(magnitude: NDArray[np.float32], explanation: Explanation) -> NDArray[np.float64]:
    """Mean |phi| of each (repeat, fold), of shape (n_folds, n_features, n_outputs)."""
    folds = np.unique(np.stack([explanation.repeat, explanation.fold], axis=1), axis=0)
    return np.stack(
        [
            magnitude[(explanation.repeat == repeat) & (explanation.fold == fold)].mean(
                axis=0, dtype=np.float64
            )
            for repeat, fold in folds
        ]
    )


def _kept(
    ranking: NDArray[np.int64], per_output: NDArray[np.float64], n_samples: int
) -> NDArray[np.int64]:
    """Choose the features drawn sample by sample: all that are used and fit, else the leading."""
    n_outputs = per_output.shape[1]
    n_used = max(int((per_output.max(axis=1) > 0).sum()), min(N_BEESWARM, len(ranking)))
    if n_used * n_samples * n_outputs <= MAX_CELLS:
        return ranking[:n_used]
    budget = max(N_BEESWARM, min(N_PLOTTED, MAX_CELLS // (n_samples * n_outputs)))
    leading = set(ranking[:budget].tolist())
    for output in range(n_outputs):
        leading |= set(np.argsort(-per_output[:, output], kind="stable")[:N_BEESWARM].tolist())
    return np.array([j for j in ranking if int(j) in leading], dtype=np.int64)


def _top_frequency(fold_overall: NDArray[np.float64], top_k: int) -> NDArray[np.float64]:
    """Share of the folds in which a feature, if used at all, is among the top k."""
    counts = np.zeros(fold_overall.shape[1])
    for values in fold_overall:
        leading = np.argsort(-values, kind="stable")[:top_k]
        counts[leading[values[leading] > 0]] += 1
    return counts / len(fold_overall)


def _directions(task: Task, explanation: Explanation, features: NDArray[np.int64]) -> list[str]:
    """Say whether higher values raise the output: up, down, mixed, category."""
    if explanation.values.shape[2] > 1:
        return [""] * len(features)
    directions = []
    for j in features:
        column = task.X.iloc[explanation.row, int(j)]
        phi = explanation.values[:, j, 0]
        if not phi.any():
            directions.append("")
        elif isinstance(column.dtype, pd.CategoricalDtype):
            directions.append("category")
        else:
            r = _rank_correlation(column.to_numpy(dtype=np.float64), phi)
            directions.append("up" if r > 0.3 else "down" if r < -0.3 else "mixed")
    return directions


def _rank_correlation(x: NDArray[np.float64], phi: NDArray[np.float32]) -> float:
    """Spearman correlation over the rows where x is known; 0 where it is undefined."""
    known = np.isfinite(x)
    a = pd.Series(x[known]).rank().to_numpy()
    b = pd.Series(phi[known].astype(np.float64)).rank().to_numpy()
    if len(a) < 3 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _sampling_error(
    explanation: Explanation, ranking: NDArray[np.int64]
) -> dict[str, float | None]:
    """Typical standard error of the leading features, also over their mean |phi|."""
    errors = explanation.standard_errors
    if errors is None:
        return {"standard_error": None, "relative_error": None}
    leading = ranking[:N_BEESWARM]
    typical = float(np.sqrt(np.mean(np.square(errors[:, leading], dtype=np.float64))))
    scale = float(np.abs(explanation.values[:, leading]).mean(dtype=np.float64))
    return {
        "standard_error": typical,
        "relative_error": typical / scale if scale > 0 else None,
    }


def _blocks(
    task: Task, fold_overall: NDArray[np.float64], overall: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Share of the summed mean |phi| per block, with its spread over folds."""
    names = task.dataset.block_names
    if len(names) < 2:
        return []
    owner = np.array([names.index(block) for block in task.dataset.feature_blocks])
    fold_total = fold_overall.sum(axis=1)
    total = overall.sum()
    blocks = []
    for code, name in enumerate(names):
        inside = owner == code
        shares = np.divide(
            fold_overall[:, inside].sum(axis=1),
            fold_total,
            out=np.zeros_like(fold_total),
            where=fold_total > 0,
        )
        low, high = np.quantile(shares, [0.1, 0.9])
        blocks.append(
            {
                "name": str(name),
                "n_features": int(inside.sum()),
                "share": float(overall[inside].sum() / total) if total > 0 else 0.0,
                "low": float(low),
                "high": float(high),
            }
        )
    return sorted(blocks, key=lambda block: -block["share"])


def _importance(
    fold_means: NDArray[np.float64], per_output: NDArray[np.float64], ranking: NDArray[np.int64]
) -> list[list[dict[str, Any]]]:
    """Leading features per output with their spread over folds; overall comes last."""
    lists = []
    n_outputs = per_output.shape[1]
    overall = [per_output.mean(axis=1)] if n_outputs > 1 else []
    columns = [per_output[:, output] for output in range(n_outputs)] + overall
    folds = [fold_means[:, :, output] for output in range(n_outputs)] + [fold_means.mean(axis=2)]
    position = np.empty(len(ranking), dtype=np.int64)
    position[ranking] = np.arange(len(ranking))
    for values, spread in zip(columns, folds, strict=False):
        leading = np.argsort(-values, kind="stable")[:N_BEESWARM]
        low, high = np.quantile(spread[:, leading], [0.1, 0.9], axis=0)
        lists.append(
            [
                {
                    "feature": int(j),
                    "mean": round_significant(float(values[j])),
                    "low": round_significant(float(low[i])),
                    "high": round_significant(float(high[i])),
                }
                for i, j in enumerate(leading)
            ]
        )
    return lists


def _samples(
    task: Task,
    explanation: Explanation,
    kept: NDArray[np.int64],
    per_output: NDArray[np.float64],
) -> dict[str, Any]:
    """Values sample by sample, mean over repeats; None where a row was not explained."""
    n_samples, n_outputs = task.n_samples, per_output.shape[1]
    count = np.bincount(explanation.row, minlength=n_samples).astype(np.float64)
    explained = count > 0
    sums = np.zeros((n_samples, len(kept), n_outputs))
    np.add.at(sums, explanation.row, explanation.values[:, kept].astype(np.float64))
    total = np.zeros((n_samples, n_outputs))
    np.add.at(total, explanation.row, explanation.values.sum(axis=1, dtype=np.float64))
    base = np.zeros((n_samples, n_outputs))
    np.add.at(base, explanation.row, explanation.base_values)
    weight = np.where(explained, count, 1.0)
    phi = sums / weight[:, None, None]
    rest = total / weight[:, None] - phi.sum(axis=1)
    base /= weight[:, None]

    def listed(values: NDArray[np.float64]) -> list[float | None]:
        return [
            round_significant(value) if known else None
            for value, known in zip(values.tolist(), explained.tolist(), strict=True)
        ]

    order = [
        np.argsort(-per_output[kept, output], kind="stable")[:N_BEESWARM].tolist()
        for output in range(n_outputs)
    ]
    columns = [_column(task, int(j)) for j in kept]
    return {
        "kept": [str(explanation.feature_names[j]) for j in kept],
        "kept_index": [int(j) for j in kept],
        "n_rest": per_output.shape[0] - len(kept),
        "phi": [[listed(phi[:, f, o]) for f in range(len(kept))] for o in range(n_outputs)],
        "rest": [listed(rest[:, o]) for o in range(n_outputs)],
        "base": [listed(base[:, o]) for o in range(n_outputs)],
        "final": [listed((base + total / weight[:, None])[:, o]) for o in range(n_outputs)],
        "order": order,
        "x": [column["x"] for column in columns],
        "levels": [column["levels"] for column in columns],
        "low5": [column["low5"] for column in columns],
        "high95": [column["high95"] for column in columns],
        "explained": [int(row) for row in np.flatnonzero(explained)],
    }


def _column(task: Task, j: int) -> dict[str, Any]:
    """Values of one feature (codes into ``levels`` for categories), and its colour range."""
    column = task.X.iloc[:, j]
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        return {
            "x": [int(code) if code >= 0 else None for code in codes],
            "levels": [str(level) for level in column.cat.categories],
            "low5": 0,
            "high95": max(1, len(column.cat.categories) - 1),
        }
    values = column.to_numpy(dtype=np.float64)
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.05, 0.95]) if len(known) else (0.0, 1.0)
    if low == high:
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return {
        "x": [round_significant(value) for value in values.tolist()],
        "levels": None,
        "low5": round_significant(float(low)),
        "high95": round_significant(float(high if high > low else low + 1.0)),
    }
