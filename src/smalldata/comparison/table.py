"""A Comparison as a tidy frame, a readable table or plain values; predictions as a frame.

Step in the line: Comparison -> **comparison.csv, .md, .json; predictions.csv**. No I/O: the caller
writes the files.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.comparison.scores import join_predictions
from smalldata.comparison.words import (
    corrected_for_choice,
    is_flattered,
    say_folds,
    say_interval_of,
)
from smalldata.measures.registry import Measure, find_measure
from smalldata.results.comparison import MARKS, Comparison, ComparisonRow
from smalldata.results.folds import Prediction
from smalldata.results.record import SCHEMA_VERSION, RunRecord, settings_text
from smalldata.runtime.sealing import strict_plain

COLUMNS = (
    "dataset",
    "cv",
    "train_size",
    "model",
    "settings",
    "measure",
    "mean",
    "ci_low",
    "ci_high",
    "rank",
    "n_ok",
    "n_failed",
    "status",
    "reason",
    "tune_seconds",
    "fit_seconds",
    "predict_seconds",
    "explain_seconds",
    "hash",
    "tied_with_best",
    "optimistic",
    "versus_best",
    "n_scored",
    "n_permutations",
    "p_permutation",
)
"""Columns of comparison.csv: names and order stay, and new ones are added at the end."""

BEST, OPTIMISTIC = "**{}**", "{} †"


def to_frame(comparison: Comparison) -> pd.DataFrame:
    """Return a tidy frame, one row per cell and measure, with the columns of `COLUMNS`.

    ``train_size`` and ``rank`` are nullable integers; undefined values are missing.

    Example
    -------
    ``to_frame(compare(records)).to_csv("comparison.csv", index=False)``
    """
    rows = [{name: getattr(row, name) for name in COLUMNS} for row in comparison.rows]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    seconds = [name for name in COLUMNS if "seconds" in name]
    numbers = ["mean", "ci_low", "ci_high", "p_permutation", *seconds]
    types: dict[str, Any] = dict.fromkeys(numbers, "float64")
    return frame.astype(types | {"train_size": "Int64", "rank": "Int64"})


def to_plain(comparison: Comparison) -> dict[str, Any]:
    """Return a whole comparison as plain values for strict JSON.

    A number that JSON does not have is None, such as the infinite t of constant differences.
    """
    content = {
        entry.name: getattr(comparison, entry.name) for entry in dataclasses.fields(comparison)
    }
    content["rows"] = [
        dataclasses.asdict(row) | {"label": row.label, "tied_with_best": row.tied_with_best}
        for row in comparison.rows
    ]
    content["tests"] = [dataclasses.asdict(test) for test in comparison.tests]
    return {"schema_version": SCHEMA_VERSION, **strict_plain(content)}


# ---------------------------------------------------------------- for reading


def show(value: float | None, measure: Measure, *, scale: float | None = None) -> str:
    """Write a score with sensible digits; "" for None.

    Three decimals; errors in the target's unit (RMSE, MAE) with three significant digits.

    Parameters
    ----------
    value : float or None
    measure : Measure
    scale : float, optional
        The mean whose digits the bounds of an interval share.

    Example
    -------
    >>> show(0.87654, find_measure("roc_auc", TaskKind.BINARY))
    '0.877'
    >>> show(123.456, find_measure("rmse", TaskKind.REGRESSION))
    '123'
    """
    if value is None:
        return ""
    size = abs(value if scale is None else scale)
    if size >= 1e6 or (measure.in_target_unit and 0 < size < 1e-4):
        return f"{value:.3g}"
    decimals = 3
    if measure.in_target_unit and size > 0:
        decimals = max(0, 2 - math.floor(math.log10(size)))
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def show_interval(row: ComparisonRow, measure: Measure) -> str:
    """Write the interval of a row as ``[low, high]``; "" if there is none."""
    if row.ci_low is None or row.ci_high is None:
        return ""
    low, high = (show(bound, measure, scale=row.mean) for bound in (row.ci_low, row.ci_high))
    return f"[{low}, {high}]"


def to_markdown(comparison: Comparison) -> str:
    """Return a readable table: one line per cell, the primary measure first with its interval.

    The best of each ranked measure is bold; marks say which cells are not clearly worse. The
    legend, failed and skipped cells with reasons, and notes follow.
    """
    names = list(dict.fromkeys(row.measure for row in comparison.rows))
    measures = [find_measure(name, comparison.kind) for name in names]
    by_cell: dict[tuple[int | None, str], dict[str, ComparisonRow]] = {}
    for row in comparison.rows:
        by_cell.setdefault((row.train_size, row.label), {})[row.measure] = row
    with_size = any(size is not None for size, _ in by_cell)
    head = ["", "model", *(["train size"] if with_size else [])]
    permuted = any(row.n_permutations for row in comparison.rows)
    head += [measure.title for measure in measures]
    head += ["p (permuted)", "seconds"] if permuted else ["seconds"]
    lines = [_line(head), _line(["---:", "---", *["---:"] * (len(head) - 2)])]
    remarks: list[tuple[str, str, str]] = []
    for (size, label), rows in by_cell.items():
        primary = rows[comparison.measure]
        cells = ["" if primary.rank is None else str(primary.rank)]
        cells.append(OPTIMISTIC.format(label) if primary.optimistic else label)
        if with_size:
            cells.append("full" if size is None else str(size))
        cells += [_score_cell(rows[measure.name], measure, comparison) for measure in measures]
        if permuted:
            cells.append("" if primary.p_permutation is None else f"{primary.p_permutation:.2g}")
        seconds = [primary.tune_seconds, primary.fit_seconds, primary.predict_seconds]
        spent = sum(part for part in seconds if part is not None)
        lines.append(_line([*cells, f"{spent:.3g}" if spent < 100 else f"{spent:.0f}"]))
        where = label if size is None else f"{label} at train size {size}"
        if primary.status != "ok":
            remarks.append((where, primary.status, primary.reason))
            continue
        for measure in measures:
            row = rows[measure.name]
            if row.reason and (row.mean is None or measure is measures[0]):
                remarks.append((where, measure.title, row.reason))
    return "\n".join(
        [*lines, "", _legend(comparison), *_below(comparison, measures[0]), *_joined(remarks)]
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _score_cell(row: ComparisonRow, measure: Measure, comparison: Comparison) -> str:
    if row.mean is None:
        undefined = "" if row.status == "ok" else row.status
        return undefined if measure.name == comparison.measure else ""
    text = show(row.mean, measure)
    if row.rank == 1:
        text = BEST.format(text)
    if measure.name == comparison.measure:
        text = f"{text} {show_interval(row, measure)}".rstrip()
    return f"{text} {row.mark}".rstrip()


def _joined(remarks: list[tuple[str, str, str]]) -> list[str]:
    """Return one line for all cells and measures (or states) with the same reason."""
    abouts: dict[tuple[str, str], list[str]] = {}
    for where, about, reason in remarks:
        abouts.setdefault((where, reason), []).append(about)
    wheres: dict[tuple[str, str], list[str]] = {}
    for (where, reason), several in abouts.items():
        wheres.setdefault((", ".join(several), reason), []).append(where)
    return [
        f"- {', '.join(several)}: {about}: {reason}" for (about, reason), several in wheres.items()
    ]


def _legend(comparison: Comparison) -> str:
    over = "On one test fold" if comparison.n_folds == 1 else f"Mean over {say_folds(comparison)}"
    text = f"{over} with the 95 % interval; **bold**: best; {MARKS}"
    if any(row.optimistic for row in comparison.rows):
        text += "; †: chosen by the score shown, which is therefore optimistic"
    if any(row.n_permutations for row in comparison.rows):
        text += (
            "; p (permuted): how often the whole procedure scores as well when labels carry "
            "nothing, not corrected for the number of models"
        )
    return f"{text}. {say_interval_of(comparison)}"


def _below(comparison: Comparison, measure: Measure) -> list[str]:
    lines = []
    best = corrected_for_choice(comparison)
    if best is not None:
        mean, low, high = (
            show(best[key], measure, scale=best["mean"]) for key in ("mean", "ci_low", "ci_high")
        )
        size = f" at train size {best['train_size']:.0f}" if "train_size" in best else ""
        told = f"{mean}, 95 % interval [{low}, {high}]"
        if not is_flattered(best, higher_is_better=measure.higher_is_better):
            told = "these folds show no flattery"
        lines.append(
            f"{measure.title} of choosing the best of {best['n_models']:.0f}{size}, corrected for "
            f"the choice: {told}."
        )
    return [*lines, *comparison.notes]


# ---------------------------------------------------------------- predictions


def predictions_frame(
    records: Sequence[RunRecord], *, sample_ids: NDArray[Any] | None = None
) -> pd.DataFrame:
    """Return all out-of-fold predictions, one row per cell, repeat and test row.

    Parameters
    ----------
    records : sequence of RunRecord
        Records of one task; finished folds of unfinished cells are included.
    sample_ids : ndarray of shape (n_samples,), optional
        Adds the column ``sample_id``.

    Returns
    -------
    DataFrame
        dataset, cv, train_size, model, settings, hash, repeat, fold, row, sample_id, y, label, then
        one ``p_<class>`` per class and one ``margin_<class>`` per output (binary: of the positive
        class), or ``value``. Classes are given by name.
    """
    parts = []
    for record in records:
        done = [(fold, part) for fold in record.folds if (part := fold.prediction) is not None]
        if not done:
            continue
        done.sort(key=lambda pair: (pair[0].repeat, pair[0].fold))
        sizes = [len(part.y) for _, part in done]
        joined = join_predictions(part for _, part in done)
        identity: dict[str, Any] = {
            "dataset": record.dataset,
            "cv": record.cv,
            "train_size": record.train_size,
            "model": record.model,
            "settings": settings_text(record.settings),
            "hash": record.hash,
            "repeat": np.repeat([fold.repeat for fold, _ in done], sizes),
            "fold": np.repeat([fold.fold for fold, _ in done], sizes),
            "row": joined.row,
        }
        if sample_ids is not None:
            identity["sample_id"] = sample_ids[joined.row]
        columns = identity | _prediction_columns(joined, record.classes)
        parts.append(pd.DataFrame(columns).astype({"train_size": "Int64"}))
    if not parts:
        return pd.DataFrame(columns=["dataset", "cv", "train_size", "model", "settings", "hash"])
    frame = pd.concat(parts, ignore_index=True)
    given = [name for name in frame if str(name).startswith(("p_", "margin_"))]
    return frame[[name for name in frame if name not in given] + sorted(given, key=_part_order)]


def _part_order(name: Any) -> bool:
    """Sort probabilities before margins; sorting is stable, so the classes keep their order."""
    return str(name).startswith("margin_")


def _prediction_columns(prediction: Prediction, classes: tuple[str, ...]) -> dict[str, Any]:
    if not classes:
        return {"y": prediction.y, "value": prediction.value}
    names = np.array(classes, dtype=object)
    columns: dict[str, Any] = {"y": names[prediction.y]}
    if prediction.label is not None:
        columns["label"] = names[prediction.label]
    if prediction.probabilities is not None:
        for code, name in enumerate(classes):
            columns[f"p_{name}"] = prediction.probabilities[:, code]
    if prediction.margin is not None:
        outputs = classes[1:] if prediction.margin.shape[1] == 1 else classes
        for code, name in enumerate(outputs):
            columns[f"margin_{name}"] = prediction.margin[:, code]
    return columns
