"""Studies that several processes and machines work on: who takes which trial, and what is done.

A study of ``total`` trials has that many ordinals. A worker claims one, sends heartbeats while it
works, and finishes it once. The trial of a dead worker is claimed again, under the same ordinal and
with the same values, before a new one is proposed. All this happens in the transactions of a plain
Optuna database, so that any Optuna tool can show it.

Why nothing is done twice: a claim is inserted in a transaction that locks the row of the study (in
SQLite: the file), after checking again that the ordinal is free; and a trial can only be finished
while it is RUNNING, so a worker that comes back after it was given up learns so.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from smalldata.errors import ConfigError
from smalldata.runtime.quiet import quiet_optuna
from smalldata.runtime.sealing import differences
from smalldata.tuning.shared.claims import Claim
from smalldata.tuning.shared.database import absolute_url, open_storage, redact_url, storage_in_use
from smalldata.tuning.shared.ledger import ORDINAL, Ledger, Row, is_done

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

__all__ = [
    "Claim",
    "Proposal",
    "SharedStudy",
    "absolute_url",
    "open_storage",
    "open_study",
    "propose",
    "redact_url",
]

Direction = Literal["minimize", "maximize"]

# User attributes of a trial, and of a study.
_PROPOSED = "proposed"
_IDENTITY, _CLOSED, _SINCE = "identity", "closed", "since"

_FIRST_WAIT_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The values of a trial before it is claimed.

    Attributes
    ----------
    params : mapping
    distributions : mapping
        Of the same names.
    user_attrs, system_attrs : mapping
        Stored with the trial from its start.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, Any] = field(default_factory=dict)
    user_attrs: Mapping[str, Any] = field(default_factory=dict)
    system_attrs: Mapping[str, Any] = field(default_factory=dict)


Ask = Callable[[int, "Sequence[FrozenTrial]"], Proposal]
"""Returns the values of an ordinal, given the finished trials in order of their ordinals."""


def open_study(
    storage: "RDBStorage",
    name: str,
    *,
    directions: Sequence[Direction],
    identity: Mapping[str, Any],
) -> "SharedStudy":
    """Make a shared study, or join an existing one.

    Parameters
    ----------
    storage : optuna.storages.RDBStorage
        As `open_storage` returns it.
    name : str
    directions : sequence of {"minimize", "maximize"}
    identity : mapping
        What every worker of the study must agree on, as json's own types; stored in its user
        attributes.

    Raises
    ------
    ConfigError
        If the study was made with another identity; the message shows the difference.
    """
    import optuna

    told = json.loads(json.dumps({**identity, "directions": list(directions)}))
    with storage_in_use(storage.url), quiet_optuna():
        study = optuna.create_study(
            storage=storage, study_name=name, directions=list(directions), load_if_exists=True
        )
        shared = SharedStudy(storage=storage, study=study, name=name)
        found = shared.ledger.transact(partial(shared._adopt, told))
    shown = f"the study {name!r} in {redact_url(storage.url)}"
    if found is None:
        raise ConfigError(
            f"{shown} must be one that smalldata made; it has trials of unknown origin. "
            "Name another storage."
        )
    if changed := differences(found, told):
        raise ConfigError(
            f"{shown} must have the same configuration; it differs (there → here): "
            f"{'; '.join(changed)}. Use that configuration, or name another study or storage."
        )
    return shared


def propose(
    trials: "Sequence[FrozenTrial]",
    *,
    sampler: Any,
    distributions: Mapping[str, Any],
    directions: Sequence[Direction],
) -> Proposal:
    """Ask a sampler for the values of the next trial, in memory.

    The sampler does not see trials whose values are not those of ``distributions`` (defaults
    outside the space). What it stores in its trials (the state of CMA-ES) is included.
    """
    import optuna

    alike = [trial for trial in trials if trial.params.keys() == distributions.keys()]
    with quiet_optuna():
        study = optuna.create_study(directions=list(directions), sampler=sampler)
        study.add_trials(alike)
        study.ask(dict(distributions))
        asked = study.get_trials(deepcopy=False)[-1]
    return Proposal(
        params=asked.params, distributions=distributions, system_attrs=asked.system_attrs
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedStudy:
    """A study in a database; made by `open_study`.

    Attributes
    ----------
    storage : optuna.storages.RDBStorage
    study : optuna.Study
        The same study, for reading.
    name : str
    """

    storage: "RDBStorage"
    study: Any
    name: str

    # ------------------------------------------------------------ taking trials

    def claim(self, total: int, ask: Ask) -> Claim | None:
        """Take the next trial: one of a dead worker, else the next of ``total``.

        Parameters
        ----------
        total : int
            Number of trials of the finished study.
        ask : callable
            Called with the ordinal and the finished trials, outside any transaction; the result is
            dropped if another worker was quicker.

        Returns
        -------
        Claim or None
            None if nothing is free: all trials are finished or running elsewhere, or the study is
            closed.

        Raises
        ------
        FitError
            If the database is no longer reachable.
        """
        with storage_in_use(self.url):
            while True:
                ordinal, claim = self.ledger.transact(partial(self._look, total))
                if claim is not None or ordinal is None:
                    return claim
                proposal = ask(ordinal, self._finished())
                claim = self.ledger.transact(partial(self._insert_fresh, ordinal, proposal))
                if claim is not None:
                    return claim

    def claims(
        self,
        total: int,
        ask: Ask,
        *,
        is_late: Callable[[], bool] | None = None,
        most_wait_seconds: float = 5.0,
    ) -> Iterator[Claim]:
        """Yield claims until every trial is finished, by this worker or another.

        Waits for those running elsewhere, and takes them over if their worker has died.

        Parameters
        ----------
        total : int
        ask : callable
            As for `claim`.
        is_late : callable, optional
            Called before each claim; the first True closes the study for every worker.
        most_wait_seconds : float
            Longest time between two checks of the trials of others.
        """
        wait = _FIRST_WAIT_SECONDS
        late = False
        while True:
            if not late and is_late is not None and is_late():
                self.close()
                late = True
            claim = self.claim(total, ask)
            if claim is not None:
                wait = _FIRST_WAIT_SECONDS
                yield claim
            elif self.is_over(total):
                return
            else:
                time.sleep(wait)
                wait = min(2 * wait, most_wait_seconds)

    def close(self) -> None:
        """Stop all workers from claiming trials; those running are finished."""
        with storage_in_use(self.url):
            self.ledger.transact(lambda session: self.ledger.note(session, _CLOSED, True))

    def restart(self) -> None:
        """Forget the finished trials: they stay in the database but no longer count.

        Does nothing while one is running.
        """

        def forget(session: Any) -> None:
            rows = self._rows(session)
            if rows and not any(row.is_running for row in rows):
                self.ledger.note(session, _SINCE, 1 + max(row.number for row in rows))
                self.ledger.note(session, _CLOSED, False)

        with storage_in_use(self.url):
            self.ledger.transact(forget)

    # ------------------------------------------------------------ reading

    @property
    def url(self) -> str:
        """URL of the database, with its password."""
        return str(self.storage.url)

    @property
    def ledger(self) -> Ledger:
        """The rows of the study."""
        return Ledger(storage=self.storage, study_id=self.study._study_id)

    def is_over(self, total: int) -> bool:
        """Return whether all trials are finished, or the study is closed and none is running."""

        def look(session: Any) -> bool:
            rows = self._rows(session)
            done = {row.ordinal for row in rows if row.is_done}
            all_done = all(ordinal in done for ordinal in range(total))
            is_closed = bool(self.ledger.notes(session).get(_CLOSED))
            return (all_done or is_closed) and not any(row.is_running for row in rows)

        with storage_in_use(self.url):
            return self.ledger.transact(look)

    def finished(self) -> "tuple[FrozenTrial, ...]":
        """Return the finished trials in the order of their ordinals, failed ones included.

        Trials of dead workers are not included.
        """
        with storage_in_use(self.url):
            return self._finished()

    def _finished(self) -> "tuple[FrozenTrial, ...]":
        since = self.study.user_attrs.get(_SINCE, 0)
        found = {
            trial.user_attrs[ORDINAL]: trial
            for trial in self.study.get_trials(deepcopy=False)
            if trial.number >= since
            and ORDINAL in trial.user_attrs
            and is_done(trial.state.name, trial.user_attrs)
        }
        return tuple(found[ordinal] for ordinal in sorted(found))

    # ------------------------------------------------------------ inside one transaction

    def _adopt(self, identity: Mapping[str, Any], session: Any) -> Mapping[str, Any] | None:
        """Return the identity of the study; a study without trials and identity gets ours."""
        found: Mapping[str, Any] | None = self.ledger.notes(session).get(_IDENTITY)
        if found is None and not self.ledger.has_trials(session):
            self.ledger.note(session, _IDENTITY, identity)
            return identity
        return found

    def _rows(self, session: Any) -> list[Row]:
        """Return the trials that count, after failing those of dead workers."""
        since = self.ledger.notes(session).get(_SINCE, 0)
        rows = self.ledger.rows(session, since=since)
        self.ledger.fail_stale(session, rows)
        return rows

    def _look(self, total: int, session: Any) -> tuple[int | None, Claim | None]:
        """Claim the trial of a dead worker; else return the next free ordinal, or None."""
        rows = self._rows(session)
        if self.ledger.notes(session).get(_CLOSED):
            return None, None
        taken = {row.ordinal for row in rows if row.is_done or row.is_running}
        lost = {row.ordinal: row.trial_id for row in rows if row.ordinal not in taken}
        ordinal = min((ordinal for ordinal in lost if ordinal < total), default=None)
        if ordinal is not None:
            left = self.ledger.trial(session, lost[ordinal])
            return ordinal, self._insert(session, ordinal, _proposed(left))
        return next((k for k in range(total) if k not in taken), None), None

    def _insert_fresh(self, ordinal: int, proposal: Proposal, session: Any) -> Claim | None:
        """Insert a claim, unless another worker has taken the ordinal in the meantime."""
        is_closed = self.ledger.notes(session).get(_CLOSED)
        if is_closed or any(row.ordinal == ordinal for row in self._rows(session)):
            return None
        return self._insert(session, ordinal, proposal)

    def _insert(self, session: Any, ordinal: int, proposal: Proposal) -> Claim:
        from optuna.trial import TrialState, create_trial

        own = {ORDINAL: ordinal, _PROPOSED: list(proposal.user_attrs)}
        template = create_trial(
            state=TrialState.RUNNING,
            params=dict(proposal.params),
            distributions=dict(proposal.distributions),
            user_attrs={**proposal.user_attrs, **own},
            system_attrs=dict(proposal.system_attrs),
        )
        return Claim(
            storage=self.storage,
            end=self._end,
            ordinal=ordinal,
            trial_id=self.ledger.insert(session, template),
            params=dict(proposal.params),
            user_attrs=dict(proposal.user_attrs),
        )

    def _end(self, trial_id: int, state: str, **told: Any) -> bool:
        with storage_in_use(self.url):
            return self.ledger.transact(
                partial(self.ledger.end, trial_id=trial_id, state=state, **told)
            )


def _proposed(trial: "FrozenTrial") -> Proposal:
    """Return the proposal that a trial started with."""
    return Proposal(
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={name: trial.user_attrs[name] for name in trial.user_attrs[_PROPOSED]},
        system_attrs=trial.system_attrs,
    )
