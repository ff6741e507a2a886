"""The verb ``run``: one cell, or a grid with ``-m``.

Hydra composes and sweeps; the result of each cell is read from the note it leaves.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from smalldata.cli.notes import Note, leave_note, publish_notes, read_notes
from smalldata.cli.screen import (
    DONE,
    FAILED,
    INTERNAL,
    WRONG_INPUT,
    as_sentence,
    complain,
    reporter,
)
from smalldata.config.hydra import run_composed, split_flags
from smalldata.errors import ConfigError, ExplanationError, InternalError
from smalldata.runtime.console import printable
from smalldata.runtime.files import scratch_folder
from smalldata.tuning.shared.database import redact_url


def run_verb(arguments: Sequence[str]) -> int:
    """Run one cell, or a grid with ``-m``, then make and print each comparison."""
    multirun, overrides = split_flags(arguments)
    with scratch_folder() as scratch:
        notes_folder = scratch / "notes"
        notes_folder.mkdir()
        job = partial(_run_job, notes_folder=str(notes_folder))
        run_composed(job, overrides, multirun=multirun, scratch=scratch)
        notes = read_notes(notes_folder)
    if multirun and not notes and not any(word.startswith("hydra/") for word in overrides):
        raise ConfigError("a grid must have at least one cell; nothing matches this pattern.")
    for note in notes:
        if note.dry_run:
            sys.stdout.write(printable(note.dry_run) + "\n")
    publish_notes([note for note in notes if note.cell])
    if any(note.error for note in notes):
        return INTERNAL if any(note.internal for note in notes) else WRONG_INPUT
    return FAILED if any(note.status == "failed" for note in notes) else DONE


def _run_job(composed: Any, *, notes_folder: str) -> float | tuple[float | None, ...] | None:
    """Run one composed config; return its primary score, or its scores on the objectives."""
    from smalldata.config.build import build_config
    from smalldata.report import require_drawing
    from smalldata.run.cell import plan_cell, primary_score, run_cell
    from smalldata.run.dry_run import describe_plan

    config = plan = None
    try:
        config = build_config(composed)
        require_drawing(config.figures)
        plan = plan_cell(config, reporter(), command=_command())
        if config.dry_run:
            leave_note(notes_folder, Note(status="ok", dry_run=describe_plan(plan)))
            return None
        record, key = run_cell(plan, reporter())
    except Exception as problem:  # if raised, Hydra would end the grid with its own message
        error = as_sentence(problem)
        if config is not None and config.sweep and not isinstance(error, ExplanationError):
            raise problem  # an error in one trial is an error of the whole sweep
        if str(error) not in {note.error for note in read_notes(Path(notes_folder))}:
            complain(problem)  # report an error common to all cells of a grid once
        internal = isinstance(error, InternalError)
        note = Note(status="failed", error=str(error), internal=internal)
        # A cell that cannot be explained has still been evaluated, so it belongs in the table.
        if plan is not None and isinstance(error, ExplanationError) and plan.folder.is_done:
            note = replace(
                note,
                cell=str(plan.folder.path.resolve()),
                measure=plan.task.measure,
                interval=plan.config.interval,
            )
        leave_note(notes_folder, note)
        return None
    note = Note(
        status=record.status,
        cell=str(plan.folder.path.resolve()),
        measure=plan.task.measure,
        explanation=key or "",
        figures=config.figures,
        interval=config.interval,
    )
    leave_note(notes_folder, note)
    if config.objectives:
        return tuple(primary_score(record, name) for name in config.objectives)
    return primary_score(record, plan.task.measure)


def _command() -> str:
    """Return the command of this job alone, even if it is one of a sweep."""
    from hydra.core.hydra_config import HydraConfig

    words = [redact_url(word) for word in HydraConfig.get().overrides.task]
    return shlex.join(["python", "-m", "smalldata", *words])
