"""A cell before it runs, and a cell read back from its folder with the plan that made it.

Step in the line: config -> **Plan** -> everything that runs.
"""

from dataclasses import dataclass
from pathlib import Path

from smalldata.config.build import RunConfig
from smalldata.evaluation.cell import Cell
from smalldata.panel.selector import SignatureSelector
from smalldata.results.folds import Splits
from smalldata.results.record import RunRecord
from smalldata.store.cell_folder import CellFolder
from smalldata.store.splits_folder import splits_folder
from smalldata.task import Task
from smalldata.tuning.tuner import OptunaTuner


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A cell before it runs, after every check that needs no fit."""

    config: RunConfig
    cell: Cell
    record: RunRecord

    @property
    def task(self) -> Task:
        """The task of the cell."""
        return self.cell.task

    @property
    def splits(self) -> Splits:
        """The splits of the cell."""
        return self.cell.splits

    @property
    def tuner(self) -> OptunaTuner | None:
        """The tuner of the cell."""
        tuner = self.cell.tuner
        assert tuner is None or isinstance(tuner, OptunaTuner)
        return tuner

    @property
    def selector(self) -> SignatureSelector | None:
        """The selector of the cell's panel."""
        selector = self.cell.selector
        assert selector is None or isinstance(selector, SignatureSelector)
        return selector

    @property
    def table_folder(self) -> Path:
        """Folder of the comparison the cell belongs to."""
        return splits_folder(Path(self.config.outputs), self.task, self.splits)

    @property
    def folder(self) -> CellFolder:
        """Folder of the cell."""
        return CellFolder(self.table_folder / self.record.folder)

    @property
    def title(self) -> str:
        """Its name in the progress messages."""
        n_train = self.record.train_size
        size = "" if n_train is None else f", {n_train} samples"
        return f"{self.record.label}{size} on {self.record.dataset}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Stored:
    """A cell read back from its folder, with the plan that made it."""

    plan: Plan
    record: RunRecord
    folder: CellFolder

    @property
    def task(self) -> Task:
        """The task of the plan."""
        return self.plan.task
