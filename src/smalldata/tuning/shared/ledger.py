"""The rows of one shared study in its database, read and written inside one transaction.

A transaction locks the row of the study (in SQLite: the file), so no other can touch its trials.
The tables are Optuna's own, so that any Optuna tool can show the study. Used by `study`, which has
the rules.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

MOST_LOSSES = 5
"""After this many dead workers a trial fails, since its values may be what kills them."""

# User attributes of a trial.
ORDINAL, REASON, LOST = "ordinal", "reason", "lost"
DIED = "its worker was not heard of any more"  # stored in databases: keep the text

RETRY_SECONDS = (1.0, 2.0, 4.0)
"""Pauses before an aborted transaction is tried again."""

Result = TypeVar("Result")


@dataclass(kw_only=True)
class Row:
    """What the rules need to know of one trial."""

    trial_id: int
    number: int
    state: str
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def ordinal(self) -> int:
        """Position of the trial in the study, from 0."""
        return int(self.attrs[ORDINAL])

    @property
    def is_running(self) -> bool:
        """Whether a worker is running it."""
        return self.state == "RUNNING"

    @property
    def is_done(self) -> bool:
        """Whether it counts as finished."""
        return is_done(self.state, self.attrs)


def is_done(state: str, attrs: Mapping[str, Any]) -> bool:
    """Return whether a trial counts; a failed one without a reason comes from a dead worker."""
    return state in ("COMPLETE", "PRUNED") or (state == "FAIL" and REASON in attrs)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ledger:
    """The rows of one study.

    Attributes
    ----------
    storage : optuna.storages.RDBStorage
        As `open_storage` returns it.
    study_id : int
    """

    storage: "RDBStorage"
    study_id: int

    def transact(self, work: Callable[[Any], Result]) -> Result:
        """Run ``work(session)`` while no other worker's transaction on this study runs.

        A transaction that the database aborts for a temporary reason (a deadlock, a server restart)
        is tried again, so ``work`` may run more than once; only the last run has an effect.
        """
        from optuna.storages._rdb.models import StudyModel
        from sqlalchemy import select
        from sqlalchemy.exc import OperationalError
        from sqlalchemy.orm import Session

        lock = select(StudyModel.study_id).where(StudyModel.study_id == self.study_id)
        for pause in (*RETRY_SECONDS, None):
            try:
                with Session(self.storage.engine) as session, session.begin():
                    session.execute(lock.with_for_update()).one()
                    return work(session)
            except OperationalError:
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError

    # ------------------------------------------------------------ reading

    def rows(self, session: Any, *, since: int = 0) -> list[Row]:
        """Return the trials that have an ordinal, in the order in which they started.

        Parameters
        ----------
        session : sqlalchemy.orm.Session
        since : int
            Trials of lower numbers are left out.
        """
        from optuna.storages._rdb.models import TrialModel, TrialUserAttributeModel
        from sqlalchemy import select

        rows = {
            trial_id: Row(trial_id=trial_id, number=number, state=state.name)
            for trial_id, number, state in session.execute(
                select(TrialModel.trial_id, TrialModel.number, TrialModel.state)
                .where(TrialModel.study_id == self.study_id)
                .order_by(TrialModel.trial_id)
            )
        }
        attributes = TrialUserAttributeModel
        for trial_id, key, text in session.execute(
            select(attributes.trial_id, attributes.key, attributes.value_json)
            .join(TrialModel, TrialModel.trial_id == attributes.trial_id)
            .where(TrialModel.study_id == self.study_id)
            .where(attributes.key.in_((ORDINAL, REASON, LOST)))
        ):
            rows[trial_id].attrs[key] = json.loads(text)
        return [row for row in rows.values() if ORDINAL in row.attrs and row.number >= since]

    def has_trials(self, session: Any) -> bool:
        """Return whether there is any trial, with or without an ordinal."""
        from optuna.storages._rdb.models import TrialModel

        return session.query(TrialModel).filter_by(study_id=self.study_id).first() is not None

    def trial(self, session: Any, trial_id: int) -> "FrozenTrial":
        """Return one complete trial."""
        from optuna.storages._rdb.models import TrialModel

        model = session.get(TrialModel, trial_id)
        return self.storage._build_frozen_trial_from_trial_model(model)

    def notes(self, session: Any) -> dict[str, Any]:
        """Return the user attributes of the study."""
        from optuna.storages._rdb.models import StudyUserAttributeModel

        found = StudyUserAttributeModel.where_study_id(self.study_id, session)
        return {str(note.key): json.loads(str(note.value_json)) for note in found}

    # ------------------------------------------------------------ writing

    def note(self, session: Any, key: str, value: Any) -> None:
        """Set a user attribute of the study."""
        from optuna.storages._rdb.models import StudyUserAttributeModel

        about = {"study_id": self.study_id, "key": key}
        found = session.query(StudyUserAttributeModel).filter_by(**about).one_or_none()
        note = found or StudyUserAttributeModel(**about)
        note.value_json = json.dumps(value)
        session.add(note)

    def insert(self, session: Any, template: "FrozenTrial") -> int:
        """Insert a trial in the state RUNNING with its first heartbeat; return its id."""
        from optuna.storages._rdb.models import TrialHeartbeatModel

        # Optuna's create_new_trial would be a separate transaction, after our check.
        model = self.storage._get_prepared_new_trial(self.study_id, template, session)
        session.add(TrialHeartbeatModel(trial_id=model.trial_id))
        return int(str(model.trial_id))

    def end(
        self,
        session: Any,
        trial_id: int,
        state: str,
        *,
        values: Sequence[float] | None = None,
        attrs: Mapping[str, Any],
        intermediate: Mapping[int, float] | None = None,
        params: Mapping[str, tuple[Any, Any]] | None = None,
    ) -> bool:
        """End a trial; if it is no longer RUNNING, write nothing and return False.

        ``params`` are values with their distributions, by name.
        """
        from optuna.storages._rdb import models
        from optuna.trial import TrialState

        trial = session.get(models.TrialModel, trial_id)
        if trial is None or trial.state != TrialState.RUNNING:
            return False
        set_value = self.storage._set_trial_value_without_commit
        for objective, value in enumerate(values or ()):
            set_value(session, trial, objective, value)
        set_attr = self.storage._set_trial_attr_without_commit
        for key, content in attrs.items():
            set_attr(session, models.TrialUserAttributeModel, trial_id, key, content)
        set_step = self.storage._set_trial_intermediate_value_without_commit
        for step, value in (intermediate or {}).items():
            set_step(session, trial_id, step, value)
        set_param = self.storage._set_trial_param_without_commit
        for name, (content, distribution) in (params or {}).items():
            inside = distribution.to_internal_repr(content)
            set_param(session, trial_id, name, inside, distribution)
        trial.state = TrialState[state]
        trial.datetime_complete = datetime.now()
        return True

    def fail_stale(self, session: Any, rows: Sequence[Row]) -> None:
        """Fail the trials without a recent heartbeat, by the clock of the database."""
        from optuna.storages._rdb.models import TrialHeartbeatModel
        from sqlalchemy import func, select

        running = {row.trial_id: row for row in rows if row.is_running}
        if not running:
            return
        now = session.execute(select(func.now())).scalar_one().replace(tzinfo=None)
        grace = timedelta(seconds=self.storage.grace_period or 0)
        beats = TrialHeartbeatModel
        for trial_id, heard in session.execute(
            select(beats.trial_id, beats.heartbeat).where(beats.trial_id.in_(running))
        ).all():
            if now - heard <= grace:
                continue
            row = running[trial_id]
            others = [other for other in rows if other.ordinal == row.ordinal]
            n_lost = 1 + sum(other.attrs.get(LOST) == DIED for other in others)
            attrs = {LOST: DIED}
            if n_lost >= MOST_LOSSES:
                attrs[REASON] = f"its worker died {n_lost} times, probably out of memory"
            self.end(session, trial_id, "FAIL", attrs=attrs)
            row.state = "FAIL"
            row.attrs.update(attrs)
