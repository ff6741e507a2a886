"""The folder of one cell on disk: its record, explanations, weights and panel, and what to redo.

`fold_folder`, `trial_log`, `permutations` and `permuted_scores` own the folders below it,
`cell_seals` the checksums.
Every file carries ``schema_version``: json as a key, parquet in its metadata, npz as an array;
``comparison.csv`` and ``predictions.csv`` have that of the ``comparison.json`` next to them. To
detect torn, foreign and edited files, each json file has the checksum of its own content, a fold's
json that of its predictions, and ``seals.json`` that of every other binary file in its folder. A
trial log is sealed line by line, and the json of its fold gives the number of trials.
Step in the line: fold results -> **files** -> records.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from smalldata.errors import RecordError
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation
from smalldata.results.folds import FoldResult, Trial
from smalldata.results.panel import Panel, Selection, Substitute
from smalldata.results.record import RESULTS_VERSION, RunRecord
from smalldata.runtime import files
from smalldata.runtime.sealing import (
    DamageError,
    damage_if_odd,
    frozen,
    read_sealed,
    sealed,
    write_sealed,
)
from smalldata.store.binary import (
    explanation_bytes,
    read_explanation_bytes,
    read_weights_bytes,
    weights_bytes,
)
from smalldata.store.cell_seals import resume_seals
from smalldata.store.fold_folder import FoldFolder, read_json
from smalldata.store.permutations import PermutationFolder
from smalldata.store.permuted_scores import PermutedScoresFolder
from smalldata.store.trial_log import TrialFolder, read_importances, read_trials, write_trials
from smalldata.task import Task, TaskKind

FindChosen = Callable[[Sequence[Trial], Mapping[str, Any]], Trial | None]
Weigh = Callable[[Mapping[str, Sequence[Trial]]], Mapping[str, Any]]
_CELL_LITTER = (
    ".[!r]*.tmp",
    ".record.json.*.tmp",
    "folds/.*.tmp",
    "explanation/.*.tmp",
    "explanation/null-*/.*.tmp",
    "permutations/*/.*.tmp",
    "tuning/.*.tmp",
    "weights/.*.tmp",
)
"""Half-written files that a cell's lock covers."""
_OWN_FILES = ("folds", "permuted")
"""Fields of a record that are not in its json."""


