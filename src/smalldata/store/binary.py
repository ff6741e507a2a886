"""The content of the binary files: splits, predictions, explanations and weights as bytes.

Step in the line: fold results -> **bytes** -> files. The rest of `store` decides where the files
are and whether to trust them; this file defines their columns and arrays. Unreadable content raises
DamageError, another schema version RecordError.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.results.evidence import Faithfulness, Interactions
from smalldata.results.explanation import Explanation
from smalldata.results.folds import Fold, FoldResult, Prediction, Splits
from smalldata.results.record import SCHEMA_VERSION
from smalldata.runtime.sealing import (
    check_version,
    damage_if_odd,
    frozen,
    plain,
    read_table,
    table_bytes,
)
from smalldata.task import Task

# ---------------------------------------------------------------- splits.parquet


def splits_bytes(splits: Splits, task: Task) -> bytes:
    """Write one row per fold and row of the task, training rows with their place in the order."""
    import pyarrow as pa

    ids = np.asarray(task.dataset.sample_ids).astype(str)
    parts = [
        (fold, part, rows)
        for fold in splits.folds
        for part, rows in (("train", fold.train), ("test", fold.test))
    ]
    rows = np.concatenate([rows for _, _, rows in parts])
    columns = {
        "repeat": np.concatenate([np.full(len(rows), fold.repeat) for fold, _, rows in parts]),
        "fold": np.concatenate([np.full(len(rows), fold.fold) for fold, _, rows in parts]),
        "row": rows,
        "sample_id": pa.array(ids[rows].tolist(), pa.string()),
        "part": pa.array([part for _, part, rows in parts for _ in rows], pa.string()),
        "order": pa.array(
            [i if part == "train" else None for _, part, rows in parts for i in range(len(rows))],
            pa.int64(),
        ),
    }
    about = {
        "name": splits.name,
        "key": splits.key,
        "split_key": splits.split_key,
        "n_samples": splits.n_samples,
        "is_default": splits.is_default,
    }
    return table_bytes(columns, about)


def read_splits_bytes(path: Path, content: bytes) -> Splits:
    """Return the splits that `splits_bytes` wrote; ``path`` is for the messages."""
    columns, about = read_table(path, content)
    with damage_if_odd(path):
        key = columns["repeat"] * (1 + int(columns["fold"].max())) + columns["fold"]
        folds = []
        for number in dict.fromkeys(key.tolist()):
            here = key == number
            rows, part = columns["row"][here], columns["part"][here]
            order = np.argsort(columns["order"][here][part == "train"], kind="stable")
            first = np.flatnonzero(here)[0]
            folds.append(
                Fold(
                    repeat=int(columns["repeat"][first]),
                    fold=int(columns["fold"][first]),
                    train=rows[part == "train"][order],
                    test=rows[part == "test"],
                )
            )
        splits = Splits(
            name=about["name"],
            split_key=about["split_key"],
            n_samples=about["n_samples"],
            is_default=about["is_default"],
            folds=tuple(folds),
        )
        if splits.key != about["key"]:
            raise ValueError("its rows have changed since it was written")
    return splits


# ---------------------------------------------------------------- folds/r00f00.parquet


def prediction_bytes(result: FoldResult, task: Task) -> bytes:
    """Write the predictions of a fold, one row per held-out row, with class names."""
    import pyarrow as pa

    prediction = result.prediction
    assert prediction is not None
    ids = np.asarray(task.dataset.sample_ids).astype(str)
    columns: dict[str, Any] = {
        "row": np.asarray(prediction.row, dtype=np.int64),
        "sample_id": pa.array(ids[prediction.row].tolist(), pa.string()),
    }
    if task.kind.is_classification:
        assert prediction.label is not None
        for name, codes in (("y", prediction.y), ("label", prediction.label)):
            columns[name] = pa.array([task.classes[code] for code in codes], pa.string())
    else:
        columns["y"] = np.asarray(prediction.y, dtype=np.float64)
        columns["value"] = np.asarray(prediction.value, dtype=np.float64)
    if prediction.probabilities is not None:
        for name, column in zip(task.classes, prediction.probabilities.T, strict=True):
            columns[f"p_{name}"] = column
    if prediction.margin is not None:
        names = task.classes[-prediction.margin.shape[1] :]  # binary: the positive class
        for name, column in zip(names, prediction.margin.T, strict=True):
            columns[f"margin_{name}"] = column
    about = {"repeat": result.repeat, "fold": result.fold, "classes": list(task.classes)}
    return table_bytes(columns, about)


def read_prediction_bytes(path: Path, content: bytes) -> Prediction:
    """Return the predictions that `prediction_bytes` wrote; ``path`` is for the messages."""
    columns, about = read_table(path, content)
    with damage_if_odd(path):
        return _prediction(columns, about["classes"])


def _prediction(columns: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> Prediction:
    if not classes:
        return Prediction(row=columns["row"], y=columns["y"], value=columns["value"])
    codes = {name: code for code, name in enumerate(classes)}

    def coded(name: str) -> NDArray[np.int64]:
        return np.array([codes[label] for label in columns[name]], dtype=np.int64)

    def stacked(prefix: str) -> NDArray[np.float64] | None:
        found = [columns[prefix + name] for name in classes if prefix + name in columns]
        return np.column_stack(found) if found else None

    return Prediction(
        row=columns["row"],
        y=coded("y"),
        label=coded("label"),
        probabilities=stacked("p_"),
        margin=stacked("margin_"),
    )


# ---------------------------------------------------------------- explanation/<hash>.npz

_ARRAYS = ("values", "base_values", "row", "repeat", "fold", "additivity_error", "seconds", "scale")
_NAMES = ("feature_names", "outputs", "notes")
_PARTS = {"interactions": Interactions, "faithfulness": Faithfulness}
"""Optional parts, each stored as one array per field under ``<part>.<field>``."""


def explanation_bytes(explanation: Explanation, *, cell: str) -> bytes:
    """Write an explanation of the cell with this hash; it loads with ``allow_pickle=False``."""
    arrays: dict[str, Any] = {
        "schema_version": np.array(SCHEMA_VERSION),
        "cell": np.array(cell),
    }
    for name in _ARRAYS:
        arrays[name] = np.asarray(getattr(explanation, name))
    for name in _NAMES:
        arrays[name] = np.array(getattr(explanation, name), dtype=np.str_)
    if explanation.standard_errors is not None:
        arrays["standard_errors"] = explanation.standard_errors
    for part, kind in _PARTS.items():
        if (found := getattr(explanation, part)) is not None:
            for field in fields(kind):
                arrays[f"{part}.{field.name}"] = np.asarray(getattr(found, field.name))
    arrays["options"] = np.array(json.dumps(plain(explanation.options), allow_nan=False))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def read_explanation_bytes(path: Path, content: bytes, *, cell: str, key: str) -> Explanation:
    """Return the explanation of this cell with this hash of its options."""
    with (
        damage_if_odd(path, zipfile.BadZipFile, EOFError),
        np.load(io.BytesIO(content), allow_pickle=False) as arrays,
    ):
        check_version(path, int(arrays["schema_version"]))
        values: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
        values |= {name: tuple(arrays[name].tolist()) for name in _NAMES}
        for name in ("additivity_error", "seconds"):
            values[name] = float(values[name])
        values["scale"] = str(values["scale"])
        errors = arrays["standard_errors"] if "standard_errors" in arrays.files else None
        found = Explanation(
            **values,
            standard_errors=errors,
            **{part: _part(arrays, part) for part in _PARTS},
            options=frozen(json.loads(str(arrays["options"]))),
        )
        if str(arrays["cell"]) != cell or found.hash != key:
            raise ValueError("it belongs to another cell or to other options")
    return found


def _part(arrays: Any, part: str) -> Any:
    kind = _PARTS[part]
    names = {field.name: f"{part}.{field.name}" for field in fields(kind)}
    if not any(name in arrays.files for name in names.values()):
        return None
    found = {field: arrays[name] for field, name in names.items()}
    return kind(
        **{
            field: str(value) if value.dtype.kind == "U" else value
            for field, value in found.items()
        }
    )


# ---------------------------------------------------------------- weights/rXXfXX.safetensors


def weights_bytes(weights: Mapping[str, NDArray[Any]], *, cell: str, fold: str) -> bytes:
    """Write the arrays that a model learned as safetensors; the header names cell and fold."""
    from safetensors.numpy import save

    about = json.dumps({"schema_version": SCHEMA_VERSION, "cell": cell, "fold": fold})
    arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
    return bytes(save(arrays, metadata={"smalldata": about}))


def read_weights_bytes(path: Path, content: bytes, *, cell: str) -> dict[str, NDArray[Any]]:
    """Return the arrays that `weights_bytes` wrote; ``path`` is for the messages."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    with damage_if_odd(path):
        try:
            arrays = load(content)
        except SafetensorError as error:
            raise ValueError(str(error)) from error
        n_header = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + n_header])
        about = json.loads(header["__metadata__"]["smalldata"])
        check_version(path, about["schema_version"])
        if about["cell"] != cell:
            raise ValueError(f"it belongs to another cell ({about['cell']})")
    return dict(arrays)
