"""From the finished cells of a folder to what people read: the table and the pages.

Last step in the line: records on disk -> **comparison and reports on disk**. Made again at the end
of each run, so that a single run and a grid work the same way.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from smalldata.comparison.comparison import compare
from smalldata.comparison.table import predictions_frame, to_frame, to_markdown, to_plain
from smalldata.comparison.tuning_summary import CellTrials
from smalldata.config.build import read_config
from smalldata.errors import RecordError, SmalldataError
from smalldata.measures.registry import find_measure
from smalldata.report import (
    Page,
    ReportInputs,
    draw_figures,
    index_page,
    report_html,
    report_page,
    say_learning,
)
from smalldata.report.plain import count
from smalldata.results.comparison import Comparison, IntervalName
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation
from smalldata.results.panel import Panel
from smalldata.results.record import RunRecord, settings_text
from smalldata.run.progress import Reporter
from smalldata.runtime.files import write_file
from smalldata.store.cell_folder import CellFolder
from smalldata.store.cell_seals import lacks_seals, seal_cell
from smalldata.store.splits_folder import lock_comparison, read_records, write_text
from smalldata.task import Task

OLD_FILES = (
    "some stored files carry no seal, as those of older versions; they are taken as they are, and "
    "sealed where their folder is free and can be written."
)
_MEND = "Run the cell's command again: it is made again, or the run says what is lost."


def publish(
    folder: Path,
    task: Task,
    *,
    asked: Mapping[str, str],
    reporter: Reporter,
    formats: Sequence[str] = (),
    interval: IntervalName = "jackknife",
) -> Comparison:
    """Compare all finished cells of a folder, and write the table and the pages.

    Parameters
    ----------
    folder : Path
        ``outputs/<dataset>/<cv>``.
    task : Task
    asked : mapping of str to str
        Folder names of this run's cells, each with the key of the explanation to show or an empty
        string; their ``report.html`` is written again.
    reporter : Reporter
    formats : sequence of str
        Formats in which the figures of those pages are also written as files.
    interval : {"jackknife", "nadeau_bengio"}
        See `compare`.

    Returns
    -------
    Comparison
    """
    with lock_comparison(folder, on_wait=reporter.say):
        records = without_answered(read_records(folder, on_problem=reporter.warn))
        records, n_older = without_older(records)
        if n_older:
            reporter.say(
                f"left out of the table: {count(n_older, 'cell')} of an older version of smalldata "
                "that this version has computed again."
            )
        _seal_old_files(folder, records, reporter)
        comparison = compare(records, measure=task.measure, interval=interval)
        listed = {row.hash for row in comparison.rows}  # for a sweep, its best trial
        records = [record for record in records if record.hash in listed]
        write_table(folder, comparison, records, task)
        shown: dict[str, Explanation | None] = {}
        cells = []
        for record in records:
            key = asked.get(record.folder, "")
            shown[record.folder], whole = _explanations(folder, record, key, reporter)
            cells.append(
                ReportInputs(
                    task=task,
                    record=record,
                    explanation=whole,
                    comparison=comparison,
                    trials=_trials(folder, record, reporter),
                    null=_null(folder, record, whole, reporter),
                )
            )
        for cell in cells:
            name = cell.record.folder
            if name in asked or not (folder / name / "report.html").is_file():
                page = report_page(_show(folder, cell, shown[name], reporter))
                CellFolder(folder / name).write_text("report.html", page.html())
                if name in asked:
                    write_figures(folder / name, page, formats)
        page = index_page(comparison, cells, task=task)
        write_text(folder / "index.html", page.html())
        write_figures(folder, page, formats)
    return comparison


def without_answered(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Leave out cells that were skipped because a file was missing, if the same cell has run since.

    Parameters
    ----------
    records : sequence of RunRecord
        All of one folder.
    """

    def is_answered(record: RunRecord) -> bool:
        learner = record.identity.get("learner") or {}
        wanting = {name for name, value in learner.items() if value is None}
        if not record.skipped or not wanting:
            return False
        same = _without(record, wanting)
        return any(not other.skipped and _without(other, wanting) == same for other in records)

    return [record for record in records if not is_answered(record)]


def without_older(records: Sequence[RunRecord]) -> tuple[list[RunRecord], int]:
    """Leave out cells of which the table has a newer version: they would count as further models.

    Parameters
    ----------
    records : sequence of RunRecord
        All of one folder.

    Returns
    -------
    kept : list of RunRecord
    n_older : int
        How many were left out.
    """

    def place(record: RunRecord) -> tuple[str, str, int | None]:
        return record.model, settings_text(record.settings), record.train_size

    def version(record: RunRecord) -> int:
        return int(record.identity.get("results_version", 0))

    newest: dict[tuple[str, str, int | None], int] = {}
    for record in records:
        newest[place(record)] = max(version(record), newest.get(place(record), 0))
    kept = [record for record in records if version(record) == newest[place(record)]]
    return kept, len(records) - len(kept)


def _without(record: RunRecord, names: Collection[str]) -> dict[str, Any]:
    """Return the identity of a cell without some fields of its learner."""
    learner = record.identity.get("learner") or {}
    kept = {name: value for name, value in learner.items() if name not in names}
    return {**record.identity, "learner": kept}