class CellFolder:
    """The folder ``<model>-<hash>`` of one cell.

    Call writers and `resume` under `lock`; reading needs no lock, since every file is whole.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @property
    def hash(self) -> str:
        """The hash in the folder's name, which each file in it must have."""
        return self.path.name.rpartition("-")[2]

    @property
    def is_done(self) -> bool:
        """True once the whole cell is on disk."""
        return all((self.path / name).is_file() for name in ("DONE", "record.json"))

    def lock(self, *, on_wait: Callable[[str], None] | None = None) -> AbstractContextManager[None]:
        """Lock the cell for this process, and remove half-written files of a killed one."""
        return files.lock_folder(self.path, on_wait=on_wait, litter=_CELL_LITTER)

    @property
    def folds(self) -> FoldFolder:
        """The folds, ``folds/``."""
        return FoldFolder(self.path / "folds", self.hash)

    @property
    def trials(self) -> TrialFolder:
        """The tuning logs, ``tuning/``; passed to the processes that tune."""
        return TrialFolder(self.path / "tuning", self.hash)

    def write_text(self, name: str, text: str) -> None:
        """Write ``config.yaml``, ``report.html`` and the like."""
        files.write_file(self.path / name, text)

    def read_text(self, name: str) -> str:
        """Read ``config.yaml``.

        Raises
        ------
        RecordError
            If it is missing or not text.
        """
        path = self.path / name
        with damage_if_odd(path):
            return files.read_file(path).decode()

    # ------------------------------------------------------------ folds

    def write_fold(self, result: FoldResult, task: Task) -> None:
        """Write one fold, once its trials are safe on disk: its json vouches for their number."""
        self.trials.sync(result.name)
        self.folds.write(result, task)

    def read_folds(self) -> tuple[FoldResult, ...]:
        """Read all folds, in order of repeat and fold.

        Raises
        ------
        RecordError
            If a file is torn, foreign, edited or of another schema version.
        """
        return self.folds.read()

    def resume(self) -> tuple[tuple[FoldResult, ...], tuple[str, ...]]:
        """Return the folds that need no new fit, and a sentence for each file set aside.

        A torn, foreign or edited file is renamed to ``….damaged`` and the cell is no longer done. A
        failed fold is left out, so that it is tried again.
        """
        kept, sentences = [], []
        for path in self.folds.paths():
            try:
                kept.append(self.folds.read_fold(path))
            except DamageError as error:
                sentences.append(f"{error} It was set aside and the fold is computed again.")
                self._set_aside(path, path.with_suffix(".parquet"))
        record = self.path / "record.json"
        if record.is_file():
            try:
                read_json(self.hash, record)
            except DamageError as error:
                sentences.append(f"{error} It was set aside and is written again.")
                self._set_aside(record)
        sentences += resume_seals(self.path)
        return tuple(result for result in kept if result.status == "ok"), tuple(sentences)

    # ------------------------------------------------------------ trials.parquet

    def write_trials(
        self,
        folds: Sequence[FoldResult],
        *,
        find_chosen: FindChosen,
        measure: str,
        weigh: Weigh | None = None,
    ) -> None:
        """Collect the logs of the outer folds in ``trials.parquet``.

        Parameters
        ----------
        folds : sequence of FoldResult
        find_chosen : callable
            Maps the trials of an outer fold and its values to the trial it was fitted with.
        measure : str
            The measure of the scores.
        weigh : callable, optional
            Maps the trials, by name of outer fold, to the importances of the hyperparameters.
        """
        trials, chosen = {}, {}
        for fold in folds:
            key = (fold.repeat, fold.fold)
            trials[key] = self.trials.start(fold.name)
            if (trial := find_chosen(trials[key], fold.values)) is not None:
                chosen[key] = trial.ordinal
        named = {fold.name: trials[fold.repeat, fold.fold] for fold in folds}
        write_trials(
            self.path / "trials.parquet",
            trials,
            chosen=chosen,
            measure=measure,
            importances=None if weigh is None else weigh(named),
        )

    def read_trials(self) -> tuple[dict[str, Any], str] | None:
        """Read the columns of ``trials.parquet`` and the measure of its scores; None if missing.

        Raises
        ------
        RecordError
            If it is torn, edited or of another schema version.
        """
        path = self.path / "trials.parquet"
        return read_trials(path) if path.is_file() else None

    def read_importances(self) -> dict[str, Any] | None:
        """Read the importances in ``trials.parquet``; None if either is missing.

        Raises
        ------
        RecordError
            If it is torn, edited or of another schema version.
        """
        path = self.path / "trials.parquet"
        return read_importances(path) if path.is_file() else None

    def resume_trials(self) -> str:
        """Say why ``trials.parquet`` must be made again; "" if it is fine."""
        path = self.path / "trials.parquet"
        try:
            return f"{path} is missing." if self.read_trials() is None else ""
        except DamageError as error:
            files.set_aside(path)
            return f"{error} It was set aside."

    def discard_trials(self) -> None:
        """Set ``trials.parquet`` aside, since it does not belong to the present folds."""
        files.set_aside(self.path / "trials.parquet")

    # ------------------------------------------------------------ record.json and DONE

    def write_record(self, record: RunRecord) -> None:
        """Write ``record.json``, without folds, and, if nothing is missing, ``DONE`` last."""
        entry = {
            field.name: getattr(record, field.name)
            for field in fields(RunRecord)
            if field.name not in _OWN_FILES
        }
        extra = {"results_version": RESULTS_VERSION, "cell": record.hash, "status": record.status}
        if record.tuning:
            extra["tuning"] = record.tuning
        files.write_file(self.path / "record.json", sealed({**extra, **entry}))
        if record.status == "failed":
            files.remove_file(self.path / "DONE")
        else:
            files.write_file(self.path / "DONE", sealed({"cell": record.hash}))

    def read_record(self, *, folds: Sequence[FoldResult] | None = None) -> RunRecord:
        """Read the record without permutations; give ``folds`` if they have been read already.

        Raises
        ------
        RecordError
            If the folder is not a finished cell, or a file is torn, foreign, edited or of another
            schema version.
        """
        path = self.path / "record.json"
        if not path.is_file():
            raise RecordError(
                f"{self.path} must be the folder of a finished cell; it has no record.json. "
                "Run its command again, or name another folder."
            )
        entry = read_json(self.hash, path)
        with damage_if_odd(path):
            names = [field.name for field in fields(RunRecord) if field.name not in _OWN_FILES]
            values = {name: entry[name] for name in names}
            values["kind"] = TaskKind(values["kind"])
            values["classes"] = tuple(values["classes"])
            for name in ("settings", "groups"):
                values[name] = frozen(values[name])
            found = tuple(self.read_folds() if folds is None else folds)
            record = RunRecord(**values, folds=found)
            if record.hash != self.hash:
                raise ValueError("its identity does not match the hash in the folder's name")
        return record

    # ------------------------------------------------------------ permutations/<measure>

    def permuted_scores(self, measure: str) -> PermutedScoresFolder:
        """Return the folder of the scores on permuted labels, on one measure."""
        return PermutedScoresFolder(path=self.path / "permutations" / measure, cell=self.hash)

    def with_permuted(self, record: RunRecord) -> RunRecord:
        """Return the record with the scores on permuted labels that are stored.

        Raises
        ------
        RecordError
            If a file is torn, foreign, edited or of another schema version.
        """
        measures = [path.name for path in sorted((self.path / "permutations").glob("*"))]
        found = {measure: self.permuted_scores(measure).read() for measure in measures}
        return replace(
            record, permuted={name: null for name, null in found.items() if len(null.values)}
        )

    # ------------------------------------------------------------ explanation/<hash>.npz

    def write_explanation(self, explanation: Explanation) -> None:
        """Write ``explanation/<hash>.npz``; it loads with ``allow_pickle=False``."""
        content = explanation_bytes(explanation, cell=self.hash)
        write_sealed(self._explanation_path(explanation.hash), content)

    def read_explanation(self, key: str) -> Explanation | None:
        """Read the explanation with this hash of its options, or None if there is none.

        Raises
        ------
        RecordError
            If the file is torn, foreign, edited or of another schema version.
        """
        path = self._explanation_path(key)
        if not path.is_file():
            return None
        return read_explanation_bytes(path, read_sealed(path), cell=self.hash, key=key)

    def resume_explanation(self, key: str) -> tuple[Explanation | None, str]:
        """Return the explanation, if stored and intact, and a sentence if it was set aside."""
        try:
            return self.read_explanation(key), ""
        except DamageError as error:
            files.set_aside(self._explanation_path(key))
            return None, f"{error} It was set aside and is computed again."

    def explanation_keys(self) -> tuple[str, ...]:
        """Return the hash of every explanation of the cell, in order."""
        return tuple(sorted(path.stem for path in (self.path / "explanation").glob("*.npz")))

    def permutations(self, explanation: Explanation) -> PermutationFolder:
        """Return the folder of the permuted labels that go with this explanation."""
        key = explanation.null_hash
        return PermutationFolder(
            path=self.path / "explanation" / f"null-{key}",
            cell=self.hash,
            key=key,
            n_features=len(explanation.feature_names),
        )

    def read_null(self, explanation: Explanation) -> NullImportances | None:
        """Read the importances on permuted labels, next to those of their explanation.

        Raises
        ------
        RecordError
            If a file is torn, foreign, edited or of another schema version.
        """
        values = self.permutations(explanation).read()
        if not len(values):
            return None
        return NullImportances(
            permutation=np.arange(len(values)),
            values=values,
            observed=explanation.first_importances,
        )

    # ------------------------------------------------------------ weights/

    def write_weights(self, fold: str, weights: Mapping[str, Any]) -> None:
        """Write ``weights/<fold>.safetensors``: the arrays that the model of a fold learned."""
        content = weights_bytes(weights, cell=self.hash, fold=fold)
        write_sealed(self._weights_path(fold), content)

    def read_weights(self, fold: str) -> dict[str, Any] | None:
        """Read ``weights/<fold>.safetensors``, or None if there is none.

        Raises
        ------
        RecordError
            If the file is torn, foreign, edited or of another schema version.
        """
        path = self._weights_path(fold)
        if not path.is_file():
            return None
        return read_weights_bytes(path, read_sealed(path), cell=self.hash)

    def resume_weights(self, fold: str) -> tuple[bool, str]:
        """Say whether the weights of a fold are there, and a sentence if they were set aside."""
        try:
            return self.read_weights(fold) is not None, ""
        except DamageError as error:
            files.set_aside(self._weights_path(fold))
            return False, f"{error} It was set aside and is written again."

    # ------------------------------------------------------------ signature.json

    def write_panel(self, panel: Panel) -> None:
        """Write ``signature.json``: the panel of all rows."""
        content = sealed({"cell": self.hash, **asdict(panel)})
        files.write_file(self.path / "signature.json", content)

    def read_panel(self) -> Panel | None:
        """Read the panel of all rows, or None if there is none.

        Raises
        ------
        RecordError
            If the file is torn, foreign, edited or of another schema version.
        """
        path = self.path / "signature.json"
        if not path.is_file():
            return None
        entry = read_json(self.hash, path)
        with damage_if_odd(path):
            return Panel(
                selection=Selection(**frozen(entry["selection"])),
                substitutes=tuple(Substitute(**found) for found in entry["substitutes"]),
                **{name: entry[name] for name in ("score", "error", "seconds")},
            )

    def resume_panel(self) -> tuple[Panel | None, str]:
        """Return the panel, if stored and intact, and a sentence if it was set aside."""
        try:
            return self.read_panel(), ""
        except DamageError as error:
            files.set_aside(self.path / "signature.json")
            return None, f"{error} It was set aside and is computed again."

    # ------------------------------------------------------------ inside

    def _weights_path(self, fold: str) -> Path:
        return self.path / "weights" / f"{fold}.safetensors"

    def _explanation_path(self, key: str) -> Path:
        return self.path / "explanation" / f"{key}.npz"

    def _set_aside(self, *paths: Path) -> None:
        files.remove_file(self.path / "DONE")
        for path in paths:
            files.set_aside(path)
