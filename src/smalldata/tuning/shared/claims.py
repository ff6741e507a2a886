"""One trial of a shared study in the hands of this process: kept alive, finished or given back.

Used by `sharing`, which hands claims out.
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
"""``(trial_id, state, **told)``: whether the trial was still in the hands of this process."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Claim:
    """One trial in the hands of this process; a context in which it is said to be alive.

    Left without `finish` (an exception, Ctrl-C), the trial is given back at once.

    Attributes
    ----------
    storage : optuna.storages.RDBStorage
    end : callable
        Ends the trial in its study.
    ordinal : int
        From 0; a trial that a dead worker left keeps its own.
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
        """Begin to say that the trial is alive."""
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
        """Give the trial back where it was not finished."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._told.is_set():
            return
        with suppress(Exception):  # it will be found stale; what is being raised matters more
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
        """Store what came of the trial.

        Parameters
        ----------
        values : sequence of float, optional
            None where it failed.
        state : {"COMPLETE", "PRUNED", "FAIL"}
        attrs : mapping, optional
            User attributes.
        intermediate : mapping of int to float, optional
            Intermediate values by step.
        params, distributions : mapping, optional
            Parameters beside those proposed, and the distributions they are of.
        reason : str
            Why it failed; a failed trial has one.

        Returns
        -------
        bool
            False where the trial was given to another worker in the meantime: the result is
            dropped, and theirs counts.
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
