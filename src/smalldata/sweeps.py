"""The trials of a sweep in a table: one row, the best of them, said to be optimistic.

Step in the line: RunRecords -> **one group a row** -> comparison. A sweep tries many cells on the
same outer folds and shows the best, so its score is better than the search deserves; it counts as
one model in Holm's adjustment, and the table names the command that would score it honestly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smalldata.cellscores import cell_scores
from smalldata.measures import Measure
from smalldata.results import RunRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """The records that make one row.

    Attributes
    ----------
    best : RunRecord
        That the row shows; the only one, of a cell that was run by itself.
    n_trials : int or None
        Different cells that were tried; None where it was no sweep.
    """

    best: RunRecord
    n_trials: int | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What tells the row from others; numbers that a sampler drew are cut to four digits."""
        if self.n_trials is None:
            return dict(self.best.settings)
        cut = {
            key: float(f"{value:.4g}") if isinstance(value, float) else value
            for key, value in self.best.settings.items()
        }
        return {f"best of {self.n_trials} trials": True, **cut}

    @property
    def note(self) -> str:
        """Say that the row is optimistic, and what to run instead; "" where it is not."""
        if self.n_trials is None:
            return ""
        said = (
            f"The best of {self.n_trials} {self.best.model} trials of a sweep was chosen by the "
            "folds it is scored on, so its score is optimistic"
        )
        instead = about_sweep(self.best).get("instead")
        return f"{said}; honest, with the same space: {instead}" if instead else f"{said}."


def about_sweep(record: RunRecord) -> Mapping[str, Any]:
    """Return what a cell says of the sweep it belongs to."""
    found: Mapping[str, Any] = record.environment.get("sweep", {})
    return found


def group_trials(records: Sequence[RunRecord], measure: Measure) -> list[Trials]:
    """Gather the trials of each sweep, in the order of the first one given.

    The best is that with the best mean; of equal means the earlier trial, and where no trial has a
    mean the earliest.
    """
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(str(record.identity.get("sweep", record.hash)), []).append(record)
    sign = -1.0 if measure.higher_is_better else 1.0

    def order(record: RunRecord) -> tuple[bool, float, int, str]:
        mean = cell_scores(record, measure).mean
        trial = about_sweep(record).get("trial")
        number = 0 if trial is None else int(trial)
        return (mean is None, sign * (mean or 0.0), number, record.hash)

    return [
        Trials(
            best=group[0] if len(group) == 1 else min(group, key=order),
            n_trials=len(group) if "sweep" in group[0].identity else None,
        )
        for group in groups.values()
    ]
