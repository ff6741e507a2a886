"""The notes that the jobs of a command leave, and the tables made from them.

A job may run in another process, so it leaves a note in a scratch folder. The notes give the exit
status and the tables to print.
"""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from smalldata.cli.screen import reporter
from smalldata.results.comparison import IntervalName
from smalldata.runtime.console import open_console


@dataclass(frozen=True, kw_only=True)
class Note:
    """The result of a job: the folder of its cell, or the error."""

    status: str
    cell: str = ""
    measure: str = ""
    explanation: str = ""
    error: str = ""
    internal: bool = False
    dry_run: str = ""
    figures: tuple[str, ...] = ()
    interval: IntervalName = "jackknife"


def leave_note(folder: str, note: Note) -> None:
    """Write a note for the process that started the jobs."""
    path = Path(folder) / f"{time.time_ns():020d}-{uuid.uuid4().hex}.json"
    path.write_text(json.dumps(asdict(note)), encoding="utf-8")


def read_notes(folder: Path) -> list[Note]:
    """Read the notes in the order in which they were written."""
    return [
        Note(**json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*.json"))
    ]


def publish_notes(notes: Sequence[Note]) -> None:
    """Make, write and print the comparison of every folder that has a new cell."""
    from smalldata.report import print_comparison
    from smalldata.run.cell import open_cell
    from smalldata.run.publishing import publish

    screen = open_console()
    for folder in dict.fromkeys(Path(note.cell).parent for note in notes):
        here = [note for note in notes if Path(note.cell).parent == folder]
        asked = {Path(note.cell).name: note.explanation for note in here}
        formats = list(dict.fromkeys(name for note in here for name in note.figures))
        # One table per measure asked for; the files on disk are those of the last.
        for note in {(note.measure, note.interval): note for note in here}.values():
            stored = open_cell(Path(note.cell), measure=note.measure)
            comparison = publish(
                folder,
                stored.task,
                asked=asked,
                reporter=reporter(),
                formats=formats,
                interval=note.interval,
            )
            print_comparison(comparison, console=screen)
        shown = {row.hash for row in comparison.rows}  # for a sweep only the best trial
        for name in asked:
            if name.rpartition("-")[2] in shown:
                report = short_path(folder / name / "report.html")
                screen.print(f"report  {report}", soft_wrap=True, markup=False)
        screen.print(f"table   {short_path(folder / 'index.html')}", soft_wrap=True, markup=False)
        if formats:
            screen.print(
                f"figures {short_path(folder / 'figures')}, and next to each report",
                soft_wrap=True,
                markup=False,
            )


def short_path(path: Path) -> str:
    """Return a path, relative to the working folder if it is below it."""
    here = Path.cwd().resolve()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
