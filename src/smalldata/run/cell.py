"""One cell from its typed config to its finished folder, and back from the folder.

This is the whole line in the order it runs; everything it calls is pure or is told where to write.
Step in the line: RunConfig -> **Plan** -> **finished folder**.
"""

import json
from dataclasses import replace
from functools import lru_cache, partial
from operator import attrgetter
from pathlib import Path

from rich.console import Console

from smalldata.comparison.permuted_scores import KEY as PERMUTATIONS
from smalldata.comparison.scores import cell_scores
from smalldata.config.build import RunConfig, Sweep, config_text, read_config
from smalldata.datasets import build_dataset
from smalldata.errors import ConfigError, RecordError, SmalldataError
from smalldata.evaluation.cell import Cell
from smalldata.evaluation.outer_loop import evaluate_folds
from smalldata.explanation.options import check_options
from smalldata.findings import shown_findings
from smalldata.measures.registry import check_measure, find_measure, measures_for
from smalldata.models.files import file_fields
from smalldata.panel.final import find_panel
from smalldata.panel.selector import SignatureSelector, make_selector
from smalldata.pipeline.fitting import describe_failure
from smalldata.pipeline.training import TrainingRows
from smalldata.resampling.permuting import check_permutable
from smalldata.resampling.strategies import make_splits
from smalldata.results.panel import Panel
from smalldata.results.record import RunRecord
from smalldata.run.explain import explain_locked
from smalldata.run.permutations import score_permuted_labels
from smalldata.run.plan import Plan, Stored
from smalldata.run.progress import Reporter
from smalldata.run.weights import save_weights
from smalldata.runtime.devices import resolve_device
from smalldata.runtime.files import scratch_folder
from smalldata.runtime.memory import describe_sharing
from smalldata.runtime.workers import count_processes, stream_jobs
from smalldata.store.cell_folder import CellFolder
from smalldata.store.splits_folder import write_splits
from smalldata.task import Dataset, Task, TaskKind, make_task
from smalldata.tuning.importances import weigh_parameters
from smalldata.tuning.shared.database import open_storage, redact_url
from smalldata.tuning.shared.search import SharedPlace
from smalldata.tuning.tuner import OptunaTuner, make_tuner


def load_task(config: RunConfig) -> Task:
    """Read the dataset (once per process) and make the task."""
    text = json.dumps(config.dataset)  # unsorted: files are read in the order they are named
    return _task(text, config.measure)


@lru_cache(maxsize=4)
def _dataset(text: str) -> Dataset:
    return build_dataset(json.loads(text))


@lru_cache(maxsize=4)
def _task(text: str, measure: str | None) -> Task:
    task = make_task(_dataset(text), measure=measure)
    find_measure(task.measure, task.kind)
    return task


def plan_cell(config: RunConfig, reporter: Reporter, *, command: str = "") -> Plan:
    """Check everything that can be checked before a fit, and report what was read.

    Raises
    ------
    SmalldataError
        In one sentence, meant for the user.
    """
    with reporter.announce(f"reading {config.dataset.get('path') or 'the table'} …"):
        task = load_task(config)
    for message in task.dataset.messages:
        reporter.say(message)
    for line in shown_findings(task.dataset.findings):
        reporter.warn(line)
    splits = make_splits(task, **config.cv, seed=config.seed)
    for note in splits.notes:
        reporter.say(note)
    check_measure(task, splits)
    for name in config.objectives:
        measure = find_measure(name, task.kind, key="objectives").name
        check_measure(replace(task, measure=measure), splits)
    if config.prevalence is not None and task.kind is not TaskKind.BINARY:
        raise ConfigError(
            f"threshold.prevalence needs a target of two classes; {task.dataset.name} is a "
            f"{task.kind} task. Leave it out."
        )
    tuner = _tuner(config, task)
    if config.tuning is not None and tuner is None:
        reporter.say(f"{config.model} has nothing to tune; it runs untuned.")
    selector = _selector(config, task, reporter)
    cell = Cell(
        task=task,
        learner=config.learner,
        splits=splits,
        preprocessing=config.preprocessing,
        train_size=config.train_size,
        tuner=tuner,
        selector=selector,
        threshold=config.threshold,
        seed=config.seed,
        model=config.model,
    )
    record = cell.record()
    if config.explanation is not None and not record.skipped:
        check_options(cell, config.explanation)
    if config.permutations and not record.skipped:
        check_permutable(task, key=PERMUTATIONS)
    if config.learner.traits.uses_gpu:
        device, reason = resolve_device(config.device)
        reporter.say(f"device {device}: {reason}")
        if device != "cpu" and config.n_jobs is None and not record.skipped:
            n_folds = min(count_processes(None), len(splits.folds))
            reporter.say(describe_sharing(n_folds, n_values=cell.n_values))
    elif config.device == "cuda":
        reporter.warn(f"{config.model} does not use a GPU; device=cuda changes nothing for it.")
    if config.sweep is not None:
        record = _as_trial(record, config.sweep)
        command = config.sweep.command
    if command:
        record = replace(record, environment={**record.environment, "command": command})
    if tuner is not None and config.storage is not None:
        shown = redact_url(config.storage)
        record = replace(record, environment={**record.environment, "tune.storage": shown})
    return Plan(config=config, cell=cell, record=record)


