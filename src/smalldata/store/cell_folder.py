"""The disk format of everything below outputs/: what the folders hold, and how to read it back.

The only file that knows it, with `formats` for what the binary files hold, `trials` for those of
the tuning and `permutations` for those of permuted labels. Every file carries
``schema_version``: json as a key, parquet in its metadata, npz as an array; ``comparison.csv`` and
``predictions.csv`` hold that of ``comparison.json`` beside them. A json file also carries the
checksum of its own content, a fold's json that of its predictions, ``seals.json`` that of each
other binary file beside it, so that a torn, foreign or edited file is told from a good one. A log
of trials is sealed line by line, and the json of its fold says how many there are.
Step in the line: fold results -> **files** -> records.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from smalldata.errors import RecordError
from smalldata.results.evidence import NullImportances
from smalldata.results.explanation import Explanation
from smalldata.results.folds import FoldResult, Score, Splits, Trial
from smalldata.results.loss_curves import LossCurves
from smalldata.results.panel import Panel, Selection, Substitute
from smalldata.results.record import RESULTS_VERSION, RunRecord
from smalldata.runtime import files
from smalldata.runtime.sealing import (
    SEALS,
    DamageError,
    damage_if_odd,
    frozen,
    lack_seals,
    opened,
    read_sealed,
    read_seals,
    seal_files,
    sealed,
    write_sealed,
)
from smalldata.store.binary import (
    explanation_bytes,
    prediction_bytes,
    read_explanation_bytes,
    read_prediction_bytes,
    read_splits_bytes,
    read_weights_bytes,
    splits_bytes,
    weights_bytes,
)
from smalldata.store.permutations import PermutationFolder
from smalldata.store.trial_log import TrialFolder, read_importances, read_trials, write_trials
from smalldata.task import Task, TaskKind

Choose = Callable[[Sequence[Trial]], Trial | None]
Weigh = Callable[[Mapping[str, Sequence[Trial]]], Mapping[str, Any]]
_CELL_LITTER = (
    ".[!r]*.tmp",
    ".record.json.*.tmp",
    "folds/.*.tmp",
    "explanation/.*.tmp",
    "explanation/null-*/.*.tmp",
    "tuning/.*.tmp",
    "weights/.*.tmp",
)
_TABLE_LITTER = (".[!s]*.tmp", "*/.report.html.*.tmp")
"""Half-written files by the lock they are written under; splits.parquet is under neither."""
_FOLD_PARTS: Mapping[str, type] = {"selection": Selection, "losses": LossCurves}
"""Optional parts of a fold's json."""
_MOST_NAMED = 3
_FOLD_NAME = re.compile(r"r(\d{2,})f(\d{2,})")


