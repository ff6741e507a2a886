"""The trials of a sweep in a table: one row for the best trial, marked as optimistic.

Step in the line: RunRecords -> **one group a row** -> comparison. A sweep tries many cells on the
same outer folds and shows the best, so its score is optimistic. It counts as one model in Holm's
adjustment, and the table gives the command that scores the same search honestly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smalldata.comparison.scores import cell_scores
from smalldata.measures.registry import Measure
from smalldata.results.record import RunRecord, cell_label, settings_text


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """The records that make one row.

    Attributes
    ----------
    best : RunRecord
        The record that the row shows; the only one if the cell is not part of a sweep.
    n_trials : int or None
        Number of different cells tried; None if it is not a sweep.
    instead : str
        Command that scores the same search honestly; "" if there is none.
    """

    best: RunRecord
    n_trials: int | None = None
    instead: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that distinguish the row; numbers from a sampler are cut to four digits."""
        if self.n_trials is None:
            return dict(self.best.settings)
        cut = {
            key: float(f"{value:.4g}") if isinstance(value, float) else value
            for key, value in self.best.settings.items()
        }
        return {f"best of {self.n_trials} trials": True, **cut}

    @property
    def note(self) -> str:
        """Say what to run instead of trusting the row; "" if it can be trusted."""
        if self.n_trials is None:
            return ""
        label = cell_label(self.best.model, settings_text(self.settings))
        if not self.instead:
            return (
                f"{label}: its score is optimistic; as a grid (-m without hydra/sweeper) every "
                "trial is a row of its own."
            )
        return f"{label}: its score is optimistic; the same search inside the folds: {self.instead}"


def group_trials(records: Sequence[RunRecord], measure: Measure) -> list[Trials]:
    """Group the trials of each sweep, in the order of the first one given.

    The best trial has the best mean; ties go to the earlier trial, and if no trial has a mean the
    earliest is taken.
    """
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(str(record.identity.get("sweep", record.hash)), []).append(record)
    sign = -1.0 if measure.higher_is_better else 1.0

    def order(record: RunRecord) -> tuple[bool, float, int, str]:
        mean = cell_scores(record, measure).mean
        return (mean is None, sign * (mean or 0.0), _number(record), record.hash)

    return [
        Trials(
            best=min(group, key=order),
            n_trials=len(group),
            # From the last trial, since the sweep may have been extended after the first.
            instead=str(_about(max(group, key=_number)).get("instead", "")),
        )
        if "sweep" in group[0].identity
        else Trials(best=group[0])
        for group in groups.values()
    ]


def _number(record: RunRecord) -> int:
    return int(_about(record).get("trial") or 0)


def _about(record: RunRecord) -> Mapping[str, Any]:
    found: Mapping[str, Any] = record.environment.get("sweep", {})
    return found
