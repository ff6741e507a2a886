"""The verbs of the command line, their exit status, and what goes to stdout.

stdout holds the result (the table, the paths), stderr the progress and the sentences. Hydra is
asked to compose and to sweep; a cell that ends leaves a note in a scratch folder, from which the
exit status and the tables to print are derived, whatever process it ran in.
"""

import io
import json
import os
import shlex
import signal
import sys
import threading
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console

from smalldata.config.hydra import run_composed, split_flags
from smalldata.errors import (
    ConfigError,
    ExplanationError,
    InternalError,
    RecordError,
    SmalldataError,
    describe_unexpected,
    wants_traceback,
)
from smalldata.run.progress import Reporter
from smalldata.runtime.console import open_console, printable
from smalldata.runtime.files import scratch_folder, storage_error
from smalldata.runtime.memory import is_out_of_memory
from smalldata.tuning.shared.database import redact_url

DONE, FAILED, WRONG_INPUT, INTERNAL, INTERRUPTED = 0, 1, 2, 70, 130
NARROWEST = 20
"""Columns a table needs; a smaller COLUMNS is no width of a screen, and would lose it."""


def main(arguments: Sequence[str]) -> int:
    """Run a verb; every error ends as one sentence on stderr.

    SMALLDATA_DEBUG=1 in the environment adds the traceback.

    Parameters
    ----------
    arguments : sequence of str
        Without the program's name.

    Returns
    -------
    int
        Exit status: 0 done, 1 a fold failed, 2 wrong input, 70 an error of the program or a machine
        out of memory, 130 interrupted.
    """
    verb = arguments[0] if arguments and arguments[0] in VERBS else "run"
    rest = list(arguments[1:] if arguments and arguments[0] in VERBS else arguments)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's Ctrl-C
    try:
        _make_printable(arguments)
        status = VERBS[verb](rest)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        _console().print(
            "interrupted; every finished fold is kept, the same command goes on from there",
            markup=False,
        )
        return INTERRUPTED
    except BrokenPipeError:  # `… | head` has seen enough
        sys.stderr.close()
        return DONE
    except Exception as error:
        return _complain(error)


def _make_printable(arguments: Sequence[str]) -> None:
    """Let no character stop a run: a terminal's encoding may lack some that a table has.

    Raises
    ------
    ConfigError
        If an argument is no text: a file name that is not UTF-8 has no place in a record.
    """
    for argument in arguments:
        shown = argument.encode("utf-8", "backslashreplace").decode()
        if shown != argument:
            raise ConfigError(
                f"arguments and file names must be UTF-8 text; {shown} is not. Rename the file."
            )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) < NARROWEST:
        del os.environ["COLUMNS"]


