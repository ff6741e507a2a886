"""A trial of a shared study that this process works on: kept alive, finished or given back.

Used by `study`, which hands out claims.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from smalldata.tuning.shared.ledger import LOST, REASON

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_GIVEN_BACK = "its worker was interrupted"

End = Callable[..., bool]
"""``(trial_id, state, **told)``: returns whether this process still held the trial."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Claim:
    """A trial that this process works on; inside its context, heartbeats are sent.

    If the context ends without `finish` (an exception, Ctrl-C), the trial is given back at once.

    Attributes
    ----------
    storage : optuna.storages.RDBStorage
    end : callable
        Ends the trial in its study.
    ordinal : int
        From 0; a trial of a dead worker keeps its ordinal.
    params, user_attrs : mapping
        As proposed.
    trial_id : int
        In the database.
    """

    storage: "RDBStorage"
    end: End
    ordinal: int
    trial_id: int
    params: Mapping[str, Any]
    user_attrs: Mapping[str, Any]
    _stop: threading.Event = field(default_factory=threading.Event)
    _told: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Claim":
        """Start sending heartbeats."""
        thread = threading.Thread(target=self._beat, daemon=True)
        self._threads.append(thread)
        thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the trial back if it was not finished."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._told.is_set():
            return
        with suppress(Exception):  # it will be found stale; the original error matters more
            self.end(self.trial_id, "FAIL", attrs={LOST: _GIVEN_BACK})

    def finish(
        self,
        values: Sequence[float] | None = None,
        *,
        state: str = "COMPLETE",
        attrs: Mapping[str, Any] | None = None,
        intermediate: Mapping[int, float] | None = None,
        params: Mapping[str, Any] | None = None,
        distributions: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> bool:
        """Store the result of the trial.

        Parameters
        ----------
        values : sequence of float, optional
            None if it failed.
        state : {"COMPLETE", "PRUNED", "FAIL"}
        attrs : mapping, optional
            User attributes.
        intermediate : mapping of int to float, optional
            Intermediate values by step.
        params, distributions : mapping, optional
            Parameters in addition to those proposed, and their distributions.
        reason : str
            Why it failed; a failed trial has one.

        Returns
        -------
        bool
            False if the trial was given to another worker in the meantime; then this result is
            dropped and theirs counts.
        """
        if (state == "FAIL") != bool(reason):
            raise ValueError("a failed trial has a reason, and no other")
        told = {**(attrs or {}), **({REASON: reason} if reason else {})}
        kept = self.end(
            self.trial_id,
            state,
            values=values,
            attrs=told,
            intermediate=intermediate or {},
            params={
                name: (value, (distributions or {})[name]) for name, value in (params or {}).items()
            },
        )
        self._told.set()
        return kept

    def _beat(self) -> None:
        interval = self.storage.heartbeat_interval
        try:
            while not self._stop.wait(interval):
                with suppress(Exception):  # the next beat may reach the database again
                    self.storage.record_heartbeat(self.trial_id)
        finally:
            self.storage.remove_session()