def splits_folder(outputs: Path, task: Task, splits: Splits) -> Path:
    """Return ``outputs/<dataset>/<cv>``."""
    return Path(outputs) / files.safe_name(task.dataset.name) / files.safe_name(splits.folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all (comparison.csv, index.html …).

    Raises
    ------
    RecordError
        If the disk is full or the folder cannot be written.
    """
    files.write_file(path, text)


def lock_comparison(
    folder: Path, *, on_wait: Callable[[str], None] | None = None
) -> AbstractContextManager[None]:
    """Hold the folder of one set of splits while its table is derived and written."""
    return files.lock_folder(folder, on_wait=on_wait, litter=_TABLE_LITTER)


# ---------------------------------------------------------------- splits.parquet


def write_splits(folder: Path, splits: Splits, task: Task) -> None:
    """Write ``splits.parquet`` unless the same splits are there already.

    Raises
    ------
    RecordError
        If the folder holds other splits: two sets of folds never share one folder.
    """
    path = folder / "splits.parquet"
    if path.is_file():
        try:
            found = read_splits(folder)
        except DamageError:
            found = None
        if found is not None and found.key == splits.key:
            return
        if found is not None:
            raise RecordError(
                f"{folder} must hold one set of folds; it holds {found.key[:6]} and this run makes "
                f"{splits.key[:6]}, since the ids, target or groups of {task.dataset.name!r} have "
                "changed. Move the folder away or set outputs=DIR."
            )
    files.write_file(path, splits_bytes(splits, task))


def read_splits(folder: Path) -> Splits:
    """Read ``splits.parquet`` of a splits folder.

    Raises
    ------
    RecordError
        If it is missing, torn, edited or of another schema version.
    """
    path = folder / "splits.parquet"
    return read_splits_bytes(path, files.read_file(path))


# ---------------------------------------------------------------- one cell


class CellFolder:
    """The folder ``<model>-<hash>`` of one cell.

    Writing and `resume` belong under `lock`; reading needs none, since every file is whole.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @property
    def hash(self) -> str:
        """The hash in the folder's name; each file in it must carry the same."""
        return self.path.name.rpartition("-")[2]

    @property
    def is_done(self) -> bool:
        """True once the whole cell is on disk."""
        return all((self.path / name).is_file() for name in ("DONE", "record.json"))

    def lock(self, *, on_wait: Callable[[str], None] | None = None) -> AbstractContextManager[None]:
        """Hold the cell for this process and remove what a killed one left half written."""
        return files.lock_folder(self.path, on_wait=on_wait, litter=_CELL_LITTER)

    @property
    def trials(self) -> TrialFolder:
        """The logs of the tuning, ``tuning/``; handed to the processes that tune."""
        return TrialFolder(self.path / "tuning", self.hash)

    def write_text(self, name: str, text: str) -> None:
        """Write ``config.yaml``, ``report.html`` and the like."""
        files.write_file(self.path / name, text)

    def read_text(self, name: str) -> str:
        """Read ``config.yaml``.

        Raises
        ------
        RecordError
            If it is missing or no text.
        """
        path = self.path / name
        with damage_if_odd(path):
            return files.read_file(path).decode()

    # ------------------------------------------------------------ folds

    def write_fold(self, result: FoldResult, task: Task) -> None:
        """Write one fold: its predictions, then the json that vouches for them."""
        path = self.path / "folds" / result.name
        digest = None
        if result.prediction is not None:
            content = prediction_bytes(result, task)
            digest = hashlib.sha256(content).hexdigest()
            files.write_file(path.with_suffix(".parquet"), content)
        entry = {field.name: getattr(result, field.name) for field in fields(FoldResult)}
        entry["scores"] = {name: asdict(score) for name, score in result.scores.items()}
        entry["prediction"] = digest
        for name in _FOLD_PARTS:
            part = getattr(result, name)
            entry[name] = None if part is None else asdict(part)
        self.trials.sync(result.name)  # the json vouches for the number of its trials
        files.write_file(path.with_suffix(".json"), sealed({"cell": self.hash, **entry}))

    def read_folds(self) -> tuple[FoldResult, ...]:
        """Read all folds, in order of repeat and fold.

        Raises
        ------
        RecordError
            If a file is torn, foreign, edited or of another schema version.
        """
        return tuple(self._read_fold(path) for path in self._fold_paths())

    def resume(self) -> tuple[tuple[FoldResult, ...], tuple[str, ...]]:
        """Return the folds that need no new fit, and a sentence for each file that was set aside.

        A file that is torn, foreign or edited is renamed to ``….damaged`` and the cell is no longer
        done; a failed fold is left out, so that it is tried again.
        """
        kept, sentences = [], []
        for path in self._fold_paths():
            try:
                kept.append(self._read_fold(path))
            except DamageError as error:
                sentences.append(f"{error} It was set aside and the fold is computed again.")
                self._set_aside(path, path.with_suffix(".parquet"))
        record = self.path / "record.json"
        if record.is_file():
            try:
                self._read_sealed(record)
            except DamageError as error:
                sentences.append(f"{error} It was set aside and is written again.")
                self._set_aside(record)
        sentences += self.resume_seals()
        return tuple(result for result in kept if result.status == "ok"), tuple(sentences)

    # ------------------------------------------------------------ seals.json

    def resume_seals(self) -> tuple[str, ...]:
        """Set aside a `seals.json` that was edited, with all it vouched for; a sentence for each.

        What is set aside is made again where it is asked for.
        """
        sentences = []
        for folder, paths in self._sealed_files().items():
            try:
                read_seals(folder)
            except DamageError as error:
                for path in (*paths, folder / SEALS):  # last, so that a kill changes nothing
                    files.set_aside(path)
                n = len(paths)
                sentences.append(
                    f"{error} It was set aside with the {n} file{'s' if n != 1 else ''} it vouched "
                    "for; what is asked for is made again."
                )
        return tuple(sentences)

    def lacks_seals(self) -> bool:
        """Whether a file was written before there were seals.

        Raises
        ------
        RecordError
            If a `seals.json` was edited or is of another schema version.
        """
        return any(lack_seals(paths) for paths in self._sealed_files().values())

    def seal_files(self) -> None:
        """Seal what was written before there were seals, as it is; belongs under `lock`.

        Raises
        ------
        RecordError
            If a `seals.json` was edited or is of another schema version, or cannot be written.
        """
        for paths in self._sealed_files().values():
            seal_files(paths)

    # ------------------------------------------------------------ trials.parquet

    def write_trials(
        self,
        folds: Sequence[FoldResult],
        *,
        choose: Choose,
        measure: str,
        weigh: Weigh | None = None,
    ) -> None:
        """Gather the logs of the outer folds into ``trials.parquet``.

        Parameters
        ----------
        folds : sequence of FoldResult
        choose : callable
            Trials of an outer fold -> the one it was fitted with.
        measure : str
            That of the scores.
        weigh : callable, optional
            Trials by the name of their outer fold -> importances of the hyperparameters.
        """
        trials, chosen = {}, {}
        for fold in folds:
            key = (fold.repeat, fold.fold)
            trials[key] = self.trials.start(fold.name)
            if (best := choose(trials[key])) is not None:
                chosen[key] = best.ordinal
        named = {fold.name: trials[fold.repeat, fold.fold] for fold in folds}
        write_trials(
            self.path / "trials.parquet",
            trials,
            chosen=chosen,
            measure=measure,
            importances=None if weigh is None else weigh(named),
        )

    def read_trials(self) -> tuple[dict[str, Any], str] | None:
        """Read ``trials.parquet``: its columns and the measure of the scores; None without it.

        Raises
        ------
        RecordError
            If it is torn, edited or of another schema version.
        """
        path = self.path / "trials.parquet"
        return read_trials(path) if path.is_file() else None

    def read_importances(self) -> dict[str, Any] | None:
        """Read the importances in ``trials.parquet``; None without it, or without them.

        Raises
        ------
        RecordError
            If it is torn, edited or of another schema version.
        """
        path = self.path / "trials.parquet"
        return read_importances(path) if path.is_file() else None

    def resume_trials(self) -> str:
        """Say why ``trials.parquet`` must be made again; "" if it need not be."""
        path = self.path / "trials.parquet"
        try:
            return f"{path} is missing." if self.read_trials() is None else ""
        except DamageError as error:
            files.set_aside(path)
            return f"{error} It was set aside."

    def discard_trials(self) -> None:
        """Set ``trials.parquet`` aside: it is not of the folds that are there now."""
        files.set_aside(self.path / "trials.parquet")

    def short_logs(self, folds: Sequence[FoldResult]) -> str:
        """Say which logs hold fewer trials than their folds were tuned with; "" if none does."""
        short = []
        for fold in folds:
            asked = fold.tuning.get("trials", 0) if fold.status == "ok" else 0
            if asked and (found := len(self.trials.start(fold.name))) < asked:
                short.append((fold.name, f"{fold.name}.jsonl ({found} of {asked})"))
        if not short:
            return ""
        shown = ", ".join(text for _, text in short[:_MOST_NAMED])
        more = f" and {len(short) - _MOST_NAMED} more" if len(short) > _MOST_NAMED else ""
        return (
            f"{self.trials.path} must hold all trials its folds were tuned with; some are lost in "
            f"{shown}{more}. Put the logs back from a copy; or delete "
            f"{self.path / 'folds' / short[0][0]}.json"
            f"{' and likewise for the others' if len(short) > 1 else ''}, and run the same command "
            "again, which tunes the fold anew."
        )

    # ------------------------------------------------------------ record.json and DONE

    def write_record(self, record: RunRecord) -> None:
        """Write ``record.json`` (without the folds) and, if nothing is missing, ``DONE`` last."""
        entry = {
            field.name: getattr(record, field.name)
            for field in fields(RunRecord)
            if field.name != "folds"
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
        """Read the whole record; ``folds`` spares reading them a second time.

        Raises
        ------
        RecordError
            If the folder is no finished cell, or a file is torn, foreign, edited or of another
            schema version.
        """
        path = self.path / "record.json"
        if not path.is_file():
            raise RecordError(
                f"{self.path} must be the folder of a finished cell; it has no record.json. "
                "Run its command again, or name another folder."
            )
        entry = self._read_sealed(path)
        with damage_if_odd(path):
            names = [field.name for field in fields(RunRecord) if field.name != "folds"]
            values = {name: entry[name] for name in names}
            values["kind"] = TaskKind(values["kind"])
            values["classes"] = tuple(values["classes"])
            for name in ("settings", "groups"):
                values[name] = frozen(values[name])
            found = tuple(self.read_folds() if folds is None else folds)
            record = RunRecord(**values, folds=found)
            if record.hash != self.hash:
                raise ValueError("its identity does not give the hash in the folder's name")
        return record

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
        """Return the explanation, if it needs not be made, and a sentence if it was set aside."""
        try:
            return self.read_explanation(key), ""
        except DamageError as error:
            files.set_aside(self._explanation_path(key))
            return None, f"{error} It was set aside and is computed again."

    def explanation_keys(self) -> tuple[str, ...]:
        """Return the hash of every explanation of the cell, in order."""
        return tuple(sorted(path.stem for path in (self.path / "explanation").glob("*.npz")))

    def permutations(self, explanation: Explanation) -> PermutationFolder:
        """Return where permuted labels explained as this explanation are kept."""
        key = explanation.null_hash
        return PermutationFolder(
            path=self.path / "explanation" / f"null-{key}",
            cell=self.hash,
            key=key,
            n_features=len(explanation.feature_names),
        )

    def read_null(self, explanation: Explanation) -> NullImportances | None:
        """Read what permuted labels gave, beside the importances of their explanation.

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
        """Write ``weights/<fold>.safetensors``: what the model of a fold learned, as arrays."""
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
        entry = self._read_sealed(path)
        with damage_if_odd(path):
            return Panel(
                selection=Selection(**frozen(entry["selection"])),
                substitutes=tuple(Substitute(**found) for found in entry["substitutes"]),
                **{name: entry[name] for name in ("score", "error", "seconds")},
            )

    def resume_panel(self) -> tuple[Panel | None, str]:
        """Return the panel, if it needs not be made, and a sentence if it was set aside."""
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

    def _sealed_files(self) -> dict[Path, list[Path]]:
        """Files that a `seals.json` vouches for, by folder; also of folders that hold none."""
        table = self.path / "trials.parquet"
        found = {self.path: [table] if table.is_file() else []}
        patterns = {
            "explanation": "*.npz",
            "explanation/null-*": "p*.npz",
            "weights": "*.safetensors",
        }
        for pattern, names in patterns.items():
            for folder in sorted(self.path.glob(pattern)):
                found[folder] = sorted(folder.glob(names))
        return found

    def _set_aside(self, *paths: Path) -> None:
        files.remove_file(self.path / "DONE")
        for path in paths:
            files.set_aside(path)

    def _fold_paths(self) -> list[Path]:
        found = []
        for path in (self.path / "folds").glob("r*f*.json"):
            if match := _FOLD_NAME.fullmatch(path.stem):
                found.append((int(match[1]), int(match[2]), path))
        return [path for _, _, path in sorted(found)]

    def _read_sealed(self, path: Path) -> dict[str, Any]:
        entry = opened(path)
        if entry.get("cell") != self.hash:
            raise DamageError(f"{path} belongs to another cell ({entry.get('cell')}).")
        return entry

    def _read_fold(self, path: Path) -> FoldResult:
        entry = self._read_sealed(path)
        entry.setdefault("tuning", {})  # files of before there was pruning
        for name in _FOLD_PARTS:  # files of before there were such parts
            entry.setdefault(name, None)
        with damage_if_odd(path):
            values = {field.name: entry[field.name] for field in fields(FoldResult)}
            values["scores"] = {name: Score(**score) for name, score in values["scores"].items()}
            values["values"] = frozen(values["values"])
            values["notes"] = tuple(values["notes"])
            for name, kind in _FOLD_PARTS.items():
                if values[name] is not None:
                    values[name] = kind(**frozen(values[name]))
            digest = values.pop("prediction")
            result = FoldResult(**values)
            if result.name != path.stem:
                raise ValueError(f"it holds fold {result.name}")
        if digest is None:
            return result
        predictions = path.with_suffix(".parquet")
        if not predictions.is_file():
            raise DamageError(f"{predictions} is missing.")
        content = files.read_file(predictions)
        if hashlib.sha256(content).hexdigest() != digest:
            raise DamageError(f"{predictions} is torn, edited or of another fold.")
        return FoldResult(**values, prediction=read_prediction_bytes(predictions, content))


def read_records(
    folder: Path, *, on_problem: Callable[[str], None] | None = None
) -> list[RunRecord]:
    """Read every cell of a splits folder whose folds have all been tried.

    Parameters
    ----------
    folder : Path
        ``outputs/<dataset>/<cv>``.
    on_problem : callable, optional
        Told one sentence for each cell that cannot be read, which is then left out.

    Raises
    ------
    RecordError
        If a cell cannot be read and ``on_problem`` is not given.
    """
    records = []
    for path in sorted(Path(folder).glob("*/record.json")):
        try:
            records.append(CellFolder(path.parent).read_record())
        except RecordError as error:
            if on_problem is None:
                raise
            mend = f" Run the command of {path.parent.name} again to mend it."
            on_problem(f"{error}{mend if isinstance(error, DamageError) else ''}")
    return records
