"""The explanation of a finished cell: makes and writes the missing parts, one by one.

Step in the line: RunRecord on disk -> **explanation, interactions, permuted labels on disk** ->
report. Each part is on disk before the next begins, so a kill costs only the part in progress.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from smalldata.errors import ExplanationError
from smalldata.explanation.explanation import (
    explain_folds,
    join_folds,
    join_pairs,
    lacks_pairs,
    pair_folds,
)
from smalldata.explanation.options import (
    ExplanationOptions,
    describe_options,
    folds_to_explain,
    rows_to_explain,
)
from smalldata.explanation.permuted_labels import null_importances
from smalldata.resampling.strategies import make_splits
from smalldata.results.evidence import FEWEST_PERMUTATIONS
from smalldata.results.explanation import N_LEADING, Explanation
from smalldata.results.record import cell_hash
from smalldata.run.plan import Stored
from smalldata.run.progress import Reporter
from smalldata.shapley.dispatch import QUICK_LOOK
from smalldata.store.cell_seals import resume_seals


def explain_cell(
    stored: Stored, options: ExplanationOptions, reporter: Reporter, *, n_jobs: int | None = None
) -> Explanation:
    """Explain a stored cell, unless the same explanation is already there."""
    with stored.folder.lock(on_wait=reporter.say):
        for sentence in resume_seals(stored.folder.path):
            reporter.warn(sentence)
        return explain_locked(stored, options, reporter, n_jobs=n_jobs)


def explain_locked(
    stored: Stored, options: ExplanationOptions, reporter: Reporter, *, n_jobs: int | None = None
) -> Explanation:
    """Explain a stored cell whose lock is held; see `explain_cell`."""
    jobs = stored.plan.config.n_jobs if n_jobs is None else n_jobs
    explanation = _explain(stored, options, reporter, n_jobs=jobs)
    if stored.record.explain_seconds != explanation.seconds:  # of the latest one
        record = replace(stored.record, explain_seconds=explanation.seconds)
        stored.folder.write_record(record)
    _sum_up(stored, explanation, reporter)
    if options.null:
        _permute(stored, explanation, options, reporter, n_jobs=jobs)
    return explanation


def refuse_unfinished(stored: Stored) -> None:
    """Refuse to explain a cell that is skipped or has failed folds.

    Raises
    ------
    ExplanationError
        If a fold failed or is missing, or the model was skipped.
    """
    record = stored.record
    if record.status == "skipped":
        raise ExplanationError(
            f"only a finished cell can be explained; {stored.folder.path.name} was skipped: "
            f"{record.skipped}."
        )
    if record.status == "failed":
        n_lacking = record.n_planned - sum(fold.status == "ok" for fold in record.folds)
        remedy = (
            f"failed ({record.reason}). Fix the cause and run its command again."
            if record.reason
            else "are missing. Run its command again."
        )
        raise ExplanationError(
            f"only a finished cell can be explained; of {stored.folder.path.name} "
            f"{n_lacking} of {record.n_planned} folds {remedy}"
        )


def _sum_up(stored: Stored, explanation: Explanation, reporter: Reporter) -> None:
    """Report how precise sampled values are, and whether they are only a quick look."""
    if (error := explanation.sampling_error) and error[1] is not None:
        n_leading = min(N_LEADING, len(explanation.feature_names))
        reporter.say(
            f"{stored.plan.title}: sampled values; the standard error of the {n_leading} leading "
            f"features is typically {error[1]:.1%} of their mean size"
        )
    for note in (note for note in explanation.notes if note.startswith(QUICK_LOOK)):
        reporter.warn(f"{stored.plan.title}: {note}")


def _explain(
    stored: Stored, options: ExplanationOptions, reporter: Reporter, *, n_jobs: int | None
) -> Explanation:
    plan = stored.plan
    about = describe_options(plan.cell, options)
    explanation, sentence = stored.folder.resume_explanation(cell_hash(about))
    if sentence:
        reporter.warn(sentence)
    if explanation is not None and not _covers(explanation, stored, options):
        explanation = None  # made when some folds had failed
    if explanation is None:
        parts = explain_folds(plan.cell, stored.record, options, n_jobs=n_jobs)
        total = len(_asked_folds(stored, options))
        followed = reporter.follow(parts, title=f"explaining {plan.title}", total=total)
        explanation = join_folds(followed, plan.cell, options)
        stored.folder.write_explanation(explanation)
    if lacks_pairs(explanation):
        pairs = pair_folds(plan.cell, stored.record, explanation, options, n_jobs=n_jobs)
        total = len(np.unique(explanation.fold[explanation.repeat == explanation.repeat.min()]))
        followed_pairs = reporter.follow(
            pairs, title=f"pairs of features in {plan.title}", total=total
        )
        explanation = join_pairs(followed_pairs, explanation)
        stored.folder.write_explanation(explanation)
    return explanation


def _permute(
    stored: Stored,
    explanation: Explanation,
    options: ExplanationOptions,
    reporter: Reporter,
    *,
    n_jobs: int | None,
) -> None:
    """Compute the missing permutations of the labels; each is written as it finishes."""
    plan, config = stored.plan, stored.plan.config
    if options.null < FEWEST_PERMUTATIONS:
        reporter.warn(
            f"explain.null={options.null} shows how large importances get without signal; marking "
            f"features takes {FEWEST_PERMUTATIONS} permutations."
        )
    folder = stored.folder.permutations(explanation)
    found, sentences = folder.resume()
    for sentence in sentences:
        reporter.warn(sentence)
    missing = [number for number in range(options.null) if number not in found]
    if not missing:
        return
    results = null_importances(
        replace(plan.cell, fits=None),  # kept fits are of the true labels
        partial(make_splits, **config.cv, seed=config.seed),
        options,
        numbers=missing,
        device=config.device,
        n_jobs=n_jobs,
    )
    for number, values in reporter.follow(
        results,
        title=f"permuting the labels of {plan.title}",
        total=options.null,
        done=options.null - len(missing),
    ):
        folder.write(number, values)


def _covers(explanation: Explanation, stored: Stored, options: ExplanationOptions) -> bool:
    """Whether an explanation covers each finished fold that was requested."""
    found = zip(explanation.repeat.tolist(), explanation.fold.tolist(), strict=True)
    return set(found) == _asked_folds(stored, options)


def _asked_folds(stored: Stored, options: ExplanationOptions) -> set[tuple[int, int]]:
    """Repeat and fold of every finished fold to explain."""
    plan = stored.plan
    rows = rows_to_explain(plan.cell, options)
    asked = folds_to_explain(plan.splits, options, rows=rows)
    done = {(fold.repeat, fold.fold) for fold in stored.record.folds if fold.status == "ok"}
    return {(fold.repeat, fold.fold) for fold in asked} & done