# ---------------------------------------------------------------- run


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a job leaves behind: where its cell lies, or what was wrong."""

    status: str
    cell: str = ""
    measure: str = ""
    explanation: str = ""
    error: str = ""
    internal: bool = False
    dry_run: str = ""
    figures: tuple[str, ...] = ()


def run(arguments: Sequence[str]) -> int:
    """Run one cell, or a grid with ``-m``, then derive and print each comparison."""
    multirun, overrides = split_flags(arguments)
    with scratch_folder() as scratch:
        notes_folder = scratch / "notes"
        notes_folder.mkdir()
        job = partial(_run_job, notes_folder=str(notes_folder))
        run_composed(job, overrides, multirun=multirun, scratch=scratch)
        notes = _read_notes(notes_folder)
    if multirun and not notes and not any(word.startswith("hydra/") for word in overrides):
        raise ConfigError("a grid must hold at least one cell; no name fits what was asked.")
    for note in notes:
        if note.dry_run:
            sys.stdout.write(printable(note.dry_run) + "\n")
    _publish([note for note in notes if note.cell])
    if any(note.error for note in notes):
        return INTERNAL if any(note.internal for note in notes) else WRONG_INPUT
    return FAILED if any(note.status == "failed" for note in notes) else DONE


def _run_job(composed: Any, *, notes_folder: str) -> float | tuple[float | None, ...] | None:
    """Run one composed config; return its primary score, or those of the objectives."""
    from smalldata.config.build import build_config
    from smalldata.report import require_drawing
    from smalldata.run.cell import plan_cell, primary_score, run_cell
    from smalldata.run.dry_run import describe_plan

    reporter = _reporter()
    config = plan = None
    try:
        config = build_config(composed)
        require_drawing(config.figures)
        plan = plan_cell(config, reporter, command=_command())
        if config.dry_run:
            _leave(notes_folder, Note(status="ok", dry_run=describe_plan(plan)))
            return None
        record, key = run_cell(plan, reporter)
    except Exception as problem:  # raised, it would end the grid with words of Hydra's
        error = _as_sentence(problem)
        if config is not None and config.sweep and not isinstance(error, ExplanationError):
            raise problem  # what is wrong with one trial is wrong with the sweep
        if str(error) not in {note.error for note in _read_notes(Path(notes_folder))}:
            _complain(problem)  # a key that is wrong in every cell of a grid is said once
        internal = isinstance(error, InternalError)
        note = Note(status="failed", error=str(error), internal=internal)
        # What cannot be explained is evaluated all the same: it belongs into the table.
        if plan is not None and isinstance(error, ExplanationError) and plan.folder.is_done:
            note = replace(note, cell=str(plan.folder.path.resolve()), measure=plan.task.measure)
        _leave(notes_folder, note)
        return None
    note = Note(
        status=record.status,
        cell=str(plan.folder.path.resolve()),
        measure=plan.task.measure,
        explanation=key or "",
        figures=config.figures,
    )
    _leave(notes_folder, note)
    if config.objectives:
        return tuple(primary_score(record, name) for name in config.objectives)
    return primary_score(record, plan.task.measure)


def _command() -> str:
    """Return the command of this job alone, also where it is one of a sweep."""
    from hydra.core.hydra_config import HydraConfig

    words = [redact_url(word) for word in HydraConfig.get().overrides.task]
    return shlex.join(["python", "-m", "smalldata", *words])


def _leave(folder: str, note: Note) -> None:
    path = Path(folder) / f"{time.time_ns():020d}-{uuid.uuid4().hex}.json"
    path.write_text(json.dumps(asdict(note)), encoding="utf-8")


def _read_notes(folder: Path) -> list[Note]:
    return [
        Note(**json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*.json"))
    ]


def _publish(notes: Sequence[Note]) -> None:
    """Derive, write and print the comparison of every folder that has a new cell."""
    from smalldata.report import print_comparison
    from smalldata.run.cell import open_cell
    from smalldata.run.publishing import publish

    screen = open_console()
    for folder in dict.fromkeys(Path(note.cell).parent for note in notes):
        here = [note for note in notes if Path(note.cell).parent == folder]
        asked = {Path(note.cell).name: note.explanation for note in here}
        formats = list(dict.fromkeys(name for note in here for name in note.figures))
        # One table per measure asked for; the files on disk are those of the last.
        for note in {note.measure: note for note in here}.values():
            stored = open_cell(Path(note.cell), measure=note.measure)
            comparison = publish(
                folder, stored.task, asked=asked, reporter=_reporter(), formats=formats
            )
            print_comparison(comparison, console=screen)
        shown = {row.hash for row in comparison.rows}  # of a sweep the best trial
        for name in asked:
            if name.rpartition("-")[2] in shown:
                report = _short(folder / name / "report.html")
                screen.print(f"report  {report}", soft_wrap=True, markup=False)
        screen.print(f"table   {_short(folder / 'index.html')}", soft_wrap=True, markup=False)
        if formats:
            screen.print(f"figures {_short(folder / 'figures')}, and beside each report")


# ---------------------------------------------------------------- the other verbs


def compare_paths(arguments: Sequence[str]) -> int:
    """Print one table of exactly the cells given, and say how many others lie beside them."""
    from smalldata.comparison.comparison import compare
    from smalldata.report import print_comparison
    from smalldata.store.cell_folder import CellFolder

    values, words = _key_values(arguments, prefix="")
    measure = _known(values, ("measure",), prefix="").get("measure")
    paths = _cell_paths(words, verb="compare")
    records = [CellFolder(path).read_record() for path in paths]
    beside = {
        found.parent
        for path in paths
        for found in path.parent.glob("*/record.json")
        if found.parent.resolve() not in {given.resolve() for given in paths}
    }
    print_comparison(compare(records, measure=None if measure is None else str(measure)))
    if beside:
        sys.stdout.write(
            f"{len(beside)} more cell{'s' if len(beside) > 1 else ''} beside these "
            f"{'are' if len(beside) > 1 else 'is'} not in this table; Holm counts only what it "
            "shows.\n"
        )
    return DONE


def explain_paths(arguments: Sequence[str]) -> int:
    """Explain stored cells: only the folds asked for are fitted again, and checked."""
    from smalldata.explanation.options import ExplanationOptions, check_options
    from smalldata.report import check_formats, require_drawing
    from smalldata.run.cell import open_cell
    from smalldata.run.explain import explain_cell, refuse_unfinished
    from smalldata.runtime.sealing import DamageError

    values, words = _key_values(arguments, prefix="explain.")
    figures = check_formats(values.pop("report.figures", None))
    require_drawing(figures)
    n_jobs = values.pop("n_jobs", None)
    known = [field.name for field in fields(ExplanationOptions)]
    options = ExplanationOptions(**_known(values, known, prefix="explain."))
    paths = _cell_paths(words, verb="explain")
    try:
        cells = [open_cell(path) for path in paths]
    except DamageError as error:
        raise RecordError(f"{error} Run the command of its cell again to mend it.") from None
    for stored in cells:
        refuse_unfinished(stored)
        check_options(stored.plan.cell, options)
    notes = []
    for path, stored in zip(paths, cells, strict=True):
        explanation = explain_cell(stored, options, _reporter(), n_jobs=n_jobs)
        notes.append(
            Note(
                status="ok",
                cell=str(path.resolve()),
                measure=stored.task.measure,
                explanation=explanation.hash,
                figures=figures,
            )
        )
    _publish(notes)
    return DONE


def summary(arguments: Sequence[str]) -> int:
    """Print the layers, the parameters and the memory of a network, without running it."""
    from smalldata.cli.summary import run_summary

    run_summary(arguments, _reporter())
    return DONE


def doctor(arguments: Sequence[str]) -> int:
    """Look at this machine, its libraries and its cards, and say what to mend."""
    from smalldata.doctor.verb import run_doctor

    return run_doctor(arguments)


def list_datasets(arguments: Sequence[str]) -> int:
    """Print the bundled tables."""
    from smalldata.cli.listings import show_datasets

    show_datasets(arguments)
    return DONE


def list_models(arguments: Sequence[str]) -> int:
    """Print the models, their hyperparameters and what may be searched."""
    from smalldata.cli.listings import show_models

    show_models(arguments)
    return DONE


VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": run,
    "compare": compare_paths,
    "explain": explain_paths,
    "summary": summary,
    "doctor": doctor,
    "datasets": list_datasets,
    "models": list_models,
}


# ---------------------------------------------------------------- words and paths


def _cell_paths(words: Sequence[str], *, verb: str) -> list[Path]:
    """Return cell folders: those named, and all cells of a comparison's folder."""
    if not words:
        raise RecordError(f"{verb} takes folders below outputs/; got none. Name at least one cell.")
    found: list[Path] = []
    for word in words:
        path = Path(word)
        if (path / "record.json").is_file():
            found.append(path)
        elif cells := sorted(inner.parent for inner in path.glob("*/record.json")):
            found += cells
        else:
            raise RecordError(f"{verb} takes folders of finished cells; {word} {_instead(path)}")
    return list(dict.fromkeys(found))


