"""Runs a sweep from its first trial, or where it was interrupted, to its table.

The trials live in a shared study (`smalldata.tuning.shared.study`): a trial is claimed, run as a
separate cell, and finished; the trial of a dead worker is claimed again under its own number. The
folder of a sweep has ``sweep.json`` (what it is), ``trials.csv`` and, without another storage, the
study.
"""

import io
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from itertools import islice
from typing import Any

from hydra_plugins.smalldata_optuna._frame import Frame, Options, composer, make_frame
from hydra_plugins.smalldata_optuna._space import grid_points
from smalldata.config.hydra import unknown_key
from smalldata.errors import ConfigError
from smalldata.results.record import SCHEMA_VERSION
from smalldata.run.progress import Reporter
from smalldata.seeding import seed_for
from smalldata.store.splits_folder import write_text
from smalldata.tuning.samplers import make_sampler
from smalldata.tuning.shared.study import (
    Claim,
    Proposal,
    SharedStudy,
    open_storage,
    open_study,
    propose,
    redact_url,
)

MISSED_BEATS = 3
"""A worker that misses this many heartbeats counts as dead."""


def run_sweep(
    arguments: Sequence[str],
    *,
    options: Mapping[str, Any],
    master: Any,
    loader: Any,
    launcher: Any,
) -> None:
    """Run the trials missing from the total, then show the best one.

    Parameters
    ----------
    arguments : sequence of str
        The overrides of the command line.
    options : mapping
        The keys of ``hydra.sweeper``.
    master : DictConfig
        As Hydra composed it for the sweep.
    loader : ConfigLoader
    launcher : Launcher

    Raises
    ------
    SmalldataError
        With one sentence for the user, before anything is written.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    known = [field.name for field in fields(Options)]
    for key in options:
        if key not in known:
            names = [f"hydra.sweeper.{name}" for name in known]
            raise ConfigError(unknown_key(f"hydra.sweeper.{key}", names))
    checked = Options(**options)
    params = [f"{key}={value}" for key, value in checked.params.items()]
    parsed = OverridesParser.create(config_loader=loader).parse_overrides([*params, *arguments])
    frame = make_frame(parsed, checked, compose=composer(loader, master))
    reporter = Reporter()
    if frame.plan.config.dry_run:
        _launch(launcher, [(0, frame.last_job(_first(frame), ordinal=0))])
        reporter.say(f"{_title(frame)}: {frame.total} cells like this; nothing is written.")
        return
    with _quiet():
        shared = _open(frame)
        _write_about(frame)
        n_found = len(shared.finished())
        reporter.say(
            f"{_title(frame)} in {frame.folder}: {n_found} of {frame.total} trials found"
            if n_found
            else f"{_title(frame)} in {frame.folder}: {frame.total} trials"
        )
        n_run = _run_trials(frame, shared, launcher, reporter)
        trials = shared.finished()
        write_text(frame.folder / "trials.csv", _as_csv(frame, trials))
        _show(frame, trials, launcher, reporter, n_run=n_run)


# ---------------------------------------------------------------- trials


def _run_trials(frame: Frame, shared: SharedStudy, launcher: Any, reporter: Reporter) -> int:
    """Run the missing trials in batches; return how many this worker ran."""
    points = grid_points(frame.dimensions) if frame.options.sampler == "grid" else []
    if len(points) > frame.total:
        reporter.warn(
            f"the grid has {len(points)} points; only the first {frame.total} are tried. "
            f"Set hydra.sweeper.n_trials={len(points)} for all."
        )
    distributions = {one.key: one.distribution() for one in frame.dimensions}

    def ask(ordinal: int, trials: Sequence[Any]) -> Proposal:
        if points:
            return Proposal(params=_own(points[ordinal], frame), distributions=distributions)
        return propose(
            trials,
            sampler=make_sampler(
                frame.options.sampler, seed=seed_for(frame.seed, "sweep", ordinal)
            ),
            distributions=distributions,
            directions=frame.directions,
        )

    n_run = 0
    claims = iter(shared.claims(frame.total, ask))
    while True:
        with ExitStack() as held:
            batch = [held.enter_context(claim) for claim in islice(claims, 1)]
            while batch and len(batch) < frame.options.n_jobs:
                more = shared.claim(frame.total, ask)
                if more is None:
                    break
                batch.append(held.enter_context(more))
            if not batch:
                return n_run
            jobs = [
                (claim.ordinal, frame.job(claim.params, ordinal=claim.ordinal)) for claim in batch
            ]
            for claim, returned in zip(batch, _launch(launcher, jobs), strict=True):
                _finish(frame, claim, returned, reporter)
            n_run += len(batch)


def _finish(frame: Frame, claim: Claim, returned: Any, reporter: Reporter) -> None:
    scores = returned if isinstance(returned, tuple) else (returned,)
    values = [score for score in scores if score is not None]
    shown = ", ".join(
        one.override(claim.params[one.key]).lstrip("+").removeprefix("model.learner.")
        for one in frame.dimensions
    )
    if len(values) == len(frame.objectives):
        counted = claim.finish(values)
        found = ", ".join(
            f"{one.name} {value:.4g}" for one, value in zip(frame.objectives, values, strict=True)
        )
    else:
        found = "no score: a fold failed or the model does not take this data"
        counted = claim.finish(state="FAIL", reason=found)
    late = "" if counted else " (another worker was quicker; its result counts)"
    reporter.say(f"trial {claim.ordinal + 1}/{frame.total}: {shown}: {found}{late}")


def _launch(launcher: Any, jobs: Sequence[tuple[int, list[str]]]) -> list[Any]:
    """Run jobs under their own numbers and return what each returned, in order.

    A launcher numbers jobs from that of the first one, so it is called again after each gap.
    """
    returned: list[Any] = []
    runs: list[list[tuple[int, list[str]]]] = []
    for job in jobs:
        if runs and runs[-1][-1][0] + 1 == job[0]:
            runs[-1].append(job)
        else:
            runs.append([job])
    for run in runs:
        found = launcher.launch([overrides for _, overrides in run], initial_job_idx=run[0][0])
        for one in found:
            if isinstance(one._return_value, Exception):
                raise one._return_value
            returned.append(one._return_value)
    return returned


def _own(point: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
    whole = {one.key: one.whole for one in frame.dimensions}
    return {key: int(value) if whole[key] else value for key, value in point.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Optuna's warnings about its experimental features."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


# ---------------------------------------------------------------- the sweep's own folder


def _open(frame: Frame) -> SharedStudy:
    url = frame.options.storage
    if url is None:
        frame.folder.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{(frame.folder / 'study.sqlite').absolute()}"
    beat = frame.options.heartbeat_seconds
    storage = open_storage(url, heartbeat_seconds=beat, grace_seconds=MISSED_BEATS * beat)
    return open_study(
        storage,
        frame.options.name or f"sweep-{frame.key}",
        directions=frame.directions,
        identity=frame.identity,
    )


def _write_about(frame: Frame) -> None:
    about = {
        "schema_version": SCHEMA_VERSION,
        "sweep": frame.key,
        "identity": frame.identity,
        "storage": redact_url(frame.options.storage or "study.sqlite"),
        "command": frame.command(),
        "optimistic": True,
        "instead": frame.nested_command(),
    }
    text = json.dumps(about, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(frame.folder / "sweep.json", text)


def _as_csv(frame: Frame, trials: Sequence[Any]) -> str:
    """Write one row per finished trial; ``best``: no other is better in every objective."""
    import csv

    best = {trial.number for trial in _front(frame, trials)}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [one.name for one in frame.objectives]
    writer.writerow(
        ["trial", "state", *[one.key for one in frame.dimensions], *names, "best", "optimistic"]
    )
    for trial in trials:
        settings = [
            one.override(trial.params[one.key]).partition("=")[2] for one in frame.dimensions
        ]
        scores = trial.values or [""] * len(names)
        state = "ok" if trial.values else "failed"
        ordinal = trial.user_attrs["ordinal"]
        writer.writerow([ordinal, state, *settings, *scores, trial.number in best, True])
    return out.getvalue()


# ---------------------------------------------------------------- results


def _show(
    frame: Frame, trials: Sequence[Any], launcher: Any, reporter: Reporter, *, n_run: int
) -> None:
    """Report the result; run the best cell once more, to explain it and make its table."""
    scored = [trial for trial in trials if trial.values]
    if not scored:
        reporter.warn(f"no trial of {_title(frame)} has a score.")
        if not n_run and trials:  # its failure decides the exit status
            ordinal = trials[0].user_attrs["ordinal"]
            _launch(launcher, [(ordinal, frame.job(trials[0].params, ordinal=ordinal))])
        return
    best = min(scored, key=lambda trial: _order(frame, trial))
    ordinal = best.user_attrs["ordinal"]
    _launch(launcher, [(ordinal, frame.last_job(best.params, ordinal=ordinal))])
    if len(frame.objectives) > 1:
        front = _front(frame, trials)
        reporter.say(
            f"{len(front)} trials are not beaten in every objective; they are marked in "
            f"{frame.folder / 'trials.csv'}."
        )
    nested = frame.nested_command()
    reporter.warn(
        f"the best score of a sweep is optimistic: {len(scored)} cells were tried on the "
        "folds that measure it. "
        + (
            f"An honest score of the same search: {nested}"
            if nested
            else "What is searched here is not tuned inside the folds; as a grid (-m without "
            "hydra/sweeper) every value is a row of its own."
        )
    )


def _order(frame: Frame, trial: Any) -> tuple[float, int]:
    sign = -1.0 if frame.objectives[0].higher_is_better else 1.0
    return (sign * trial.values[0], trial.user_attrs["ordinal"])


def _front(frame: Frame, trials: Sequence[Any]) -> list[Any]:
    """Return the trials that no other matches or beats in all objectives while beating one."""
    signs = [-1.0 if one.higher_is_better else 1.0 for one in frame.objectives]
    costs = {
        trial.number: [sign * value for sign, value in zip(signs, trial.values, strict=True)]
        for trial in trials
        if trial.values
    }

    def beaten(own: list[float]) -> bool:
        return any(
            other != own and all(a <= b for a, b in zip(other, own, strict=True))
            for other in costs.values()
        )

    return [trial for trial in trials if trial.number in costs and not beaten(costs[trial.number])]


def _first(frame: Frame) -> dict[str, Any]:
    return {one.key: one.probes()[0] for one in frame.dimensions}


def _title(frame: Frame) -> str:
    return f"sweep {frame.options.name or frame.key}"
