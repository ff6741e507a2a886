"""The verb ``explain``: Shapley values of stored cells."""

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import cast, get_args

from smalldata.cli.arguments import cell_paths, key_values, known_values
from smalldata.cli.notes import Note, publish_notes
from smalldata.cli.screen import DONE, reporter
from smalldata.errors import RecordError
from smalldata.explanation.options import ExplanationOptions, check_options
from smalldata.report import check_formats, require_drawing
from smalldata.results.comparison import IntervalName
from smalldata.run.cell import open_cell
from smalldata.run.explain import explain_cell, refuse_unfinished
from smalldata.runtime.sealing import DamageError


def run_verb(arguments: Sequence[str]) -> int:
    """Explain stored cells; only the folds needed are fitted again and checked."""
    values, words = key_values(arguments, prefix="explain.")
    figures = check_formats(values.pop("report.figures", None))
    require_drawing(figures)
    n_jobs = values.pop("n_jobs", None)
    known = [field.name for field in fields(ExplanationOptions)]
    options = ExplanationOptions(**known_values(values, known, prefix="explain."))
    paths = cell_paths(words, verb="explain")
    try:
        cells = [open_cell(path) for path in paths]
    except DamageError as error:
        raise RecordError(f"{error} Run the command of its cell again to repair it.") from None
    for stored in cells:
        refuse_unfinished(stored)
        check_options(stored.plan.cell, options)
    notes = []
    for path, stored in zip(paths, cells, strict=True):
        explanation = explain_cell(stored, options, reporter(), n_jobs=n_jobs)
        notes.append(
            Note(
                status="ok",
                cell=str(path.resolve()),
                measure=stored.task.measure,
                explanation=explanation.hash,
                figures=figures,
                interval=_interval_of(path.resolve().parent),
            )
        )
    publish_notes(notes)
    return DONE


def _interval_of(folder: Path) -> IntervalName:
    """Return how the intervals of a folder's table were made, to make it again as it was."""
    try:
        table = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # lost or damaged; it is written again anyway
        return "jackknife"
    found = table.get("interval") if isinstance(table, dict) else None
    return cast("IntervalName", found) if found in get_args(IntervalName) else "jackknife"