def _instead(path: Path) -> str:
    """Say of a folder that holds no cell which folders below it do."""
    if not path.is_dir():
        return "is no folder."
    if (path / "folds").is_dir():
        return "is not finished. Run its command again."
    below = Counter(found.parent.parent for found in path.rglob("record.json"))
    if not below:
        return "holds no finished cell."
    shown = [f"{folder} ({n} cell{'s' if n > 1 else ''})" for folder, n in sorted(below.items())]
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return f"holds none itself. Name one below it: {', '.join(shown[:5])}{more}."


def _key_values(arguments: Sequence[str], *, prefix: str) -> tuple[dict[str, Any], list[str]]:
    """Separate key=value from plain words; keys lose their prefix, values are read as yaml."""
    from smalldata.runtime.catalogue import parse_yaml

    values: dict[str, Any] = {}
    words = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and not Path(argument).exists():
            parsed = parse_yaml(f"value: {value}", source=argument)["value"]
            if isinstance(parsed, list):  # of names: sample 007 is no 7, feature NO no falsehood
                parsed = parse_yaml(f"value: {value}", source=argument, as_text=True)["value"]
            values[key.removeprefix(prefix)] = None if parsed == "all" else parsed
        else:
            words.append(argument)
    return values, words


def _known(values: dict[str, Any], keys: Sequence[str], *, prefix: str) -> dict[str, Any]:
    for key in values:
        if key not in keys:
            near = [f"{prefix}{name}" for name in get_close_matches(key, keys, n=3)]
            hint = f"did you mean {' or '.join(near)}?" if near else "all else is the cell's own."
            known = ", ".join(f"{prefix}{name}" for name in keys)
            raise ConfigError(f"stored cells take {known}; there is no key {key!r}; {hint}")
    return values


def _short(path: Path) -> str:
    """Return a path relative to the working folder where it lies below it."""
    here = Path.cwd().resolve()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


@cache
def _reporter() -> Reporter:
    return Reporter()


def _console() -> Console:
    return open_console(stderr=True, soft_wrap=True)


def _as_sentence(error: Exception) -> SmalldataError:
    """Return what went wrong as an error of ours; ours as they are."""
    if isinstance(error, SmalldataError):
        return error
    if isinstance(error, OSError):
        return storage_error(Path(error.filename or "the result on stdout"), error)
    if is_out_of_memory(error):
        return InternalError(
            "this ran out of memory. Use fewer features or a smaller n_jobs, and run the same "
            "command again: what is finished is kept."
        )
    return InternalError(describe_unexpected(error))


def _complain(error: Exception) -> int:
    """Say on stderr what went wrong, and return the exit status."""
    if wants_traceback():
        traceback.print_exception(error)
    sentence = _as_sentence(error)
    _console().print(f"{type(sentence).__name__}: {sentence}", style="red", markup=False)
    return INTERNAL if isinstance(sentence, InternalError) else WRONG_INPUT
