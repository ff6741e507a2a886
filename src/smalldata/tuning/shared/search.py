"""The trials of one outer fold whose study several machines share.

Step in the line: as `tuning`, which decides what to try and how to score it. This file decides who
tries what: each machine takes the next trial, waits at the end for trials running elsewhere, and
returns the same trials as all others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from smalldata.results.folds import Trial
from smalldata.runtime.sealing import frozen, plain
from smalldata.tuning.samplers import distributions_of
from smalldata.tuning.shared.ledger import ORDINAL, REASON
from smalldata.tuning.shared.study import Claim, Proposal, SharedStudy, open_storage, open_study
from smalldata.tuning.trials import Attempts

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

NOTE = "tuned in a study that several machines may share: which values were tried depends on timing"

# User attributes: the values a trial started with and the names of those proposed (the fits give
# the others), its result, and the score reported to the sampler.
_VALUES, _ASKED, _TRIAL, _ESTIMATE = "values", "asked", "trial", "estimate"


@dataclass(frozen=True, kw_only=True)
class SharedPlace:
    """The place where the studies of a cell are shared.

    Attributes
    ----------
    url : str
        URL of the database, for `open_storage`.
    name : str
        Name of the cell; each study adds the name of its outer fold.
    identity : mapping
        Identity of the cell, which all machines must agree on.
    heartbeat_seconds, grace_seconds : int
        As for `open_storage`.
    """

    url: str
    name: str
    identity: Mapping[str, Any]
    heartbeat_seconds: int = 20
    grace_seconds: int = 60

    def open(self, fold: str, *, maximise: bool) -> SharedStudy:
        """Make or join the study of an outer fold.

        Raises
        ------
        ConfigError
            If the database is not available, or the study has another configuration.
        """
        storage = open_storage(
            self.url,
            heartbeat_seconds=self.heartbeat_seconds,
            grace_seconds=self.grace_seconds,
        )
        return open_study(
            storage,
            f"{self.name}/{fold}",
            directions=["maximize" if maximise else "minimize"],
            identity=self.identity,
        )


def search_together(study: SharedStudy, attempts: Attempts) -> list[Trial]:
    """Work on a study until it is finished, and return its trials in the order of their ordinals.

    Every machine that works on it returns the same trials. The ordinals have no gaps, even if a
    time limit ended the study early.

    Raises
    ------
    FitError
        If the database is no longer reachable.
    """
    distributions = distributions_of(attempts.space)
    if study.is_over(attempts.total) and all(trial.score is None for trial in read_trials(study)):
        # Try a failed fold again on the next run: its cause may be fixed.
        study.restart()

    def ask(ordinal: int, found: "Sequence[FrozenTrial]") -> Proposal:
        source = attempts.source()
        for trial in found:
            source.replay(_trial(trial), estimate=trial.user_attrs.get(_ESTIMATE))
        values = source.ask(ordinal)
        whole = {**source.default, **values}
        inside = all(attempts.space.parameters[name].contains(values[name]) for name in values)
        return Proposal(
            # The user's defaults may be outside the space.
            params=values if inside else {},
            distributions={name: distributions[name] for name in values} if inside else {},
            user_attrs={_VALUES: plain(whole), _ASKED: list(values)},
        )

    for claim in study.claims(attempts.total, ask, is_late=attempts.is_late):
        with claim:
            earlier = read_trials(study)
            whole = frozen(claim.user_attrs[_VALUES])
            values = {name: whole[name] for name in claim.user_attrs[_ASKED]}
            trial = attempts.attempt(values, claim.ordinal, earlier)
            _finish(claim, trial, attempts.estimate(trial, earlier), distributions)
    return [replace(trial, ordinal=i) for i, trial in enumerate(read_trials(study))]


def read_trials(study: SharedStudy) -> list[Trial]:
    """Return the finished trials of a shared study."""
    return [_trial(trial) for trial in study.finished()]


def _finish(
    claim: Claim, trial: Trial, estimate: float | None, distributions: Mapping[str, Any]
) -> None:
    value = trial.score if estimate is None else estimate
    states = {"ok": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    # Values that a fit gives are only known now; the others were stored with the claim.
    late = {name: value for name, value in trial.values.items() if name not in claim.params}
    claim.finish(
        None if value is None else [value],
        state=states[trial.state],
        attrs={_TRIAL: plain(asdict(trial)), _ESTIMATE: estimate},
        intermediate={i: s for i, s in enumerate(trial.fold_scores) if s is not None},
        reason=trial.reason if trial.state == "failed" else "",
        params=late if claim.params else {},
        distributions=distributions,
    )


def _trial(found: "FrozenTrial") -> Trial:
    kept = found.user_attrs.get(_TRIAL)
    if kept is None:  # its workers died without a result
        return Trial(
            ordinal=found.user_attrs[ORDINAL],
            state="failed",
            values=frozen(found.user_attrs[_VALUES]),
            reason=found.user_attrs[REASON],
        )
    values = {field.name: kept[field.name] for field in fields(Trial)}
    values["values"] = frozen(values["values"])
    values["fold_scores"] = tuple(values["fold_scores"])
    return Trial(**values)