def _as_trial(record: RunRecord, sweep: Sweep) -> RunRecord:
    """Mark a cell as a trial of a sweep, which shows only its best; a plain run is another cell."""
    return replace(
        record,
        identity={**record.identity, "optimistic": True, "sweep": sweep.id},
        environment={
            **record.environment,
            "sweep": {"id": sweep.id, "trial": sweep.trial, "instead": sweep.instead},
        },
    )


def _tuner(config: RunConfig, task: Task) -> OptunaTuner | None:
    """Return the tuner the cell asks for; None also if the model has nothing to tune."""
    if config.tuning is None or not config.space.for_kind(task.kind).parameters:
        return None
    # Not the task's measure: the same cell may be read back under another one.
    measure = config.tuning.measure or measures_for(task.kind)[0].name
    return make_tuner(
        task, config.learner, config.space, options=replace(config.tuning, measure=measure)
    )


def _selector(config: RunConfig, task: Task, reporter: Reporter) -> SignatureSelector | None:
    """Return the selector of the panel, if the cell asks for one."""
    if config.signature is None:
        return None
    # Not the task's measure: the same cell may be read back under another one.
    measure = config.signature.measure or measures_for(task.kind)[0].name
    asked = replace(config.signature, measure=measure)
    selector = make_selector(task, asked)
    if max(asked.sizes) > task.n_features:
        sizes = ", ".join(map(str, selector.options.sizes))
        reporter.say(
            f"signature.sizes end at the {task.n_features} features of {task.dataset.name}: {sizes}"
        )
    return selector


def run_cell(plan: Plan, reporter: Reporter) -> tuple[RunRecord, str | None]:
    """Evaluate the missing folds of a cell, then explain it; each fold is on disk once it is done.

    Returns
    -------
    record : RunRecord
        As stored.
    explanation : str or None
        Key of the explanation, if one was requested and could be made.
    """
    folder, url = plan.folder, plan.config.storage
    if url and plan.tuner and not (folder.is_done or plan.record.skipped):
        open_storage(url)  # fails before anything is written
    write_splits(plan.table_folder, plan.splits, plan.task)
    key = None
    with folder.lock(on_wait=reporter.say), scratch_folder() as fits:
        if plan.config.explanation is not None:
            plan = replace(plan, cell=replace(plan.cell, fits=fits))
        record = _evaluate(plan, folder, reporter)
        stored = Stored(plan=plan, record=record, folder=folder)
        if plan.selector is not None and record.status == "ok":
            _choose_panel(plan, plan.selector, folder, reporter)
        if plan.config.permutations and record.status == "ok":
            score_permuted_labels(stored, reporter)
        if plan.config.weights and record.status == "ok":
            save_weights(stored, reporter)
        if plan.config.explanation is not None and record.status == "ok":
            explanation = explain_locked(stored, plan.config.explanation, reporter)
            key = explanation.hash
    if record.status == "failed":
        n_failed = record.n_planned - sum(fold.status == "ok" for fold in record.folds)
        reporter.warn(
            f"{plan.title}: {n_failed} of {record.n_planned} folds failed: {record.reason}"
        )
    elif record.status == "skipped":
        reporter.warn(f"{plan.title}: skipped: {record.reason}")
    return record, key


def primary_score(record: RunRecord, measure: str) -> float | None:
    """Return the mean that the table shows for a cell, or None if it shows none.

    The record may have been made with another primary measure than this one.
    """
    return cell_scores(record, find_measure(measure, record.kind)).mean


def open_cell(path: Path, *, measure: str | None = None) -> Stored:
    """Read a cell and rebuild its task, learner and splits from its ``config.yaml``.

    Raises
    ------
    RecordError
        If the folder is not a finished cell, or the cell's data or settings have changed.
    """
    folder = CellFolder(path)
    record = folder.read_record()
    try:
        config = read_config(folder.read_text("config.yaml"))
    except ConfigError as error:
        raise RecordError(
            f"{path / 'config.yaml'} must be as its cell wrote it; run its command again: {error}"
        ) from None
    # The options of an explanation are not part of the cell; the caller brings its own.
    config = replace(config, measure=measure or config.measure, explanation=None)
    plan = plan_cell(config, Reporter(Console(quiet=True)))
    if plan.record.skipped and not record.skipped:
        moved = "".join(
            f" Where the file lies elsewhere now, give the cell's command again with {name}=PATH: "
            "what is finished stays."
            for name in file_fields(config.learner)
        )
        raise RecordError(f"{path} cannot be rebuilt here: {plan.record.skipped}.{moved}")
    if plan.record.hash != record.hash:
        changed = [
            name
            for name, value in record.identity.items()
            if plan.record.identity.get(name) != value
        ]
        raise RecordError(
            f"{path} must be rebuilt from the data and settings it was made with; "
            f"{', '.join(changed) or 'its identity'} changed since. Run the cell again."
        )
    return Stored(plan=plan, record=record, folder=folder)