def write_report(path: Path | str, inputs: ReportInputs) -> None:
    """Write the report of one cell as a single HTML file.

    Parameters
    ----------
    path : path
        Of the file, usually ``report.html``; its folder is created.
    inputs : ReportInputs
        The task and the record, and what else is known of the cell.

    Raises
    ------
    RecordError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from smalldata import evaluate, load_dataset, load_learner, make_splits, make_task
    >>> task = make_task(load_dataset("nutrimouse"))
    >>> splits = make_splits(task, "kfold", n_splits=2)
    >>> record = evaluate(task, load_learner("linear"), splits, n_jobs=1)
    >>> with TemporaryDirectory() as folder:
    ...     write_report(Path(folder) / "report.html", ReportInputs(task=task, record=record))
    ...     (Path(folder) / "report.html").stat().st_size > 10_000
    True
    """
    write_text(Path(path), report_html(inputs))


def write_figures(folder: Path, page: Page, formats: Sequence[str]) -> None:
    """Write the figures of a page into ``figures/`` below its folder, in each of the formats."""
    if formats:
        for name, content in draw_figures(page.figures, formats):
            write_file(folder / "figures" / name, content)


def write_table(
    folder: Path, comparison: Comparison, records: Sequence[RunRecord], task: Task
) -> None:
    """Write ``comparison.{csv,md,json}`` and ``predictions.csv``."""
    write_text(folder / "comparison.csv", to_frame(comparison).to_csv(index=False))
    write_text(folder / "comparison.md", to_markdown(comparison) + _curves_text(comparison))
    predictions = predictions_frame(records, sample_ids=task.dataset.sample_ids)
    write_text(folder / "predictions.csv", predictions.to_csv(index=False))
    text = json.dumps(to_plain(comparison), indent=1, allow_nan=False, ensure_ascii=False)
    write_text(folder / "comparison.json", text + "\n")


def _curves_text(comparison: Comparison) -> str:
    """Return what the learning curves say, as a paragraph of a text file; "" if there are none."""
    if comparison.learning is None:
        return ""
    measure = find_measure(comparison.measure, comparison.kind)
    return "\n" + "\n".join(say_learning(comparison.learning, measure)) + "\n"


def _seal_old_files(folder: Path, records: Sequence[RunRecord], reporter: Reporter) -> None:
    """Seal what was written before there were seals, and say so once."""

    def leave(sentence: str) -> None:
        raise RecordError(sentence)  # who holds the cell seals it at the end of the run

    for record in records:
        cell = CellFolder(folder / record.folder)
        with suppress(RecordError):  # held, read-only, or with damage that its reader names
            if lacks_seals(cell.path):
                reporter.warn(OLD_FILES)
                with cell.lock(on_wait=leave):
                    seal_cell(cell.path)


def _explanations(
    folder: Path, record: RunRecord, key: str, reporter: Reporter
) -> tuple[Explanation | None, Explanation | None]:
    """Return the explanation for the page of a cell, and the one to compare with other models.

    The first is the one requested, if any. The second covers the most rows, so that a look at a few
    samples does not represent the model in the comparison. A torn file is only warned about.
    """
    cell = CellFolder(folder / record.folder)
    shown = fullest = None
    for name in dict.fromkeys([*([key] if key else []), *cell.explanation_keys()]):
        try:
            explanation = cell.read_explanation(name)
        except RecordError as error:
            remedy = "Explain the cell again with its options, or delete the file."
            reporter.warn(f"The explanation of {record.label} is left out: {error} {remedy}")
            continue
        if explanation is None:
            continue
        if name == key:
            shown = explanation
        if fullest is None or len(explanation.row) > len(fullest.row):
            fullest = explanation
    return (fullest if shown is None else shown), fullest


def _show(
    folder: Path, cell: ReportInputs, explanation: Explanation | None, reporter: Reporter
) -> ReportInputs:
    """Return what a cell's own page shows: explanation, panel and prevalence asked for."""
    cell = replace(
        cell, panel=_panel(folder, cell.record, reporter), prevalence=_prevalence(folder, cell)
    )
    if explanation is cell.explanation:
        return cell
    null = _null(folder, cell.record, explanation, reporter)
    return replace(cell, explanation=explanation, null=null)


def _prevalence(folder: Path, cell: ReportInputs) -> float | None:
    """Return the prevalence that the cell's last command named, if any."""
    try:
        text = CellFolder(folder / cell.record.folder).read_text("config.yaml")
        return read_config(text).prevalence
    except SmalldataError:
        return None  # a torn config.yaml is mended when its command runs again


def _null(
    folder: Path, record: RunRecord, explanation: Explanation | None, reporter: Reporter
) -> NullImportances | None:
    """Return the importances on permuted labels, or None; a torn file is only warned about."""
    if explanation is None:
        return None
    try:
        return CellFolder(folder / record.folder).read_null(explanation)
    except RecordError as error:
        reporter.warn(f"The permuted labels of {record.label} are left out: {error} {_MEND}")
        return None


def _panel(folder: Path, record: RunRecord, reporter: Reporter) -> Panel | None:
    """Return the panel of a signature, or None; a torn file is only warned about."""
    try:
        return CellFolder(folder / record.folder).read_panel()
    except RecordError as error:
        reporter.warn(f"The panel of {record.label} is left out of its page: {error} {_MEND}")
        return None


def _trials(folder: Path, record: RunRecord, reporter: Reporter) -> CellTrials | None:
    """Return the trials of a tuned cell, or None; a torn file is only warned about."""
    if record.skipped or not record.identity.get("tuning"):
        return None
    cell = CellFolder(folder / record.folder)
    try:
        found = cell.read_trials()
        if found is None:
            raise RecordError(f"{cell.path / 'trials.parquet'} is missing.")
        columns, measure = found
        return CellTrials(columns=columns, measure=measure, importances=cell.read_importances())
    except RecordError as error:
        reporter.warn(f"The tuning of {record.label} is left out of the pages: {error} {_MEND}")
        return None