def _evaluate(plan: Plan, folder: CellFolder, reporter: Reporter) -> RunRecord:
    config = plan.config
    found, sentences = folder.resume()
    for sentence in sentences:
        reporter.warn(sentence)
    folds = {(fold.repeat, fold.fold): fold for fold in found}
    planned = () if plan.record.skipped else plan.splits.folds
    missing = [fold for fold in planned if (fold.repeat, fold.fold) not in folds]
    finished = folder.read_record(folds=found) if folder.is_done and not missing else None
    if finished is not None and finished.skipped != plan.record.skipped:
        finished = None  # skipped for another reason now
    if finished is None or not _has_config(folder, config):
        folder.write_text("config.yaml", config_text(config.plain))
    if finished is not None:
        reporter.say(f"{plan.title}: already finished, {len(found)} folds found")
        _gather_trials(plan, folder, finished, reporter, anew=False)
        return finished
    tuner = plan.tuner and replace(plan.tuner, log=folder.trials)
    if missing and tuner is not None and config.storage is not None:
        open_storage(config.storage)  # a finished cell may lack folds that failed
        tuner = replace(tuner, shared=_place(plan.record, config.storage))
    if missing:
        cell = replace(plan.cell, tuner=tuner)
        results = evaluate_folds(cell, missing, device=config.device, n_jobs=config.n_jobs)
        for result in reporter.follow(
            results, title=plan.title, total=len(plan.splits.folds), done=len(folds)
        ):
            folder.write_fold(result, plan.task)
            folds[result.repeat, result.fold] = result
    record = replace(
        plan.record,
        folds=tuple(folds[key] for key in sorted(folds)),
        explain_seconds=_stored_explain_seconds(folder),
    )
    _gather_trials(plan, folder, record, reporter, anew=True)
    folder.write_record(record)
    reporter.sum_up_tuning(record, title=plan.title)
    reporter.tell_transform(record, title=plan.title)
    return record


def _gather_trials(
    plan: Plan, folder: CellFolder, record: RunRecord, reporter: Reporter, *, anew: bool
) -> None:
    """Gather the logs of a tuned cell into its table; not anew only where that is lost."""
    tuner = plan.tuner
    if tuner is None or plan.record.skipped:
        return
    problem = "" if anew else folder.resume_trials()
    if short := folder.trials.short_logs(record.folds):
        if anew:
            folder.discard_trials()
            problem = f"{folder.path / 'trials.parquet'} is not written."
        lost = f"{problem} It cannot be rebuilt: " if problem else ""
        reporter.warn(f"{lost}{short}")
        return
    if problem:
        reporter.warn(f"{problem} It is rebuilt from the logs of the tuning.")
    if problem or anew:
        folder.write_trials(
            record.folds,
            find_chosen=tuner.find_chosen,
            measure=tuner.measure.name,
            weigh=partial(weigh_parameters, space=tuner.space, path=tuner.path),
        )


def _choose_panel(
    plan: Plan, selector: SignatureSelector, folder: CellFolder, reporter: Reporter
) -> None:
    """Choose the panel of all rows, unless it is there already."""
    panel, sentence = folder.resume_panel()
    if sentence:
        reporter.warn(sentence)
    if panel is not None:
        return
    cell = plan.cell
    rows = TrainingRows.of(
        cell.task,
        preprocessing=cell.preprocessing,
        seed=cell.seed,
        device=cell.device(plan.config.device),
    )
    run = partial(find_panel, cell.learner, selector)
    jobs = stream_jobs(run, [rows], n_processes=1)  # on one thread, as the folds are
    try:
        for _, found in reporter.follow(jobs, title=f"choosing the panel of {plan.title}", total=1):
            assert isinstance(found, Panel)
            folder.write_panel(found)
    except RecordError:
        raise
    except Exception as error:  # whatever a model raises; the folds and their score stay
        reason = describe_failure(error)
        reporter.warn(f"{plan.title}: the panel of all samples could not be chosen: {reason}")


def _stored_explain_seconds(cell: CellFolder) -> float | None:
    """Seconds of the explanation made by an earlier run; they outlive a repaired record."""
    try:
        return cell.read_record(folds=()).explain_seconds
    except RecordError:
        return None


def _place(record: RunRecord, url: str) -> SharedPlace:
    """Return where the cell's studies are in the database: under the name of its folder."""
    name = f"{record.dataset}/{record.folder}"
    return SharedPlace(url=url, name=name, identity=record.identity)


def _has_config(cell: CellFolder, config: RunConfig) -> bool:
    """Whether ``config.yaml`` still describes this cell; not if it is torn or was edited."""
    try:
        found = read_config(cell.read_text("config.yaml"))
    except SmalldataError:
        return False
    parts = attrgetter(
        "dataset",
        "model",
        "learner",
        "cv",
        "train_size",
        "preprocessing",
        "signature",
        "threshold",
        "prevalence",
        "tuning",
    )
    return bool(parts(found) == parts(config) and found.seed == config.seed)
